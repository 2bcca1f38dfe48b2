// This device's messages on their way into the log.

import type { Pending, Refusal, To } from "../backend";
import { writable } from "./connection";
import type { Connection, Outgoing, OutboxNews, PersonId, State } from "./state";

/** In words: waiting on this disk, under way, asked without an answer, or refused for good. */
export type SendState = "queued" | "sending" | "unconfirmed" | "failed";

export function sendState(outgoing: Outgoing, connection: Connection): SendState {
  if (outgoing.failed !== null) return "failed";
  if (writable(connection)) return "sending";
  return outgoing.tried ? "unconfirmed" : "queued";
}

/** The account that a message goes to; null while nothing is known of that name. */
function personOf(state: State, to: To): PersonId | null {
  if ("account" in to) return to.account;
  for (const account of state.accounts.values()) {
    if (account.name === to.name && !account.deleted) return account.id;
  }
  return null;
}

function outgoingOf(state: State, pending: Pending): Outgoing | null {
  const to = personOf(state, pending.to);
  if (to === null) return null;
  const { id, text, queued_at, failed } = pending;
  return { id, to, text, queued_at, failed, tried: writable(state.connection) };
}

export function withQueued(state: State, pending: Pending): readonly Outgoing[] {
  const outgoing = outgoingOf(state, pending);
  const known = state.outbox.find((each) => each.id === pending.id);
  if (outgoing === null || (known !== undefined && known.failed === null)) return state.outbox;
  // One that was refused is sent again: now it comes last.
  return [...without(state.outbox, pending.id), outgoing];
}

/** What the back end answered, but for the messages that something was heard of since it was asked. */
export function loaded(state: State, pending: readonly Pending[]): readonly Outgoing[] {
  const news = state.outboxLoad?.news ?? new Map<string, OutboxNews>();
  const answered: Outgoing[] = [];
  for (const each of pending) {
    const heard = news.get(each.id);
    if (heard === "queued" || heard === "gone") continue;
    const outgoing = outgoingOf(state, heard === undefined ? each : { ...each, failed: heard });
    if (outgoing !== null) answered.push(outgoing);
  }
  const known = new Set(answered.map((each) => each.id));
  return [...answered, ...state.outbox.filter((each) => news.has(each.id) && !known.has(each.id))];
}

/** Something was heard of this message. */
export function withNews(state: State, id: string, news: OutboxNews): State {
  const { outboxLoad } = state;
  return outboxLoad === null ? state : { ...state, outboxLoad: { ...outboxLoad, news: new Map(outboxLoad.news).set(id, news) } };
}

export function without(outbox: readonly Outgoing[], id: string): readonly Outgoing[] {
  return outbox.some((each) => each.id === id) ? outbox.filter((each) => each.id !== id) : outbox;
}

/** What was refused of all that was written to somebody, the oldest first. */
export function refusedOf(outbox: readonly Outgoing[], person: PersonId): readonly Outgoing[] {
  return outbox.filter((each) => each.to === person && each.failed !== null);
}

export function withFailure(outbox: readonly Outgoing[], id: string, failed: Refusal): readonly Outgoing[] {
  return outbox.map((each) => (each.id === id ? { ...each, failed } : each));
}

/** Called when the link changes: whatever waits while messages can be stored is under way. */
export function withTries(outbox: readonly Outgoing[], connection: Connection): readonly Outgoing[] {
  if (!writable(connection) || outbox.every((each) => each.tried)) return outbox;
  return outbox.map((each) => ({ ...each, tried: true }));
}
