// How far messages have come, as the feed told it. A page, or the answer to a message that was sent, may have been on its way
// when that happened, and then says less; and the feed says it once.

import type { Delivery, Message, Page } from "../backend";
import type { PersonId, State } from "./state";
import { withState } from "./window";

/** What is known of the messages to one account, in one conversation. */
export interface Reached {
  readonly by: PersonId;
  readonly delivered: number;
  readonly read: number;
  /** The last message that reached the account before it was deleted; null: it was not. */
  readonly last: number | null;
}

const NOTHING = { delivered: 0, read: 0, last: null };

function changed(state: State, conversation: number, by: PersonId, change: (known: Reached) => Reached): State {
  const known = state.reached.get(conversation) ?? { ...NOTHING, by };
  return { ...state, reached: new Map(state.reached).set(conversation, change(known)) };
}

export function withReached(state: State, conversation: number, by: PersonId, how: "delivered" | "read", upTo: number): State {
  return changed(state, conversation, by, (known) => ({ ...known, [how]: Math.max(known[how], upTo) }));
}

export function withReturned(state: State, conversation: number, by: PersonId, after: number): State {
  return changed(state, conversation, by, (known) => ({ ...known, last: after }));
}

function stateOf(reached: Reached, cursor: number): Delivery {
  if (reached.last !== null && cursor > reached.last) return "returned";
  if (cursor <= reached.read) return "read";
  return cursor <= reached.delivered ? "delivered" : "stored";
}

/** The message, at least as far as the feed told. */
export function asReached(state: State, message: Message): Message {
  const reached = state.reached.get(message.conversation);
  return reached?.by === message.to.id ? withState(message, stateOf(reached, message.cursor)) : message;
}

export function pageAsReached(state: State, page: Page<Message>): Page<Message> {
  return { ...page, items: page.items.map((message) => asReached(state, message)) };
}
