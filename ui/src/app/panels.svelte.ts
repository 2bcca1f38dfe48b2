// What is laid over the chat or put beside it. One dialog at a time, and one panel.

import type { Message } from "../backend";
import type { Link } from "../text/links";

export type Dialog =
  | { kind: "switcher" | "help" | "settings" | "invite" | "delete_account" }
  | { kind: "message_info"; message: Message }
  | { kind: "open_link"; link: Link };

export type Side = "search" | "cluster";

/** Where to look for words: in the conversation that is open, or in all of them. */
export type Scope = "conversation" | "everywhere";

export class Panels {
  dialog = $state.raw<Dialog | null>(null);
  side = $state.raw<Side | null>(null);
  /** What was asked for last; another object each time, because asking again leads back to the field. */
  finding = $state.raw<{ readonly scope: Scope }>({ scope: "conversation" });

  open(dialog: Dialog): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }

  show(side: Side): void {
    this.side = side;
  }

  find(scope: Scope): void {
    this.finding = { scope };
    this.side = "search";
  }

  toggle(side: Side): void {
    this.side = this.side === side ? null : side;
  }

  /** Whether the panel lies over the conversation, for want of room. */
  covers(): boolean {
    return this.side !== null && document.querySelector("main")?.checkVisibility({ visibilityProperty: true }) === false;
  }

  uncover(): void {
    if (this.covers()) this.hide();
  }

  hide(): void {
    this.side = null;
  }
}
