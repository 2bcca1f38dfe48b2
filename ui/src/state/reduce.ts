// (state, event) → state. Nothing here asks, waits, or knows the time; whatever has to be done besides is in
// `app/`.

import { loaded as loadedOutbox, withFailure, withQueued, withNews, withTries, without } from "./outbox";
import { withList, partnerOf, personOfConversation, withMessage as withMessageInList, withRead } from "./conversations";
import { withHealth, withLink, withRefusedMessage, withStored, withTick } from "./connection";
import { asReached, pageAsReached, withReached, withReturned } from "./reached";
import { EMPTY_WINDOW, extendedBackwards, extendedForwards, whole, withMessage, withState, withStates } from "./window";
import type { Account, Conversation, Delivery, Message, Update } from "../backend";
import type { Event } from "./event";
import { INITIAL, type Connection, type PersonId, type State, type Window } from "./state";

export function reduce(state: State, event: Event): State {
  switch (event.type) {
    case "update":
      return updated(state, event.update, event.at);
    case "tick":
      return connected(state, withTick(state.connection, event.at));
    case "started": {
      const { start } = event;
      const stage = !start.joined ? "welcome" : "account";
      const next = { ...state, stage, version: start.version, remembered: start.accounts } satisfies State;
      const linked = connected(next, withLink(state.connection, start.link, event.at));
      return start.signed_in === null ? linked : reduce(linked, { type: "signed_in", login: start.signed_in });
    }
    case "places_found":
      return { ...state, places: event.places };
    case "joined":
      return { ...state, stage: "account" };
    case "signed_in":
      return signedIn(state, event.login.account);
    case "signed_out": {
      const { connection, settings, version } = state;
      const remembered = state.remembered.filter((name) => name !== event.forget);
      return { ...INITIAL, stage: "account", connection, settings, version, remembered, ended: event.ended };
    }
    case "accounts_loaded":
      return { ...state, accounts: withAccounts(state, event.accounts) };
    case "conversations_loaded":
      return conversationsLoaded(state, event.conversations);
    case "pending_loading":
      return { ...state, outboxLoad: { load: event.load, news: new Map() } };
    case "pending_loaded":
      if (state.outboxLoad?.load !== event.load) return state;
      return { ...state, outbox: event.pending === null ? state.outbox : loadedOutbox(state, event.pending), outboxLoad: null };
    case "drafts_loaded":
      // What was typed meanwhile is newer.
      return { ...state, drafts: new Map([...event.drafts.map((draft) => [draft.with, draft.text] as const), ...state.drafts]) };
    case "draft_changed":
      return { ...state, drafts: withDraft(state, event.draft.with, event.draft.text) };
    case "cluster_loaded":
      return connected(state, { ...state.connection, cluster: event.cluster, leader: state.connection.leader ?? event.cluster.leader });
    case "settings_changed":
      return { ...state, settings: event.settings };
    case "opened":
      return opened(state, event.with);
    case "closed":
      return { ...state, open: null };
    case "divider_dismissed":
      return state.open === null ? state : { ...state, open: { ...state.open, divider: null } };
    case "followed":
      return followed(state, event.following);
    case "window_loading":
      return changedWindow(state, event.with, (window) => ({ ...window, loading: event.part }));
    case "window_failed":
      return changedWindow(state, event.with, (window) => ({ ...window, loading: null }));
    case "window_loaded": {
      const last = (event.after?.items.at(-1) ?? event.before.items.at(-1))?.cursor ?? 0;
      const before = pageAsReached(state, event.before);
      const after = event.after && pageAsReached(state, event.after);
      const next = changedWindow(heard(state, last), event.with, (window) => whole(window, before, after));
      if (next.open?.with !== event.with || event.target === null) return next;
      return { ...next, open: { ...next.open, target: { cursor: event.target }, following: false } };
    }
    case "window_extended": {
      const extend = event.part === "older" ? extendedBackwards : extendedForwards;
      return changedWindow(state, event.with, (window) => extend(window, pageAsReached(state, event.page)));
    }
    case "read_marked":
      return { ...state, conversations: withRead(state, event.with, event.up_to) };
    case "discarded":
      return withNews({ ...state, outbox: without(state.outbox, event.id) }, event.id, "gone");
  }
}

function updated(state: State, update: Update, at: number): State {
  switch (update.type) {
    case "message":
      return stored(withNews(state, update.message.id, "gone"), update.message);
    case "delivered":
    case "read":
      return advanced(heard(state, update.cursor), update.type, update);
    case "returned":
      return returned(heard(state, update.cursor), update.by, update.after, update.conversation);
    case "caught_up":
      return heard(state, update.cursor);
    case "queued":
      return withNews({ ...state, outbox: withQueued(state, update.pending) }, update.pending.id, "queued");
    case "stored":
      return { ...storedHere(withNews(state, update.id, "gone"), update), connection: withStored(state.connection, at) };
    case "failed":
      return {
        ...withNews(state, update.id, update.refusal),
        outbox: withFailure(state.outbox, update.id, update.refusal),
        connection: withRefusedMessage(state.connection),
      };
    case "account":
      return { ...state, accounts: withAccounts(state, [update.account]) };
    case "cluster":
      return connected(state, withHealth(state.connection, update.health, at, state.cursor));
    case "link":
      return connected(state, withLink(state.connection, update.link, at));
    case "session_ended":
      return reduce(state, { type: "signed_out", ended: update.refusal, forget: null });
    // These two ask for something to be done; nothing is known by them.
    case "open":
    case "lagged":
      return state;
  }
}

function connected(state: State, connection: Connection): State {
  if (connection === state.connection) return state;
  return { ...state, connection, outbox: withTries(state.outbox, connection) };
}

function heard(state: State, cursor: number): State {
  return cursor > state.cursor ? { ...state, cursor } : state;
}

function signedIn(state: State, me: Account): State {
  const remembered = [me.name, ...state.remembered.filter((name) => name !== me.name)];
  return { ...state, stage: "chat", me, ended: null, remembered, accounts: withAccounts(state, [me]) };
}

function withAccounts(state: State, accounts: readonly Account[]): ReadonlyMap<PersonId, Account> {
  const next = new Map(state.accounts);
  for (const account of accounts) next.set(account.id, account);
  return next;
}

function conversationsLoaded(state: State, conversations: readonly Conversation[]): State {
  // Presence that came with a live update is newer than what this list says of the same account.
  const strangers = conversations.map((conversation) => conversation.with).filter((account) => !state.accounts.has(account.id));
  const next: State = {
    ...state,
    accounts: withAccounts(state, strangers),
    listed: true,
    conversations: withList(state.conversations, reachedList(state, conversations)),
  };
  const last = Math.max(0, ...conversations.map((conversation) => conversation.last?.cursor ?? 0));
  return heard(next, last);
}

function reachedList(state: State, conversations: readonly Conversation[]): Conversation[] {
  return conversations.map((conversation) => ({ ...conversation, last: conversation.last && asReached(state, conversation.last) }));
}

function withDraft(state: State, person: PersonId, text: string): ReadonlyMap<PersonId, string> {
  const drafts = new Map(state.drafts);
  if (text === "") drafts.delete(person);
  else drafts.set(person, text);
  return drafts;
}

function opened(state: State, person: PersonId): State {
  const conversation = state.conversations.get(person);
  const divider = conversation && conversation.unread > 0 ? conversation.read_up_to : null;
  const open = { with: person, divider, following: true, arrived: 0, target: null };
  return { ...state, open, windows: withRoomFor(state, person) };
}

/** Windows that are kept, for a quick return; the one opened longest ago goes first. */
const WINDOWS_MAX = 6;

function withRoomFor(state: State, person: PersonId): ReadonlyMap<PersonId, Window> {
  const windows = new Map(state.windows);
  const window = windows.get(person) ?? EMPTY_WINDOW;
  windows.delete(person);
  windows.set(person, window);
  const eldest = windows.keys().next();
  if (windows.size > WINDOWS_MAX && !eldest.done) windows.delete(eldest.value);
  return windows;
}

function followed(state: State, following: boolean): State {
  const { open } = state;
  if (open === null || (open.following === following && (open.arrived === 0 || !following))) return state;
  return { ...state, open: { ...open, following, arrived: following ? 0 : open.arrived } };
}

function changedWindow(state: State, person: PersonId, change: (window: Window) => Window): State {
  const window = state.windows.get(person);
  if (window === undefined) return state;
  const next = change(window);
  return next === window ? state : { ...state, windows: new Map(state.windows).set(person, next) };
}

/** A message is in the log: this device's, another device's, or someone else's. */
function stored(state: State, told: Message): State {
  const message = asReached(state, told);
  const person = partnerOf(message, state.me).id;
  const following = state.open?.with !== person || state.open.following;
  const before = state.windows.get(person);
  const own = message.from.id === state.me?.id;
  const known = before?.messages.some((each) => each.cursor === message.cursor) ?? false;
  let next = heard(state, message.cursor);
  next = { ...next, conversations: withMessageInList(next, message), outbox: without(next.outbox, message.id) };
  next = changedWindow(next, person, (window) => withMessage(window, message, following));
  const isNew = !known && message.cursor > (state.conversations.get(person)?.last?.cursor ?? 0);
  if (isNew && !own && next.open?.with === person && !next.open.following) {
    next = { ...next, open: { ...next.open, arrived: next.open.arrived + 1 } };
  }
  return next;
}

/** The outbox was answered: this device's message has its place in the log. */
function storedHere(state: State, update: Extract<Update, { type: "stored" }>): State {
  const outgoing = state.outbox.find((each) => each.id === update.id);
  const to = state.accounts.get(update.to);
  if (outgoing === undefined || to === undefined || state.me === null) {
    // The feed brings it, with everything that is not known here.
    return heard({ ...state, outbox: without(state.outbox, update.id) }, update.cursor);
  }
  const { id, cursor, conversation, sent_at } = update;
  return stored(state, { id, cursor, conversation, from: state.me, to, text: outgoing.text, sent_at, state: "stored" });
}

function advanced(state: State, delivery: "delivered" | "read", { conversation, by, up_to }: { conversation: number; by: PersonId; up_to: number }): State {
  const person = personOfConversation(state, conversation);
  if (by === state.me?.id) {
    return delivery === "read" && person !== null ? { ...state, conversations: withRead(state, person, up_to) } : state;
  }
  const next = withReached(state, conversation, by, delivery, up_to);
  if (person === null) return next;
  return inState(next, person, delivery, (message) => message.to.id === by && message.cursor <= up_to);
}

function returned(state: State, by: Account, after: number, conversation: number): State {
  const next = withReturned({ ...state, accounts: withAccounts(state, [by]) }, conversation, by.id, after);
  const person = personOfConversation(state, conversation) ?? by.id;
  return inState(next, person, "returned", (message) => message.to.id === by.id && message.cursor > after);
}

function inState(state: State, person: PersonId, delivery: Delivery, applies: (message: Message) => boolean): State {
  const next = changedWindow(state, person, (window) => withStates(window, delivery, applies));
  const known = next.conversations.get(person);
  if (!known?.last || !applies(known.last)) return next;
  const last = withState(known.last, delivery);
  if (last === known.last) return next;
  return { ...next, conversations: new Map(next.conversations).set(person, { ...known, last }) };
}
