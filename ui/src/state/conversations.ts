// The list of conversations, kept up to date by what the feed tells.

import type { Account, Conversation, Message } from "../backend";
import type { PersonId, State } from "./state";
import { withState } from "./window";

/** The other account of a message, seen from `me`. */
export function partnerOf(message: Message, me: Account | null): Account {
  return message.from.id === me?.id ? message.to : message.from;
}

/** Whose conversation has this id; null if it is not in the list. */
export function personOfConversation(state: State, conversation: number): PersonId | null {
  for (const [person, each] of state.conversations) {
    if (each.id === conversation) return person;
  }
  return null;
}

/** The list came. What the feed told while it was under way is newer, and stays. */
export function withList(
  known: ReadonlyMap<PersonId, Conversation>,
  listed: readonly Conversation[],
): ReadonlyMap<PersonId, Conversation> {
  const all = new Map(known);
  for (const conversation of listed) {
    const last = known.get(conversation.with.id)?.last?.cursor ?? 0;
    if (last <= (conversation.last?.cursor ?? 0)) all.set(conversation.with.id, conversation);
  }
  return all;
}

function changed(state: State, person: PersonId, conversation: Conversation): ReadonlyMap<PersonId, Conversation> {
  return new Map(state.conversations).set(person, conversation);
}

/** A message was stored. One that the list already counts changes nothing. */
export function withMessage(state: State, message: Message): ReadonlyMap<PersonId, Conversation> {
  const partner = partnerOf(message, state.me);
  const known = state.conversations.get(partner.id);
  const last = known?.last ?? null;
  if (known && last && message.cursor <= last.cursor) {
    if (message.cursor < last.cursor) return state.conversations;
    const advanced = withState(last, message.state);
    return advanced === last ? state.conversations : changed(state, partner.id, { ...known, last: advanced });
  }
  const own = message.from.id === state.me?.id;
  const readUpTo = known?.read_up_to ?? 0;
  const unread = !own && message.cursor > readUpTo ? 1 : 0;
  return changed(state, partner.id, {
    id: message.conversation,
    with: known?.with ?? partner,
    length: (known?.length ?? 0) + 1,
    unread: (known?.unread ?? 0) + unread,
    read_up_to: readUpTo,
    last: message,
  });
}

/** This account has read up to there, here or on another device. The count never rises by it. */
export function withRead(state: State, person: PersonId, upTo: number): ReadonlyMap<PersonId, Conversation> {
  const known = state.conversations.get(person);
  if (!known || upTo <= known.read_up_to) return state.conversations;
  return changed(state, person, { ...known, read_up_to: upTo, unread: unreadAfter(state, person, known, upTo) });
}

function unreadAfter(state: State, person: PersonId, known: Conversation, upTo: number): number {
  if (upTo >= (known.last?.cursor ?? 0)) return 0;
  const window = state.windows.get(person);
  const first = window?.messages[0];
  // Only a window that reaches from there to the end can tell; otherwise the old count is the best one known.
  if (!window || !first || window.newer || (first.cursor > upTo && window.older)) return known.unread;
  const left = window.messages.filter((message) => message.cursor > upTo && message.from.id === person).length;
  return Math.min(left, known.unread);
}

export function unreadTotal(state: State): number {
  let total = 0;
  for (const conversation of state.conversations.values()) total += conversation.unread;
  return total;
}
