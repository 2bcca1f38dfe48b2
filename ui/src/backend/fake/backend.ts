// The door: every call answered by the fake chat, after as long as it is told to take.

import { asRefusal, type Account, type Answer, type Backend, type CallName, type Login, type Message, type Place, type Request, type Update } from "../index";
import { drafts, FakeServer, refusal } from "./server";

/** Where the page begins. */
export type Scene = "chat" | "first_run" | "nothing_found" | "signed_out";

type Handlers = { [K in CallName]: (request: Request<K>) => Answer<K> };

const NAME = /^[\p{L}\p{N}_.-][\p{L}\p{N}\p{M}_.-]{0,31}$/u;

/** Calls that a node has to answer; the rest is known on this device. */
const NEEDS_A_NODE: ReadonlySet<CallName> = new Set([
  "create_account", "log_in", "accounts", "messages", "message", "cluster", "proof", "search", "export",
  "deletion_preview", "delete_account", "invite",
]);

export class FakeBackend implements Backend {
  readonly server: FakeServer;
  /** How long each call takes. */
  delay_ms = 3;
  /** Every call that was made, for tests to look at. */
  readonly calls: { name: CallName; request: unknown }[] = [];

  readonly #scene: Scene;
  readonly #listeners = new Set<(update: Update) => void>();
  readonly #handlers: Handlers;
  #joined: boolean;

  constructor(scene: Scene = "chat", now: () => number = Date.now) {
    this.#scene = scene;
    this.#joined = scene === "chat" || scene === "signed_out";
    this.server = new FakeServer(now, (update) => this.tell(update));
    if (scene === "chat") this.server.enterAsMe();
    this.#handlers = this.#answers();
  }

  async call<K extends CallName>(name: K, request: Request<K>): Promise<Answer<K>> {
    this.calls.push({ name, request });
    await new Promise((resolve) => setTimeout(resolve, this.delay_ms));
    if (NEEDS_A_NODE.has(name) && !this.server.cluster.linked) {
      throw refusal("no_node", "No node could be reached.");
    }
    try {
      return (this.#handlers[name] as (request: Request<K>) => Answer<K>)(request);
    } catch (thrown) {
      throw asRefusal(thrown);
    }
  }

  subscribe(handler: (update: Update) => void): () => void {
    this.#listeners.add(handler);
    return () => this.#listeners.delete(handler);
  }

  tell(update: Update): void {
    for (const listener of this.#listeners) listener(update);
  }

  #join(): null {
    this.#joined = true;
    this.tell({ type: "link", link: this.server.cluster.link() });
    this.tell({ type: "cluster", health: this.server.cluster.health() });
    return null;
  }

  #places(): Place[] {
    if (this.#scene !== "first_run") return [];
    return [
      { kind: "this_computer", name: "n1, n2 and n3", nodes: ["n1", "n2", "n3"] },
      { kind: "network", name: "workshop", nodes: ["w1", "w2", "w3"] },
    ];
  }

  #enter(account: Account): Login {
    this.server.enter(account);
    return { account: { ...account }, online: this.server.cluster.linked };
  }

  #self(): Account {
    const { me } = this.server;
    if (me === null) throw refusal("not_logged_in", "Nobody is logged in.");
    return me;
  }

  #answers(): Handlers {
    const { server } = this;
    return {
      start: () => ({
        joined: this.#joined,
        accounts: this.#scene === "signed_out" || this.#scene === "chat" ? ["alice"] : [],
        version: "0.9.0",
        link: this.#joined ? server.cluster.link() : { state: "searching", trouble: null },
        signed_in: server.me === null ? null : { account: { ...server.me }, online: true },
      }),
      places: () => this.#places(),
      join: ({ code }) => {
        if (!code.trim().startsWith("five9s-")) throw refusal("code_invalid", "This is not a code of a chat.");
        return this.#join();
      },
      join_local: () => this.#join(),
      start_here: () => this.#join(),
      invite: () => ({ code: "five9s-c1-7Q4MZ-K2X9D-0TBVN-6RWEA-8HJ3P-YC5GS-1FXKZ-Q9D2M-NVB7T" }),
      create_account: ({ name, password }) => {
        if (!NAME.test(name)) throw refusal("name_invalid", "A name has letters, digits and _ . - only.");
        if (server.named(name) !== undefined) throw refusal("name_taken", `The name ${name} is taken.`);
        return this.#enter(server.create(name, password));
      },
      log_in: ({ name, password }) => {
        const account = server.named(name);
        if (account === undefined || server.passwords.get(account.id) !== password) {
          throw refusal("login_failed", "The name or the password is wrong.");
        }
        return this.#enter(account);
      },
      resume: ({ name }) => this.#enter(server.recipient({ name })),
      log_out: () => {
        server.leave();
        return null;
      },
      deletion_preview: () => server.undeliveredTo(this.#self()),
      delete_account: () => {
        const returned = server.delete(this.#self());
        server.leave();
        return { returned };
      },
      accounts: ({ prefix, after, limit }) => {
        const key = (name: string) => name.toLocaleLowerCase();
        const matching = server.accounts
          .filter((account) => !account.deleted && key(account.name).startsWith(key(prefix ?? "")))
          .sort((a, b) => (key(a.name) < key(b.name) ? -1 : 1))
          .filter((account) => after === null || key(account.name) > key(after));
        return { items: matching.slice(0, limit).map((account) => ({ ...account })), more: matching.length > limit, stale: false };
      },
      conversations: () => ({ items: server.conversations(), more: false, stale: false }),
      messages: (request) => server.messages(request.with, request.before, request.after, request.limit),
      message: ({ id }) => server.find((message) => message.id === id, null, null, 1).items[0] ?? null,
      send: ({ to, text, id }) => ({ id: server.send(to, text, id) }),
      send_draft: ({ with: account, text }) => {
        const sent = { id: server.send({ account }, text, null) };
        const kept = server.drafts.get(account) ?? "";
        if (kept.startsWith(text) && kept !== text) server.drafts.set(account, kept.slice(text.length));
        else server.drafts.delete(account);
        return sent;
      },
      pending: () => server.pending.map((each) => ({ ...each })),
      discard: ({ id }) => {
        server.pending = server.pending.filter((each) => each.id !== id || each.failed === null);
        return null;
      },
      mark_read: ({ conversation, up_to }) => {
        server.markRead(conversation, up_to);
        return null;
      },
      drafts: () => drafts(server),
      keep_draft: (draft) => {
        if (draft.text === "") server.drafts.delete(draft.with);
        else server.drafts.set(draft.with, draft.text);
        return null;
      },
      cluster: () => server.cluster.status(),
      proof: ({ cursor }) => ({
        index: cursor,
        term: server.cluster.term,
        nodes: server.cluster.status().nodes.map(({ name, reachable }) => ({ name, holds: reachable ? true : null })),
      }),
      search: ({ text, with: to, before, limit }) => server.find(containing(text), to, before, limit),
      export: ({ with: to }) => ({ path: `/home/alice/Downloads/${server.recipient(to).name}.txt` }),
      open_link: () => null,
      settings: () => ({ ...server.settings }),
      keep_settings: (settings) => {
        server.settings = { ...settings };
        return null;
      },
      tray_words: () => null,
      view: () => null,
    };
  }
}

function containing(text: string): (message: Message) => boolean {
  const words = text.toLocaleLowerCase().split(/\s+/u).filter((word) => word !== "");
  return (message) => {
    const lower = message.text.toLocaleLowerCase();
    return words.every((word) => lower.includes(word));
  };
}
