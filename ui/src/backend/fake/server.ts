// The chat as the nodes keep it, and one device of the account that is logged in: what is stored, what is
// queued, and what is told of it.

import type { Account, Conversation, Delivery, Draft, Message, Page, Pending, Refusal, Settings, To, Update } from "../index";
import { FakeCluster } from "./cluster";
import { History, LOG_LENGTH, type Entry } from "./history";
import { everybody, ME, PASSWORD, talks, type Talk } from "./people";
import { ulid } from "./random";
import { sizeInBytes, TEXT_SIZE_MAX_BYTES } from "../../text/limit";

/** From a message's being queued to its being on a majority's disks. */
const COMMIT_MS = 14;
/** From there to the recipient's device. */
const DELIVER_MS = 60;

export function refusal(code: string, message: string): Refusal {
  return { code, message };
}

export class FakeServer {
  readonly cluster: FakeCluster;
  readonly accounts: Account[];
  readonly passwords = new Map<number, string>();
  readonly drafts = new Map<number, string>();
  settings: Settings = { theme: "system", language: null, notifications: true, notification_text: true, zoom: 1, enter_sends: true };
  me: Account | null = null;
  pending: Pending[] = [];
  /** What becomes of the next message that is sent. */
  refuseNext: Refusal | null = null;

  readonly #now: () => number;
  readonly #tell: (update: Update) => void;
  readonly #talks: Talk[];
  #cursor = LOG_LENGTH;
  #committing = false;

  constructor(now: () => number, tell: (update: Update) => void) {
    this.#now = now;
    this.#tell = (update) => {
      tell(update);
      if (update.type === "link" || update.type === "cluster") this.#commitLater();
    };
    this.cluster = new FakeCluster(["n1", "n2", "n3"], this.#tell);
    this.accounts = everybody(now());
    this.#talks = talks(this.accounts, now());
    for (const account of this.accounts) this.passwords.set(account.id, PASSWORD);
  }

  // Accounts

  named(name: string): Account | undefined {
    return this.accounts.find((account) => account.name === name && !account.deleted);
  }

  enter(account: Account): void {
    account.active = true;
    this.me = account;
    this.#tell({ type: "account", account: { ...account }, change: "connected" });
    setTimeout(() => this.#tell({ type: "caught_up", cursor: this.#cursor }));
  }

  enterAsMe(): void {
    const me = this.named(ME);
    if (me !== undefined) this.enter(me);
  }

  leave(): void {
    if (this.me !== null) this.me.active = false;
    this.me = null;
    this.pending = [];
  }

  create(name: string, password: string): Account {
    const account: Account = { id: this.#next(), name, active: true, deleted: false, created_at: this.#now() };
    this.accounts.push(account);
    this.passwords.set(account.id, password);
    this.#tell({ type: "account", account: { ...account }, change: "created" });
    return account;
  }

  setActive(name: string, active: boolean): void {
    const account = this.#person(name);
    account.active = active;
    this.#tell({ type: "account", account: { ...account }, change: active ? "connected" : "disconnected" });
  }

  /** Messages to the account that have not reached it, and how many people sent them. */
  undeliveredTo(account: Account): { undelivered: number; senders: number } {
    const waiting = this.#talksOf(account).map((talk) => this.#undelivered(talk, account));
    return { undelivered: waiting.reduce((sum, each) => sum + each, 0), senders: waiting.filter((each) => each > 0).length };
  }

  delete(account: Account): number {
    const { undelivered } = this.undeliveredTo(account);
    account.deleted = true;
    account.active = false;
    this.#tell({ type: "account", account: { ...account }, change: "deleted" });
    for (const talk of this.#talksOf(account)) {
      const returned = this.#undelivered(talk, account);
      const after = talk.delivered.get(account.id) ?? 0;
      if (returned > 0) {
        this.#tell({ type: "returned", cursor: this.#next(), conversation: talk.id, by: { ...account }, after, returned });
      }
    }
    return undelivered;
  }

  #undelivered(talk: Talk, account: Account): number {
    const delivered = talk.history.countUpTo(talk.delivered.get(account.id) ?? 0);
    let count = 0;
    // What nobody has received is at the end, and short.
    for (let index = Math.max(delivered, talk.history.length - 500); index < talk.history.length; index++) {
      if (talk.history.at(index).from !== account.id) count += 1;
    }
    return count;
  }

  // Conversations

  conversations(): Conversation[] {
    const me = this.#self();
    return this.#talksOf(me)
      .filter((talk) => talk.history.length > 0)
      .map((talk) => this.#conversation(talk, me))
      .sort((a, b) => (b.last?.cursor ?? 0) - (a.last?.cursor ?? 0));
  }

  messages(to: To, before: number | null, after: number | null, limit: number): { conversation: Conversation | null; page: Page<Message> } {
    const me = this.#self();
    const talk = this.#talkWith(this.recipient(to));
    if (talk === null) return { conversation: null, page: { items: [], more: false, stale: false } };
    const { history } = talk;
    const first = after === null ? 0 : history.countUpTo(after);
    const end = before === null ? history.length : history.countUpTo(before - 1);
    const [from, until] = after === null ? [Math.max(first, end - limit), end] : [first, Math.min(end, first + limit)];
    const items: Message[] = [];
    for (let index = from; index < until; index++) items.push(this.#message(talk, history.at(index)));
    const more = after === null ? from > first : until < end;
    return { conversation: this.#conversation(talk, me), page: { items, more, stale: !this.cluster.writable } };
  }

  find(matches: (message: Message) => boolean, to: To | null, before: number | null, limit: number): Page<Message> {
    const found: Message[] = [];
    const only = to === null ? null : this.#talkWith(this.recipient(to));
    const talks = this.#talksOf(this.#self());
    for (const talk of to === null ? talks : talks.filter((each) => each === only)) {
      const end = before === null ? talk.history.length : talk.history.countUpTo(before - 1);
      // Of each conversation no more than one page can be among the newest of all.
      let left = limit + 1;
      for (let index = end - 1; index >= 0 && left > 0; index--) {
        const message = this.#message(talk, talk.history.at(index));
        if (matches(message)) {
          found.push(message);
          left -= 1;
        }
      }
    }
    found.sort((a, b) => b.cursor - a.cursor);
    return { items: found.slice(0, limit), more: found.length > limit, stale: !this.cluster.writable };
  }

  markRead(conversation: number, upTo: number): void {
    const me = this.#self();
    const talk = this.#talks.find((each) => each.id === conversation);
    if (talk === undefined || upTo <= (talk.read.get(me.id) ?? 0)) return;
    talk.read.set(me.id, upTo);
    this.#tell({ type: "read", cursor: this.#next(), conversation, by: me.id, up_to: upTo });
  }

  /** The other one has read everything. */
  readBy(name: string): void {
    const account = this.#person(name);
    const talk = this.#talkWith(account);
    const upTo = talk?.history.last?.cursor;
    if (talk === null || upTo === undefined) return;
    talk.delivered.set(account.id, upTo);
    talk.read.set(account.id, upTo);
    this.#tell({ type: "read", cursor: this.#next(), conversation: talk.id, by: account.id, up_to: upTo });
  }

  // Messages

  recipient(to: To): Account {
    const found = "account" in to ? this.accounts.find((account) => account.id === to.account) : this.named(to.name);
    if (found === undefined) throw refusal("no_such_account", "There is no such account.");
    return found;
  }

  send(to: To, text: string, id: string | null): string {
    if (text.trim() === "") throw refusal("text_empty", "A message needs some text.");
    if (sizeInBytes(text) > TEXT_SIZE_MAX_BYTES) {
      throw refusal("text_too_long", "A message has at most 16384 bytes (16 KiB). Nothing was sent.");
    }
    const queued_at = this.#now();
    const pending: Pending = { id: id ?? ulid(this.#next()), to, text, queued_at, failed: null };
    // One that was refused is sent again under its own id.
    this.pending = [...this.pending.filter((each) => each.id !== pending.id), pending];
    this.#tell({ type: "queued", pending: { ...pending } });
    this.#commitLater();
    return pending.id;
  }

  receive(name: string, text: string): Message {
    const from = this.#person(name);
    const talk = this.#talkBetween(from, this.#self());
    return this.#append(talk, from, text, null);
  }

  #commitLater(): void {
    if (this.#committing) return;
    this.#committing = true;
    setTimeout(() => {
      this.#committing = false;
      if (this.me === null || !this.cluster.writable || !this.cluster.linked) return;
      // One after the other, in the order in which they were queued.
      const next = this.pending.find((each) => each.failed === null);
      if (next === undefined) return;
      this.#commit(next, this.me);
      this.#commitLater();
    }, COMMIT_MS);
  }

  #commit(pending: Pending, me: Account): void {
    const to = this.recipient(pending.to);
    const refused = to.deleted ? refusal("account_deleted", "The account was deleted.") : this.refuseNext;
    if (refused !== null) {
      this.refuseNext = null;
      pending.failed = refused;
      this.#tell({ type: "failed", id: pending.id, refusal: refused });
      return;
    }
    this.pending = this.pending.filter((each) => each !== pending);
    const talk = this.#talkBetween(me, to);
    const { id, cursor, sent_at } = this.#append(talk, me, pending.text, pending.id);
    this.#tell({ type: "stored", id, conversation: talk.id, cursor, to: to.id, sent_at, recipient_active: to.active });
    if (to.active) {
      setTimeout(() => {
        talk.delivered.set(to.id, cursor);
        this.#tell({ type: "delivered", cursor: this.#next(), conversation: talk.id, by: to.id, up_to: cursor });
      }, DELIVER_MS);
    }
  }

  #append(talk: Talk, from: Account, text: string, id: string | null): Message {
    const cursor = this.#next();
    const entry = { id: id ?? ulid(cursor), cursor, from: from.id, text, sent_at: this.#now() };
    talk.history.append(entry);
    talk.delivered.set(from.id, cursor);
    talk.read.set(from.id, cursor);
    if (this.me !== null) talk.delivered.set(this.me.id, cursor);
    const message = this.#message(talk, entry);
    this.#tell({ type: "message", message });
    return message;
  }

  #next(): number {
    this.#cursor += 1;
    return this.#cursor;
  }

  #self(): Account {
    if (this.me === null) throw refusal("not_logged_in", "Nobody is logged in.");
    return this.me;
  }

  #person(name: string): Account {
    const account = this.named(name);
    if (account === undefined) throw new Error(`there is no account ${name}`);
    return account;
  }

  #talksOf(account: Account): Talk[] {
    return this.#talks.filter((talk) => talk.between.some((each) => each.id === account.id));
  }

  #talkWith(account: Account): Talk | null {
    const me = this.#self();
    return this.#talksOf(me).find((talk) => talk.between.some((each) => each.id === account.id && each.id !== me.id)) ?? null;
  }

  #talkBetween(a: Account, b: Account): Talk {
    const known = this.#talksOf(a).find((talk) => talk.between.some((each) => each.id === b.id && b.id !== a.id));
    if (known !== undefined) return known;
    const id = this.#next();
    const between = [a, b] as const;
    const history = new History({ conversation: id, between, length: 0, phrases: [], until: 0, since: 0 });
    const talk: Talk = { id, between, history, delivered: new Map(), read: new Map() };
    this.#talks.push(talk);
    return talk;
  }

  #conversation(talk: Talk, me: Account): Conversation {
    const partner = talk.between.find((account) => account.id !== me.id) ?? me;
    const read = talk.read.get(me.id) ?? 0;
    let unread = 0;
    for (let index = talk.history.countUpTo(read); index < talk.history.length; index++) {
      if (talk.history.at(index).from !== me.id) unread += 1;
    }
    const last = talk.history.last;
    return {
      id: talk.id,
      with: { ...partner },
      length: talk.history.length,
      unread,
      read_up_to: read,
      last: last === null ? null : this.#message(talk, last),
    };
  }

  #message(talk: Talk, entry: Entry): Message {
    const from = talk.between.find((account) => account.id === entry.from) ?? talk.between[0];
    const to = talk.between.find((account) => account.id !== from.id) ?? from;
    const { id, cursor, text, sent_at } = entry;
    return { id, cursor, conversation: talk.id, from: { ...from }, to: { ...to }, text, sent_at, state: stateFor(talk, to, cursor) };
  }
}

function stateFor(talk: Talk, to: Account, cursor: number): Delivery {
  if (cursor <= (talk.read.get(to.id) ?? 0)) return "read";
  if (cursor <= (talk.delivered.get(to.id) ?? 0)) return "delivered";
  return to.deleted ? "returned" : "stored";
}

export function drafts(server: FakeServer): Draft[] {
  return [...server.drafts].map(([person, text]) => ({ with: person, text }));
}
