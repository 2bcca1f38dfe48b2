// A window onto a conversation: a bounded run of its messages, in the order of the log. Clocks order nothing.

import type { Delivery, Message, Page } from "../backend";
import type { Window } from "./state";

/** Messages asked for at a time. */
export const PAGE_LENGTH = 200;

/** The longest window. Beyond it the end that is farther from the reader is dropped, and loaded again when it is scrolled to. */
export const WINDOW_LENGTH_MAX = 2000;

export const EMPTY_WINDOW: Window = {
  messages: [],
  loaded: false,
  older: false,
  newer: false,
  loading: null,
  stale: false,
};

/** Both runs in one, each message once. Of two versions of a message the more advanced one stays. */
function merged(a: readonly Message[], b: readonly Message[]): Message[] {
  const byCursor = new Map<number, Message>();
  for (const message of a) byCursor.set(message.cursor, message);
  for (const message of b) {
    const known = byCursor.get(message.cursor);
    byCursor.set(message.cursor, known ? withState(message, known.state) : message);
  }
  return [...byCursor.values()].sort((x, y) => x.cursor - y.cursor);
}

/** A window was asked for anew: what is in view stays until the answer comes. */
export function whole(window: Window, before: Page<Message>, after: Page<Message> | null): Window {
  const page = after === null ? before.items : merged(before.items, after.items);
  const newer = after?.more ?? false;
  const last = page.at(-1)?.cursor ?? 0;
  // What came by the feed while the page was under way is not in it, but belongs behind it.
  const since = newer || window.newer ? [] : window.messages.filter((message) => message.cursor > last);
  return {
    messages: merged(page, since),
    loaded: true,
    older: before.more,
    newer,
    loading: null,
    stale: before.stale || (after?.stale ?? false),
  };
}

/** A page from before the first message. */
export function extendedBackwards(window: Window, page: Page<Message>): Window {
  const messages = merged(page.items, window.messages);
  const dropped = messages.length > WINDOW_LENGTH_MAX;
  return {
    ...window,
    messages: dropped ? messages.slice(0, WINDOW_LENGTH_MAX) : messages,
    older: page.more,
    newer: window.newer || dropped,
    loading: null,
    stale: page.stale,
  };
}

/** A page from after the last message. */
export function extendedForwards(window: Window, page: Page<Message>): Window {
  const messages = merged(window.messages, page.items);
  const dropped = messages.length > WINDOW_LENGTH_MAX;
  return {
    ...window,
    messages: dropped ? messages.slice(-WINDOW_LENGTH_MAX) : messages,
    older: window.older || dropped,
    newer: page.more,
    loading: null,
    stale: page.stale,
  };
}

/** A message was stored. One behind a gap is left out: it comes with its page. */
export function withMessage(window: Window, message: Message, following: boolean): Window {
  const last = window.messages.at(-1);
  const inside = last !== undefined && message.cursor <= last.cursor;
  const first = window.messages[0];
  const before = first !== undefined && message.cursor < first.cursor;
  if (before && window.older) return window;
  if (!inside && window.newer) return window;
  const messages = merged(window.messages, [message]);
  if (messages.length <= WINDOW_LENGTH_MAX) return { ...window, messages };
  // The reader's own end stays: following, that is the last message.
  return following
    ? { ...window, messages: messages.slice(1), older: true }
    : { ...window, messages: messages.slice(0, -1), newer: true };
}

const RANK: Record<Delivery, number> = { stored: 0, delivered: 1, read: 2, returned: 3 };

/** The message in that state, unless it is further already. */
export function withState(message: Message, state: Delivery): Message {
  return RANK[state] > RANK[message.state] ? { ...message, state } : message;
}

/** Every message for which it applies, in that state. */
export function withStates(window: Window, state: Delivery, applies: (message: Message) => boolean): Window {
  let changed = false;
  const messages = window.messages.map((message) => {
    const next = applies(message) ? withState(message, state) : message;
    changed ||= next !== message;
    return next;
  });
  return changed ? { ...window, messages } : window;
}
