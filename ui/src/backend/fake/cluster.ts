// Three nodes that can die. It knows who leads, whom the app is linked to, and what it would be told of that.

import type { Cluster, Health, Link, Update } from "../index";

interface FakeNode {
  name: string;
  id: number;
  reachable: boolean;
  lag: number;
  disk_free: number;
}

/** How long the others take to notice that their leader is gone and to vote. */
const ELECTION_MS = 820;

/** How long the app takes to move to the node that it has ready. */
const MOVE_MS = 90;

export class FakeCluster {
  readonly #nodes: FakeNode[];
  readonly #tell: (update: Update) => void;
  #leader: string | null;
  #linked: string | null;
  #term = 7;

  constructor(names: readonly string[], tell: (update: Update) => void) {
    this.#nodes = names.map((name, index) => ({
      name,
      id: index + 1,
      reachable: true,
      lag: 0,
      disk_free: 41_300_000_000 + index * 9_700_000_000,
    }));
    this.#tell = tell;
    this.#leader = names[0] ?? null;
    this.#linked = names[1] ?? null;
  }

  get term(): number {
    return this.#term;
  }

  get writable(): boolean {
    return this.#leader !== null && this.#reachable().length >= this.#needed();
  }

  /** Whether anything can be asked at all. */
  get linked(): boolean {
    return this.#linked !== null;
  }

  kill(name: string): void {
    this.#node(name).reachable = false;
    if (this.#leader === name) this.#loseLeader();
    this.#checkQuorum();
    if (this.#linked === name) this.#loseLink();
    this.#announce();
  }

  revive(name: string): void {
    const node = this.#node(name);
    node.reachable = true;
    node.lag = 0;
    if (this.#leader === null) this.#electLater();
    if (this.#linked === null) this.#linkLater();
    this.#announce();
  }

  /** A node that is alive and behind by so many entries. */
  lag(name: string, entries: number): void {
    this.#node(name).lag = entries;
  }

  status(): Cluster {
    const reachable = this.#reachable().length;
    return {
      nodes: this.#nodes.map((node) => ({
        name: node.name,
        role: !node.reachable ? "unknown" : node.name === this.#leader ? "leader" : "follower",
        reachable: node.reachable,
        lag: node.reachable ? node.lag : null,
        version: node.reachable ? "0.9.0" : null,
        disk_free: node.reachable ? node.disk_free : null,
        node_id: node.id,
        addresses: [`/ip4/192.168.1.${20 + node.id}/tcp/12340`],
      })),
      leader: this.#leader,
      voters: this.#nodes.length,
      reachable_voters: reachable,
      can_lose: Math.max(0, reachable - this.#needed()),
      writable: this.writable,
      epoch: 1,
      answered_by: this.#linked ?? "",
      term: this.#term,
    };
  }

  health(): Health {
    const nodes = this.#nodes.map(({ name, reachable }) => ({ name, reachable }));
    return { leader: this.#leader, writable: this.writable, nodes };
  }

  link(): Link {
    if (this.#linked === null) {
      return { state: "searching", trouble: { code: "no_node", message: "No node could be reached." } };
    }
    const warm = this.#reachable().find((node) => node.name !== this.#linked);
    return { state: "live", node: this.#linked, warm: warm?.name ?? null, writable: this.writable };
  }

  #node(name: string): FakeNode {
    const node = this.#nodes.find((each) => each.name === name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  #reachable(): FakeNode[] {
    return this.#nodes.filter((node) => node.reachable);
  }

  #needed(): number {
    return Math.floor(this.#nodes.length / 2) + 1;
  }

  #loseLeader(): void {
    this.#leader = null;
    this.#electLater();
  }

  #checkQuorum(): void {
    if (this.#reachable().length < this.#needed()) this.#leader = null;
  }

  #electLater(): void {
    setTimeout(() => {
      const candidates = this.#reachable();
      if (this.#leader !== null || candidates.length < this.#needed()) return;
      // Nobody who died a moment ago comes first again.
      const elected = candidates.at(-1);
      this.#leader = elected?.name ?? null;
      this.#term += 1;
      this.#announce();
    }, ELECTION_MS);
  }

  #loseLink(): void {
    this.#linked = null;
    this.#linkLater();
  }

  #linkLater(): void {
    setTimeout(() => {
      if (this.#linked !== null) return;
      this.#linked = this.#reachable()[0]?.name ?? null;
      if (this.#linked !== null) this.#announce();
    }, MOVE_MS);
  }

  /** What a client is told: of the others only through the node that it is linked to. */
  #announce(): void {
    this.#tell({ type: "link", link: this.link() });
    if (this.#linked !== null) this.#tell({ type: "cluster", health: this.health() });
  }
}
