// What the front end may ask of the back end, and what the back end tells unasked.
// Generated from src-tauri/api; `UPDATE_BINDINGS=1 cargo test -p app-api bindings` writes it anew.

/** A stable code, such as "no_quorum" or "name_taken". */
export type Code = string;

/**
 * Every call that is refused is refused with this: a stable code, and one sentence for people.
 */
export type Refusal = { code: Code, message: string, };

export type Account = { id: number, name: string, active: boolean, deleted: boolean, created_at: number, };

export type Delivery = "stored" | "delivered" | "read" | "returned";

export type Message = { id: string, cursor: number, conversation: number, from: Account, to: Account, text: string, sent_at: number, state: Delivery, };

export type Conversation = { id: number, with: Account, length: number, unread: number, read_up_to: number, last: Message | null, };

/**
 * A page of something. `stale`: from one node alone, which could not ask a majority.
 */
export type Page<T> = { items: Array<T>, more: boolean, stale: boolean, };

/**
 * Whom to speak to.
 */
export type To = { "name": string } | { "account": number };

/**
 * A message of this device that the cluster has not stored: waiting, or failed for good.
 */
export type Pending = { id: string, to: To, text: string, queued_at: number, failed: Refusal | null, };

/**
 * What was typed and not sent. `with`: the other account's id.
 */
export type Draft = { with: number, text: string, };

export type Login = { account: Account, online: boolean, };

export type NodeRole = "leader" | "follower" | "learner" | "unknown";

/**
 * A node. `lag` in entries, `disk_free` in bytes; null where the node cannot be asked.
 */
export type Node = { name: string, role: NodeRole, reachable: boolean, lag: number | null, version: string | null, disk_free: number | null, node_id: number | null, addresses: Array<string>, };

export type Cluster = { nodes: Array<Node>, leader: string | null, voters: number, reachable_voters: number, can_lose: number, writable: boolean, epoch: number, answered_by: string, term: number | null, };

export type NodeSeen = { name: string, reachable: boolean, };

export type Health = { leader: string | null, writable: boolean, nodes: Array<NodeSeen>, };

export type Link = { "state": "searching", trouble: Refusal | null, } | { "state": "live", node: string, warm: string | null, writable: boolean, };

export type PlaceKind = "this_computer" | "network";

/**
 * A chat that could be joined. `this_computer`: a node runs here and its secret is readable. `network`: seen by mDNS, needs a code.
 */
export type Place = { kind: PlaceKind, name: string, nodes: Array<string>, };

export type Start = { joined: boolean, accounts: Array<string>, version: string, link: Link, signed_in: Login | null, };

export type Theme = "system" | "light" | "dark";

/**
 * What a person chose. `notification_text`: a notification shows the message, and not only who wrote it. `zoom`: 1 is 100 %. `enter_sends`: or else Enter begins a line, and Ctrl+Enter sends.
 */
export type Settings = { theme: Theme, language: string | null, notifications: boolean, notification_text: boolean, zoom: number, enter_sends: boolean, };

export type Holder = { name: string, holds: boolean | null, };

/**
 * Which nodes hold a stored message. `holds`: null where the node cannot be asked.
 */
export type Proof = { index: number, term: number | null, nodes: Array<Holder>, };

export type Invited = { code: string, };

export type DeletionPreview = { undelivered: number, senders: number, };

export type Deleted = { returned: number, };

export type Talk = { conversation: Conversation | null, page: Page<Message>, };

export type Queued = { id: string, };

export type Exported = { path: string, };

export type Change = "created" | "deleted" | "connected" | "disconnected";

/**
 * What the front end is told unasked: one ordered stream.
 */
export type Update = { "type": "message", message: Message, } | { "type": "delivered", cursor: number, conversation: number, by: number, up_to: number, } | { "type": "read", cursor: number, conversation: number, by: number, up_to: number, } | { "type": "returned", cursor: number, conversation: number, by: Account, after: number, returned: number, } | { "type": "caught_up", cursor: number, } | { "type": "queued", pending: Pending, } | { "type": "stored", id: string, conversation: number, cursor: number, to: number, sent_at: number, recipient_active: boolean, } | { "type": "failed", id: string, refusal: Refusal, } | { "type": "account", account: Account, change: Change, } | { "type": "cluster", health: Health, } | { "type": "link", link: Link, } | { "type": "session_ended", refusal: Refusal, } | { "type": "open", conversation: number, } | { "type": "lagged" };

export interface Calls {
  start: { request: {}; answer: Start };
  places: { request: {}; answer: Array<Place> };
  /** With a code, or with the text of a cluster's secret. */
  join: { request: { code: string, }; answer: null };
  /** The chat of this computer's node. */
  join_local: { request: {}; answer: null };
  /** Runs a node on this computer for as long as the app runs, and joins it. */
  start_here: { request: {}; answer: null };
  invite: { request: {}; answer: Invited };
  create_account: { request: { name: string, password: string, }; answer: Login };
  log_in: { request: { name: string, password: string, }; answer: Login };
  resume: { request: { name: string, }; answer: Login };
  log_out: { request: {}; answer: null };
  deletion_preview: { request: {}; answer: DeletionPreview };
  delete_account: { request: {}; answer: Deleted };
  /** A page begins after the name that the one before ended with. */
  accounts: { request: { prefix: string | null, after: string | null, limit: number, }; answer: Page<Account> };
  conversations: { request: {}; answer: Page<Conversation> };
  messages: { request: { with: To, before: number | null, after: number | null, limit: number, }; answer: Talk };
  message: { request: { id: string, }; answer: Message | null };
  /** Messages with all the words of the text, the newest first: of the conversation with that account, or of all. */
  search: { request: { text: string, 
/**
 * Only in the conversation with this account.
 */
with: To | null, before: number | null, limit: number, }; answer: Page<Message> };
  /** Answers once the message is on disk in the outbox. The id is the caller's own, if it has one: asking again sends nothing twice. */
  send: { request: { to: To, text: string, id: string | null, }; answer: Queued };
  /** As `send`, and what was typed is no draft any more, in one step. */
  send_draft: { request: { with: number, text: string, }; answer: Queued };
  pending: { request: {}; answer: Array<Pending> };
  /** Forgets a message that failed. */
  discard: { request: { id: string, }; answer: null };
  mark_read: { request: { conversation: number, up_to: number, }; answer: null };
  drafts: { request: {}; answer: Array<Draft> };
  /** An empty text removes it. */
  keep_draft: { request: { with: number, text: string, }; answer: null };
  cluster: { request: {}; answer: Cluster };
  proof: { request: { conversation: number, cursor: number, }; answer: Proof };
  /** Writes a text file to the download folder. */
  export: { request: { with: To, }; answer: Exported };
  /** http, https and mailto only. */
  open_link: { request: { url: string, }; answer: null };
  settings: { request: {}; answer: Settings };
  keep_settings: { request: { theme: Theme, language: string | null, notifications: boolean, notification_text: boolean, zoom: number, enter_sends: boolean, }; answer: null };
  /** What the menu beside the clock says, in the language of the front end, which has all the words. */
  tray_words: { request: { 
/**
 * Brings the window to the front.
 */
open: string, 
/**
 * Ends the app.
 */
quit: string, }; answer: null };
  /** What is in view: no notification for it. */
  view: { request: { conversation: number | null, focused: boolean, }; answer: null };
}
