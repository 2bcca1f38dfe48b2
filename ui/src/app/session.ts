// Finding a chat, getting in, and leaving again.

import type { Account, Backend, Login, Start } from "../backend";
import type { Store } from "./store.svelte";

/** Accounts asked for at a time, and how many are listed at most; beyond it the filter asks the nodes. */
const ACCOUNTS_PAGE_LENGTH = 200;
const ACCOUNTS_MAX = 5000;

/** How often to look for a chat while there is none. */
const LOOK_AROUND_MS = 1000;

export class Session {
  readonly #backend: Backend;
  readonly #store: Store;
  #pendingLoads = 0;
  #looking: ReturnType<typeof setTimeout> | null = null;

  constructor(backend: Backend, store: Store) {
    this.#backend = backend;
    this.#store = store;
  }

  /** What is known without any node. */
  async start(): Promise<Start> {
    const start = await this.#backend.call("start", {});
    this.#store.dispatch({ type: "started", start, at: performance.now() });
    return start;
  }

  /** Goes on as whoever was here last, if that is clear. */
  async goOn(start: Start): Promise<void> {
    const [only] = start.accounts;
    if (start.signed_in !== null) await this.#begin();
    else if (start.joined && start.accounts.length === 1 && only !== undefined) await this.resume(only).catch(() => {});
  }

  /** Looks for chats to join until one was joined. Answers with how to stop. */
  lookAround(): () => void {
    const look = async () => {
      const places = await this.#backend.call("places", {}).catch(() => []);
      this.#store.dispatch({ type: "places_found", places });
      if (this.#looking !== null) this.#looking = setTimeout(look, LOOK_AROUND_MS);
    };
    this.#looking = setTimeout(look);
    return () => {
      if (this.#looking !== null) clearTimeout(this.#looking);
      this.#looking = null;
    };
  }

  async join(code: string): Promise<void> {
    await this.#backend.call("join", { code: code.trim() });
    this.#store.dispatch({ type: "joined" });
  }

  async joinLocal(): Promise<void> {
    await this.#backend.call("join_local", {});
    this.#store.dispatch({ type: "joined" });
  }

  async startHere(): Promise<void> {
    await this.#backend.call("start_here", {});
    this.#store.dispatch({ type: "joined" });
  }

  async create(name: string, password: string): Promise<void> {
    await this.#enter(await this.#backend.call("create_account", { name, password }));
  }

  async logIn(name: string, password: string): Promise<void> {
    await this.#enter(await this.#backend.call("log_in", { name, password }));
  }

  /** With what this device kept of an earlier login. */
  async resume(name: string): Promise<void> {
    await this.#enter(await this.#backend.call("resume", { name }));
  }

  async logOut(): Promise<void> {
    const forget = this.#store.state.me?.name ?? null;
    await this.#backend.call("log_out", {});
    this.#store.dispatch({ type: "signed_out", ended: null, forget });
  }

  async deleteAccount(): Promise<void> {
    const forget = this.#store.state.me?.name ?? null;
    await this.#backend.call("delete_account", {});
    this.#store.dispatch({ type: "signed_out", ended: null, forget });
  }

  async #enter(login: Login): Promise<void> {
    this.#store.dispatch({ type: "signed_in", login });
    await this.#begin();
  }

  /** Drafts are of this device, and are loaded once: from here on the page knows them best. */
  async #begin(): Promise<void> {
    await Promise.all([this.#loadDrafts(), this.load()]);
  }

  /** Everything that the nodes and the outbox know. What cannot be had now comes when the link is back. */
  async load(): Promise<void> {
    await Promise.all([
      this.loadConversations(),
      // Messages on their way may name their recipient, so the names come first.
      this.loadAccounts().then(() => this.loadPending()),
      this.loadCluster(),
    ]);
  }

  async loadConversations(): Promise<void> {
    const page = await this.#backend.call("conversations", {}).catch(() => null);
    if (page !== null) this.#store.dispatch({ type: "conversations_loaded", conversations: page.items });
  }

  async loadAccounts(): Promise<void> {
    const accounts: Account[] = [];
    let after: string | null = null;
    try {
      for (let more = true; more && accounts.length < ACCOUNTS_MAX; ) {
        const page: { items: Account[]; more: boolean } = await this.#backend.call("accounts", { prefix: null, after, limit: ACCOUNTS_PAGE_LENGTH });
        accounts.push(...page.items);
        after = page.items.at(-1)?.name ?? null;
        more = page.more && after !== null;
      }
    } catch {
      // Those that came are shown; the rest is asked for again when the link is back.
    }
    this.#store.dispatch({ type: "accounts_loaded", accounts });
  }

  /** Finds people beyond those that are listed. */
  async findAccounts(prefix: string): Promise<void> {
    const page = await this.#backend.call("accounts", { prefix, after: null, limit: ACCOUNTS_PAGE_LENGTH }).catch(() => null);
    if (page !== null) this.#store.dispatch({ type: "accounts_loaded", accounts: page.items });
  }

  async loadPending(): Promise<void> {
    const load = ++this.#pendingLoads;
    this.#store.dispatch({ type: "pending_loading", load });
    const pending = await this.#backend.call("pending", {}).catch(() => null);
    this.#store.dispatch({ type: "pending_loaded", load, pending });
  }

  async loadCluster(): Promise<void> {
    const cluster = await this.#backend.call("cluster", {}).catch(() => null);
    if (cluster !== null) this.#store.dispatch({ type: "cluster_loaded", cluster });
  }

  async #loadDrafts(): Promise<void> {
    const drafts = await this.#backend.call("drafts", {}).catch(() => []);
    this.#store.dispatch({ type: "drafts_loaded", drafts });
  }
}
