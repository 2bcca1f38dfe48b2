// The rows of a timeline. What stands between two messages (the day, the unread mark) belongs to the row
// below it, so that every row keeps its key when a page is added above.

import type { Message } from "../backend";
import { sendState, type SendState } from "./outbox";
import type { Outgoing, PersonId, State, Takeover } from "./state";
import { EMPTY_WINDOW } from "./window";

export type Row = MessageRow | OutgoingRow | TakeoverRow;

interface Above {
  readonly key: string;
  /** Nothing of this conversation comes before. */
  readonly beginning: boolean;
  /** A day begins here: its first millisecond, in this computer's time zone. */
  readonly day: number | null;
  /** Unread messages begin here. */
  readonly unread: boolean;
}

export interface MessageRow extends Above {
  readonly kind: "message";
  readonly message: Message;
  readonly own: boolean;
  /** Names its sender; the rows that follow from the same one do not. */
  readonly heads: boolean;
  readonly target: boolean;
}

export interface OutgoingRow extends Above {
  readonly kind: "outgoing";
  readonly outgoing: Outgoing;
  readonly state: SendState;
  readonly heads: boolean;
}

export interface TakeoverRow extends Above {
  readonly kind: "takeover";
  /** Between the same two messages, the latest last: never none. */
  readonly takeovers: readonly Takeover[];
}

/** Messages of one sender that follow within this time share one heading. */
const GROUP_MS = 5 * 60_000;

export function dayOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** What the next row is compared with. */
interface Before {
  sender: PersonId | null;
  at: number;
  day: number | null;
}

/** What the rows follow from. */
export type RowsState = Pick<State, "windows" | "open" | "outbox" | "connection" | "me">;

export function timelineRows(state: RowsState, person: PersonId): Row[] {
  const window = state.windows.get(person) ?? EMPTY_WINDOW;
  const open = state.open?.with === person ? state.open : null;
  const me = state.me?.id ?? null;
  const rows: Row[] = [];
  const before: Before = { sender: null, at: 0, day: null };
  let divider = open?.divider ?? null;
  const takeovers = takeoversWithin(state, window.messages, window.older, window.newer);

  /** The row's place among the days and senders; `sender` null: a line that nobody sent. */
  const place = (key: string, sender: PersonId | null, at: number, unread: boolean): Above & { heads: boolean } => {
    const day = sender === null ? before.day : dayOf(at);
    const newDay = day !== null && day !== before.day;
    const beginning = rows.length === 0 && window.loaded && !window.older;
    const heads = newDay || unread || sender !== before.sender || at - before.at > GROUP_MS;
    before.sender = sender;
    before.at = at;
    before.day = day;
    return { key, beginning, day: newDay ? day : null, unread, heads };
  };
  const placeTakeoversUpTo = (cursor: number) => {
    const later = takeovers.findIndex(({ after }) => after >= cursor);
    const here = takeovers.splice(0, later === -1 ? takeovers.length : later);
    if (here[0] === undefined) return;
    // The first one's key: the row stays when another takes over.
    const { heads: _, ...above } = place(`takeover:${here[0].id}`, null, before.at, false);
    rows.push({ ...above, kind: "takeover", takeovers: here });
  };

  for (const message of window.messages) {
    placeTakeoversUpTo(message.cursor);
    const own = message.from.id === me;
    const unread = divider !== null && message.cursor > divider && !own;
    if (unread) divider = null;
    const above = place(`message:${message.id}`, message.from.id, message.sent_at, unread);
    rows.push({ ...above, kind: "message", message, own, target: open?.target?.cursor === message.cursor });
  }
  // The end of the conversation; beyond a gap nothing may be shown.
  if (!window.newer) {
    placeTakeoversUpTo(Infinity);
    const inLog = new Set(state.outbox.length > 0 ? window.messages.map((message) => message.id) : []);
    for (const outgoing of state.outbox) {
      // Stored from another place of this profile, which the outbox has not heard yet.
      if (outgoing.to !== person || inLog.has(outgoing.id)) continue;
      // The key is that of the message it becomes, so that the row stays when it is stored.
      const above = place(`message:${outgoing.id}`, me, outgoing.queued_at, false);
      rows.push({ ...above, kind: "outgoing", outgoing, state: sendState(outgoing, state.connection) });
    }
  }
  return rows;
}

function takeoversWithin(state: RowsState, messages: readonly Message[], older: boolean, newer: boolean): Takeover[] {
  const first = older ? (messages[0]?.cursor ?? Infinity) : 0;
  const last = newer ? (messages.at(-1)?.cursor ?? 0) : Infinity;
  return state.connection.takeovers.filter(({ after }) => after >= first && after < last);
}
