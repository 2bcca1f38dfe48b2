// Short words that go away by themselves, and what is read out to those who listen.

/** Long enough to read a sentence twice. */
const SHOWN_MS = 6000;

/** What comes within this time is read out together. */
const GATHER_MS = 800;

/** Long enough to think better of it as well. */
const SHOWN_WITH_A_WAY_MS = 20_000;

/** What can still be done about it. */
export interface Way {
  readonly words: string;
  readonly act: () => void;
}

export interface Notice {
  readonly id: number;
  readonly text: string;
  readonly bad: boolean;
  readonly way: Way | null;
}

export class Notices {
  shown = $state.raw<readonly Notice[]>([]);
  #lastId = 0;

  say(text: string, bad = false, way: Way | null = null): void {
    const notice = { id: ++this.#lastId, text, bad, way };
    // More than three at once is noise; the oldest makes room.
    this.shown = [...this.shown, notice].slice(-3);
    setTimeout(() => this.dismiss(notice.id), way === null ? SHOWN_MS : SHOWN_WITH_A_WAY_MS);
  }

  dismiss(id: number): void {
    this.shown = this.shown.filter((notice) => notice.id !== id);
  }
}

interface Arrival {
  name: string;
  text: string;
}

/** The timeline itself is not live: rows that come into view by scrolling are no news. */
export class Announcer {
  said = $state.raw("");
  #arrivals: Arrival[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  arrived(name: string, text: string, words: { one(name: string, text: string): string; many(name: string, n: number): string }): void {
    this.#arrivals.push({ name, text });
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.said = gathered(this.#arrivals, words.one, words.many);
      this.#arrivals = [];
    }, GATHER_MS);
  }
}

/** A single message in full; of several from one person only how many. */
function gathered(arrivals: readonly Arrival[], one: (name: string, text: string) => string, many: (name: string, n: number) => string): string {
  const byName = Map.groupBy(arrivals, (arrival) => arrival.name);
  return [...byName].map(([name, own]) => (own.length === 1 && own[0] ? one(name, own[0].text) : many(name, own.length))).join(". ");
}
