// The rows of the sidebar: conversations by their last message, then everyone else by name.

import type { Account, Conversation } from "../backend";
import type { PersonId, State } from "./state";

export interface PersonRow {
  readonly account: Account;
  readonly conversation: Conversation | null;
  readonly draft: string | null;
  /** Messages of this device that a node has not taken yet, or refused. */
  readonly waiting: number;
  readonly failed: number;
}

export interface People {
  readonly conversations: readonly PersonRow[];
  readonly others: readonly PersonRow[];
}

export function personRow(state: State, id: PersonId): PersonRow | null {
  const conversation = state.conversations.get(id) ?? null;
  const account = state.accounts.get(id) ?? conversation?.with;
  if (account === undefined) return null;
  const outgoing = state.outbox.filter((each) => each.to === id);
  const failed = outgoing.filter((each) => each.failed !== null).length;
  return { account, conversation, draft: state.drafts.get(id) ?? null, waiting: outgoing.length - failed, failed };
}

/** Where a conversation stands in the list: what is under way counts as the latest. */
function recency(row: PersonRow): number {
  return row.waiting + row.failed > 0 ? Infinity : (row.conversation?.last?.cursor ?? 0);
}

export function people(state: State, filter: string): People {
  const wanted = filter.trim().toLocaleLowerCase();
  const conversations: PersonRow[] = [];
  const others: PersonRow[] = [];
  for (const id of new Set([...state.conversations.keys(), ...state.accounts.keys()])) {
    if (id === state.me?.id) continue;
    const row = personRow(state, id);
    if (row === null || !row.account.name.toLocaleLowerCase().includes(wanted)) continue;
    const spoken = row.conversation !== null || row.waiting + row.failed > 0;
    if (spoken) conversations.push(row);
    else if (!row.account.deleted) others.push(row);
  }
  const byName = (a: PersonRow, b: PersonRow) => a.account.name.localeCompare(b.account.name);
  // Two rows at Infinity differ by NaN, which is falsy: they go by name.
  conversations.sort((a, b) => recency(b) - recency(a) || byName(a, b));
  others.sort((a, b) => Number(b.account.active) - Number(a.account.active) || byName(a, b));
  return { conversations, others };
}

/** The neighbour of the open conversation in the list; with `unread`, the next one that has unread messages. */
export function neighbour(state: State, step: 1 | -1, unread: boolean): PersonId | null {
  const { conversations, others } = people(state, "");
  const rows = unread ? conversations : [...conversations, ...others];
  if (rows.length === 0) return null;
  const open = rows.findIndex((row) => row.account.id === state.open?.with);
  const from = open === -1 ? (step === 1 ? -1 : 0) : open;
  for (let distance = 1; distance <= rows.length; distance++) {
    const row = rows[(from + step * distance + rows.length * 2) % rows.length];
    if (row && (!unread || (row.conversation?.unread ?? 0) > 0)) return row.account.id;
  }
  return null;
}
