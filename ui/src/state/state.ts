// What the screens show, as one value that is never changed in place. Only `reduce` makes a new one.

import type { Account, Cluster, Conversation, Health, Link, Message, Place, Refusal, Settings } from "../backend";
import type { Reached } from "./reached";

/** What the window shows as a whole. */
export type Stage =
  /** Nothing is known yet. */
  | "starting"
  /** This computer belongs to no chat: find one, paste a code, or start one here. */
  | "welcome"
  /** Nobody is logged in. */
  | "account"
  | "chat";

/** An account's id; conversations, windows and drafts are kept by the id of the other account. */
export type PersonId = number;

/** A part of a conversation's history, in the order of the log, without gaps. */
export interface Window {
  readonly messages: readonly Message[];
  /** False until the first page came. */
  readonly loaded: boolean;
  /** There is more before the first. */
  readonly older: boolean;
  /** There is more after the last; what arrives is not appended until the gap is filled. */
  readonly newer: boolean;
  readonly loading: "older" | "newer" | "whole" | null;
  /** From one node alone, which could not ask a majority. */
  readonly stale: boolean;
}

/** A message of this device that is not in the log yet. */
export interface Outgoing {
  readonly id: string;
  readonly to: PersonId;
  readonly text: string;
  readonly queued_at: number;
  /** A node may have it: it was in the outbox while a node that can store was linked. */
  readonly tried: boolean;
  readonly failed: Refusal | null;
}

/** What was heard of messages since the outbox was asked for, of which the answer may know less. */
export interface OutboxLoad {
  /** Answers to earlier questions are of no interest any more. */
  readonly load: number;
  readonly news: ReadonlyMap<string, OutboxNews>;
}

/** It is in the outbox, the last of all; it is there no more; or it was refused. */
export type OutboxNews = "queued" | "gone" | Refusal;

/** The conversation on the screen. */
export interface Open {
  readonly with: PersonId;
  /** The cursor after which messages were unread when it was opened. */
  readonly divider: number | null;
  /** The end of the timeline is in view, and stays there. */
  readonly following: boolean;
  /** Messages that came while the end was out of view. */
  readonly arrived: number;
  /** The message that was jumped to; another object for each jump, because one can jump to the same one again. */
  readonly target: { readonly cursor: number } | null;
}

/** Another node became the leader. */
export interface Takeover {
  readonly id: number;
  readonly leader: string;
  /** From the last that is known of the leader before to the first of this one; null: that is not known. */
  readonly silence_ms: number | null;
  /** Messages of this device that were refused meanwhile. */
  readonly affected: number;
  /** Its place in the log's order. */
  readonly after: number;
}

/** A trouble with the link or the leader, timed from when it was first seen. */
export interface Trouble {
  readonly since: number;
  readonly affected: number;
}

/** What is known of the time of the leader. */
export interface Reign {
  /** When it was last known to store messages. */
  readonly served: number | null;
  /** When this device was cut off from it, and linked to another node. */
  readonly left: number | null;
  /** Set once it no longer leads, as far as is known. `since`: null where nobody can tell when that began. */
  readonly over: { readonly since: number | null } | null;
}

export type Notice = "reconnecting" | "read_only";

export interface Connection {
  readonly link: Link;
  readonly health: Health | null;
  readonly cluster: Cluster | null;
  readonly leader: string | null;
  readonly reign: Reign;
  readonly trouble: Trouble | null;
  /** What people are told of the trouble: nothing in its first second. */
  readonly notice: Notice | null;
  readonly takeovers: readonly Takeover[];
}

export interface State {
  readonly stage: Stage;
  readonly version: string;
  /** Accounts that were used on this device. */
  readonly remembered: readonly string[];
  readonly places: readonly Place[];
  readonly me: Account | null;
  /** Why the session ended, if it did not end by choice. */
  readonly ended: Refusal | null;
  readonly accounts: ReadonlyMap<PersonId, Account>;
  readonly conversations: ReadonlyMap<PersonId, Conversation>;
  /** False until the list of conversations came. */
  readonly listed: boolean;
  readonly windows: ReadonlyMap<PersonId, Window>;
  /** How far messages have come, by conversation, as far as the feed told it to this page. */
  readonly reached: ReadonlyMap<number, Reached>;
  readonly open: Open | null;
  /** In the order in which they will be sent. */
  readonly outbox: readonly Outgoing[];
  /** While the outbox is being asked for. */
  readonly outboxLoad: OutboxLoad | null;
  readonly drafts: ReadonlyMap<PersonId, string>;
  readonly connection: Connection;
  /** The highest place of the log that this device has heard of. */
  readonly cursor: number;
  readonly settings: Settings;
}

export const DEFAULT_SETTINGS: Settings = { theme: "system", language: null, notifications: true, notification_text: true, zoom: 1, enter_sends: true };

export const INITIAL: State = {
  stage: "starting",
  version: "",
  remembered: [],
  places: [],
  me: null,
  ended: null,
  accounts: new Map(),
  conversations: new Map(),
  listed: false,
  windows: new Map(),
  reached: new Map(),
  open: null,
  outbox: [],
  outboxLoad: null,
  drafts: new Map(),
  connection: {
    link: { state: "searching", trouble: null },
    health: null,
    cluster: null,
    leader: null,
    reign: { served: null, left: null, over: null },
    trouble: null,
    notice: null,
    takeovers: [],
  },
  cursor: 0,
  settings: DEFAULT_SETTINGS,
};
