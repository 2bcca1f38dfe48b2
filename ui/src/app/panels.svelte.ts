// What is laid over the chat or put beside it. One dialog at a time, and one panel.

import type { Message } from "../backend";
import type { Link } from "../text/links";

export type Dialog =
  | { kind: "switcher" | "help" | "settings" | "invite" | "delete_account" }
  | { kind: "message_info"; message: Message }
  | { kind: "open_link"; link: Link };

export type Side = "search" | "cluster";

export class Panels {
  dialog = $state.raw<Dialog | null>(null);
  side = $state.raw<Side | null>(null);

  open(dialog: Dialog): void {
    this.dialog = dialog;
  }

  close(): void {
    this.dialog = null;
  }

  show(side: Side): void {
    this.side = side;
  }

  toggle(side: Side): void {
    this.side = this.side === side ? null : side;
  }

  hide(): void {
    this.side = null;
  }
}
