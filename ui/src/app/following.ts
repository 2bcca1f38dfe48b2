// What the back end tells unasked: into the state, and what follows from it besides.

import type { Backend, Message, Update } from "../backend";
import { calmFor } from "../state/connection";
import { t } from "../text/language.svelte";
import type { Announcer } from "./notices.svelte";
import type { Reading } from "./reading";
import type { Session } from "./session";
import type { Store } from "./store.svelte";

export class Following {
  readonly #store: Store;
  readonly #session: Session;
  readonly #reading: Reading;
  readonly #announcer: Announcer;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(store: Store, session: Session, reading: Reading, announcer: Announcer) {
    this.#store = store;
    this.#session = session;
    this.#reading = reading;
    this.#announcer = announcer;
  }

  follow(backend: Backend): () => void {
    return backend.subscribe((update) => this.#told(update));
  }

  #told(update: Update): void {
    const highest = this.#store.state.cursor;
    this.#store.dispatch({ type: "update", update, at: performance.now() });
    this.waitForCalm();
    switch (update.type) {
      case "message":
        if (update.message.cursor > highest) this.#announce(update.message);
        return;
      case "cluster":
        void this.#session.loadCluster();
        return;
      case "caught_up":
        // Presence is not in the log: what changed while nobody was linked is asked for.
        void this.#session.loadAccounts();
        this.#loadWhatFailed();
        return;
      case "lagged":
        void this.#session.load();
        void this.#reading.reload();
        return;
      case "open":
        this.#reading.openConversation(update.conversation);
        return;
    }
  }

  #announce(message: Message): void {
    const { me } = this.#store.state;
    if (message.from.id === me?.id) return;
    const { announced, announcedMany } = t().message;
    this.#announcer.arrived(message.from.name, message.text, { one: announced, many: announcedMany });
  }

  #loadWhatFailed(): void {
    const { open, windows, listed } = this.#store.state;
    if (!listed) void this.#session.loadConversations();
    const window = open === null ? undefined : windows.get(open.with);
    if (window && !window.loaded && window.loading === null) void this.#reading.reload();
  }

  /** Trouble is mentioned after a second, and not by an update: the time has to be told. */
  waitForCalm(): void {
    const left = calmFor(this.#store.state.connection, performance.now());
    if (left === null || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#store.dispatch({ type: "tick", at: performance.now() });
      this.waitForCalm();
    }, left);
  }
}
