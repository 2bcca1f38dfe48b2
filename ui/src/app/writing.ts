// Drafts, and sending. A text leaves the composer only once it is in the outbox, on disk.

import type { Backend } from "../backend";
import type { Outgoing, PersonId } from "../state/state";
import type { Store } from "./store.svelte";

/** A draft is on disk so long after the last key at the latest. */
const KEEP_AFTER_MS = 300;

export class Writing {
  readonly #backend: Backend;
  readonly #store: Store;
  readonly #timers = new Map<PersonId, ReturnType<typeof setTimeout>>();
  #last: Promise<unknown> | null = null;

  constructor(backend: Backend, store: Store) {
    this.#backend = backend;
    this.#store = store;
  }

  draft(person: PersonId, text: string): void {
    this.#store.dispatch({ type: "draft_changed", draft: { with: person, text } });
    this.#keepSoon(person);
  }

  /** Writes down every draft that is not on disk yet. */
  flush(): void {
    for (const person of [...this.#timers.keys()]) void this.#keep(person).catch(() => {});
  }

  /** In one step the outbox has it and the draft is gone. Rejects if the outbox does not take it; the draft stays then. */
  async send(person: PersonId, text: string): Promise<void> {
    const unkept = this.#timers.has(person);
    this.#forgetTimer(person);
    try {
      await this.#inTurn(async () => {
        await this.#backend.call("send_draft", { with: person, text });
        const draft = this.#typed(person);
        // What was typed since belongs to the next message.
        const left = draft.startsWith(text) ? draft.slice(text.length) : draft;
        this.#store.dispatch({ type: "draft_changed", draft: { with: person, text: left } });
        // Where the last keys had not been written down, an earlier state is on disk that may be longer.
        if (left !== "" || unkept) this.#keepSoon(person);
      });
    } catch (thrown) {
      this.#keepSoon(person);
      throw thrown;
    }
  }

  /** Once more, under its own id: in one step the refused one is at the end of what waits. */
  async resend({ id, to, text }: Outgoing): Promise<void> {
    await this.#inTurn(() => this.#backend.call("send", { to: { account: to }, text, id }));
  }

  /** All that were refused, in the order in which they were written; the first one that is not taken stops those behind it. */
  async resendAll(refused: readonly Outgoing[]): Promise<void> {
    for (const outgoing of refused) await this.resend(outgoing);
  }

  /** Back into the composer, before whatever is in it. */
  async edit(outgoing: Outgoing): Promise<void> {
    // The text is a draft on disk before the outbox forgets it.
    await this.takeBack(outgoing);
    await this.discard(outgoing);
  }

  /** The text of a message that the outbox has forgotten, or is about to, into the composer. */
  async takeBack({ to, text }: Outgoing): Promise<void> {
    const draft = this.#typed(to);
    this.draft(to, draft === "" ? text : `${text}\n${draft}`);
    await this.#keep(to);
  }

  async discard(outgoing: Outgoing): Promise<void> {
    await this.#backend.call("discard", { id: outgoing.id });
    this.#store.dispatch({ type: "discarded", id: outgoing.id });
  }

  #typed(person: PersonId): string {
    return this.#store.state.drafts.get(person) ?? "";
  }

  #keepSoon(person: PersonId): void {
    if (this.#timers.has(person)) return;
    this.#timers.set(person, setTimeout(() => void this.#keep(person).catch(() => {}), KEEP_AFTER_MS));
  }

  #forgetTimer(person: PersonId): void {
    clearTimeout(this.#timers.get(person));
    this.#timers.delete(person);
  }

  #keep(person: PersonId): Promise<unknown> {
    this.#forgetTimer(person);
    return this.#inTurn(() => this.#backend.call("keep_draft", { with: person, text: this.#typed(person) }));
  }

  /**
   * One after the other, and at once where nothing is under way: a draft that is kept late must not bring back what was
   * sent, and of two messages the second must not overtake.
   */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last === null ? work() : this.#last.then(work, work);
    this.#last = turn;
    const over = () => {
      if (this.#last === turn) this.#last = null;
    };
    turn.then(over, over);
    return turn;
  }
}
