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

  constructor(backend: Backend, store: Store) {
    this.#backend = backend;
    this.#store = store;
  }

  draft(person: PersonId, text: string): void {
    this.#store.dispatch({ type: "draft_changed", draft: { with: person, text } });
    if (!this.#timers.has(person)) {
      this.#timers.set(person, setTimeout(() => this.#keep(person), KEEP_AFTER_MS));
    }
  }

  /** Writes down every draft that is not on disk yet. */
  flush(): void {
    for (const person of [...this.#timers.keys()]) this.#keep(person);
  }

  #keep(person: PersonId): void {
    clearTimeout(this.#timers.get(person));
    this.#timers.delete(person);
    const text = this.#store.state.drafts.get(person) ?? "";
    void this.#backend.call("keep_draft", { with: person, text }).catch(() => {});
  }

  /** Rejects if the outbox does not take it; the draft stays then. */
  async send(person: PersonId, text: string): Promise<void> {
    await this.#backend.call("send", { to: { account: person }, text, id: null });
    // What was typed since belongs to the next message.
    const draft = this.#store.state.drafts.get(person) ?? "";
    if (draft.startsWith(text)) this.draft(person, draft.slice(text.length));
    this.#keep(person);
  }

  /** Once more, as a new message; the refused one goes when the new one is on disk. */
  async resend(outgoing: Outgoing): Promise<void> {
    await this.#backend.call("send", { to: { account: outgoing.to }, text: outgoing.text, id: null });
    await this.discard(outgoing);
  }

  /** Back into the composer, before whatever is in it. */
  async edit(outgoing: Outgoing): Promise<void> {
    const draft = this.#store.state.drafts.get(outgoing.to) ?? "";
    this.draft(outgoing.to, draft === "" ? outgoing.text : `${outgoing.text}\n${draft}`);
    // The text is a draft on disk before the outbox forgets it.
    await this.#backend.call("keep_draft", { with: outgoing.to, text: this.#store.state.drafts.get(outgoing.to) ?? "" });
    await this.discard(outgoing);
  }

  async discard(outgoing: Outgoing): Promise<void> {
    await this.#backend.call("discard", { id: outgoing.id });
    this.#store.dispatch({ type: "discarded", id: outgoing.id });
  }
}
