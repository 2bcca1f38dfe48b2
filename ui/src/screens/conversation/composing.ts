// What the composer makes of its text and of a key, without any field.

import { isBlank, sizeInBytes, TEXT_SIZE_MAX_BYTES, TEXT_SIZE_NOTICE_BYTES } from "../../text/limit";

/** Whether a text can be sent, and how it stands to the limit. */
export type Composed =
  | { size: "fine"; sendable: boolean }
  | { size: "near"; sendable: boolean; left_bytes: number }
  | { size: "over"; sendable: false; over_bytes: number };

export function composed(text: string): Composed {
  const bytes = sizeInBytes(text);
  const sendable = !isBlank(text);
  if (bytes > TEXT_SIZE_MAX_BYTES) return { size: "over", sendable: false, over_bytes: bytes - TEXT_SIZE_MAX_BYTES };
  if (bytes >= TEXT_SIZE_NOTICE_BYTES) return { size: "near", sendable, left_bytes: TEXT_SIZE_MAX_BYTES - bytes };
  return { size: "fine", sendable };
}

export type Pressed = Pick<KeyboardEvent, "key" | "shiftKey" | "altKey" | "ctrlKey" | "metaKey" | "isComposing" | "keyCode">;

/** What a key means; null: what it always means in a field. */
export function meant(pressed: Pressed, text: string, enterSends: boolean): "send" | "take_back" | null {
  // While an input method composes, Enter chooses a word. WebKit ends the composition before it tells of the
  // key, and then only the code 229 gives it away.
  if (pressed.isComposing || pressed.keyCode === 229) return null;
  const modified = pressed.ctrlKey || pressed.metaKey;
  if (pressed.key === "Enter" && !pressed.shiftKey && !pressed.altKey) return enterSends || modified ? "send" : null;
  if (pressed.key === "ArrowUp" && text === "") return "take_back";
  return null;
}

/** Sends one text at a time. Asked again meanwhile, it sends what is there by then. */
export function oneAtATime(send: () => Promise<void>): () => Promise<void> {
  let sending = false;
  let again = false;
  return async function attempt() {
    if (sending) {
      again = true;
      return;
    }
    sending = true;
    try {
      do {
        again = false;
        await send();
      } while (again);
    } finally {
      sending = false;
    }
  };
}
