// Opening conversations, loading their messages page by page, and telling the nodes what was read.

import type { Backend, Message } from "../backend";
import { partnerOf, personOfConversation } from "../state/conversations";
import type { PersonId, Window } from "../state/state";
import { PAGE_LENGTH } from "../state/window";
import type { Store } from "./store.svelte";

/** A message counts as read once it was in view for so long, in a window that has the focus. */
const READ_AFTER_MS = 600;

export class Reading {
  readonly #backend: Backend;
  readonly #store: Store;
  /** Whether something lies over the conversation. */
  readonly #isCovered: () => boolean;
  #seen: { person: PersonId; upTo: number } | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(backend: Backend, store: Store, isCovered: () => boolean) {
    this.#backend = backend;
    this.#store = store;
    this.#isCovered = isCovered;
  }

  open(person: PersonId): void {
    if (this.#store.state.open?.with === person) return;
    this.#store.dispatch({ type: "opened", with: person });
    this.#forgetSeen();
    this.tellView();
    const window = this.#window(person);
    if (window !== null && (!window.loaded || window.newer)) void this.loadLatest(person);
  }

  openConversation(conversation: number): void {
    const person = personOfConversation(this.#store.state, conversation);
    if (person !== null) this.open(person);
  }

  close(): void {
    this.#store.dispatch({ type: "closed" });
    this.#forgetSeen();
    this.tellView();
  }

  /** So that nobody is notified of what is before their eyes. */
  tellView(): void {
    const { open, conversations } = this.#store.state;
    const conversation = open === null || this.#isCovered() ? null : (conversations.get(open.with)?.id ?? null);
    void this.#backend.call("view", { conversation, focused: document.hasFocus() }).catch(() => {});
  }

  async loadLatest(person: PersonId): Promise<void> {
    await this.#load(person, "whole", async () => {
      const { page } = await this.#ask(person, null, null);
      this.#store.dispatch({ type: "window_loaded", with: person, before: page, after: null, target: null });
    });
  }

  async loadOlder(): Promise<void> {
    const person = this.#store.state.open?.with;
    const window = person === undefined ? null : this.#window(person);
    const first = window?.messages[0];
    if (person === undefined || !window?.older || window.loading !== null || !first) return;
    await this.#load(person, "older", async () => {
      const { page } = await this.#ask(person, first.cursor, null);
      this.#store.dispatch({ type: "window_extended", with: person, part: "older", page });
    });
  }

  async loadNewer(): Promise<void> {
    const person = this.#store.state.open?.with;
    const window = person === undefined ? null : this.#window(person);
    const last = window?.messages.at(-1);
    if (person === undefined || !window?.newer || window.loading !== null || !last) return;
    await this.#load(person, "newer", async () => {
      const { page } = await this.#ask(person, null, last.cursor);
      this.#store.dispatch({ type: "window_extended", with: person, part: "newer", page });
    });
  }

  /** Opens the conversation at that message, with what comes before and after it. */
  async jumpTo(message: Message): Promise<void> {
    const person = partnerOf(message, this.#store.state.me).id;
    if (this.#store.state.open?.with !== person) {
      this.#store.dispatch({ type: "opened", with: person });
      this.#forgetSeen();
      this.tellView();
    }
    await this.#load(person, "whole", async () => {
      const [before, after] = await Promise.all([
        this.#ask(person, message.cursor + 1, null),
        this.#ask(person, null, message.cursor),
      ]);
      this.#store.dispatch({ type: "window_loaded", with: person, before: before.page, after: after.page, target: message.cursor });
    });
  }

  /** Loads what is in view once more, and what failed to load before. */
  async reload(): Promise<void> {
    const { open } = this.#store.state;
    if (open === null) return;
    const anchor = open.following ? null : this.#window(open.with)?.messages.at(-1);
    if (anchor) await this.jumpTo(anchor);
    else await this.loadLatest(open.with);
  }

  /** The messages up to there are in view. */
  seen(upTo: number): void {
    const { open } = this.#store.state;
    if (open === null) return;
    if (this.#seen?.person === open.with && this.#seen.upTo >= upTo) return;
    this.#seen = { person: open.with, upTo };
    this.#timer ??= setTimeout(() => this.#markRead(), READ_AFTER_MS);
  }

  /** The window has the focus again, so what is in view counts from now on. */
  focused(): void {
    this.tellView();
    if (this.#seen !== null) this.#timer ??= setTimeout(() => this.#markRead(), READ_AFTER_MS);
  }

  #markRead(): void {
    this.#timer = null;
    const seen = this.#seen;
    const conversation = seen === null ? undefined : this.#store.state.conversations.get(seen.person);
    if (seen === null || conversation === undefined || !document.hasFocus()) return;
    if (seen.upTo <= conversation.read_up_to || conversation.unread === 0) return;
    this.#store.dispatch({ type: "read_marked", with: seen.person, up_to: seen.upTo });
    // Should it fail, the next message that is read says it again.
    void this.#backend.call("mark_read", { conversation: conversation.id, up_to: seen.upTo }).catch(() => {});
  }

  #forgetSeen(): void {
    this.#seen = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #window(person: PersonId): Window | null {
    return this.#store.state.windows.get(person) ?? null;
  }

  #ask(person: PersonId, before: number | null, after: number | null) {
    return this.#backend.call("messages", { with: { account: person }, before, after, limit: PAGE_LENGTH });
  }

  async #load(person: PersonId, part: "older" | "newer" | "whole", ask: () => Promise<void>): Promise<void> {
    this.#store.dispatch({ type: "window_loading", with: person, part });
    try {
      await ask();
    } catch {
      this.#store.dispatch({ type: "window_failed", with: person });
    }
  }
}
