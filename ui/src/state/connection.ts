// The link and the leader: what happened to them, and what people are told of it. A trouble that is over
// within a second is not mentioned; a longer one is one calm line.

import type { Health, Link } from "../backend";
import type { Connection, Notice, Reign, Takeover, Trouble } from "./state";

/** A trouble shorter than this is not worth a word. */
export const CALM_MS = 1000;

/**
 * The nodes miss a leader that falls silent within so long: what it stored up to so long before that was its last. Their own
 * limit is 1.2 s; the rest is for the way here.
 */
const MISSED_WITHIN_MS = 1500;

/** Takeovers that are remembered; older ones are of no interest. */
const TAKEOVERS_MAX = 20;

/** Whether messages can be stored now, as far as this device knows. */
export function writable(connection: Connection): boolean {
  return connection.link.state === "live" && connection.link.writable && connection.health?.writable !== false;
}

function troubled(connection: Connection): boolean {
  const { link, health } = connection;
  const leaderDead = health !== null && !health.nodes.some((node) => node.name === health.leader && node.reachable);
  return !writable(connection) || link.state !== "live" || leaderDead;
}

function noticeOf(connection: Connection, trouble: Trouble | null, at: number): Notice | null {
  if (trouble === null || at < calmUntil(trouble)) return null;
  if (connection.link.state === "searching") return "reconnecting";
  return writable(connection) ? null : "read_only";
}

/** One sum for all who ask: two ways to add up times that are no whole numbers may differ, and then nobody would look again. */
function calmUntil(trouble: Trouble): number {
  return trouble.since + CALM_MS;
}

/** Times the trouble, and finds the words for it. */
function judged(connection: Connection, at: number): Connection {
  const trouble = troubled(connection) ? (connection.trouble ?? { since: at, affected: 0 }) : null;
  return { ...connection, trouble, notice: noticeOf(connection, trouble, at) };
}

export function withLink(connection: Connection, link: Link, at: number): Connection {
  const before = connection.link;
  const left = before.state === "live" && (link.state !== "live" || link.node !== before.node);
  let { reign } = connection;
  if (left && before.node === connection.leader) reign = { ...reign, left: at };
  if (left && link.state === "searching") reign = overSince(reign, at);
  return judged({ ...connection, link, reign }, at);
}

export function withHealth(connection: Connection, health: Health, at: number, cursor: number): Connection {
  const leader = health.leader ?? connection.leader;
  const tookOver = connection.leader !== null && health.leader !== null && health.leader !== connection.leader;
  const reign = reignAfter(connection, health, at);
  const takeovers = tookOver ? appended(connection, reign, health.leader, at, cursor) : connection.takeovers;
  return judged({ ...connection, health, leader, takeovers, reign: tookOver ? serving(at) : reign }, at);
}

function serving(at: number): Reign {
  return { served: at, left: null, over: null };
}

/** What a health tells of the leader that was known before it. */
function reignAfter({ leader: known, health: before, reign }: Connection, health: Health, at: number): Reign {
  const leader = known ?? health.leader;
  if (leader === null) return reign;
  const reaches = (seen: Health | null) => seen?.nodes.some((node) => node.name === leader && node.reachable) ?? false;
  // Another node may not have noticed yet that the leader is gone: that this device lost it is not forgotten for that.
  if (health.leader === leader && reaches(health) && health.writable) return { ...serving(at), left: reign.left };
  const recent = (time: number | null) => (time !== null && at - time <= MISSED_WITHIN_MS ? time : null);
  const left = recent(reign.left);
  // Its connections broke just now: the end of a process is known at once.
  if (!reaches(health) && (before === null || reaches(before))) return overSince(reign, left ?? at);
  if (health.leader === leader) return reign;
  // It fell silent, which the nodes notice late: what it stored last counts, if that is known. Or it handed over, in no time.
  return overSince(reign, left ?? (health.leader === null ? recent(reign.served) : null));
}

/** The first sign counts. */
function overSince(reign: Reign, since: number | null): Reign {
  return reign.over === null ? { ...reign, over: { since } } : reign;
}

/** A message was stored just now: so somebody leads, and unless there was a sign of the contrary it is still the same one. */
export function withStored(connection: Connection, at: number): Connection {
  const { reign } = connection;
  return reign.over === null ? { ...connection, reign: { ...reign, served: at } } : connection;
}

function appended(connection: Connection, { over }: Reign, leader: string | null, at: number, cursor: number): readonly Takeover[] {
  const { takeovers, trouble } = connection;
  const since = over?.since ?? null;
  const takeover: Takeover = {
    id: (takeovers.at(-1)?.id ?? 0) + 1,
    leader: leader ?? "",
    silence_ms: since === null ? null : at - since,
    affected: trouble?.affected ?? 0,
    after: cursor,
  };
  return [...takeovers, takeover].slice(-TAKEOVERS_MAX);
}

export function withTick(connection: Connection, at: number): Connection {
  const notice = noticeOf(connection, connection.trouble, at);
  return notice === connection.notice ? connection : { ...connection, notice };
}

/** A message of this device was refused. */
export function withRefusedMessage(connection: Connection): Connection {
  const { trouble } = connection;
  return trouble === null ? connection : { ...connection, trouble: { ...trouble, affected: trouble.affected + 1 } };
}

/** Milliseconds until the state of the notice may change by itself; null: it will not. */
export function calmFor(connection: Connection, at: number): number | null {
  const { trouble, notice } = connection;
  if (trouble === null || notice !== null) return null;
  const until = calmUntil(trouble);
  if (at < until) return until - at;
  return noticeOf(connection, trouble, at) === null ? null : 0;
}

/** What is known of the machines from here: of none, once this device has been without any for a while. */
export function healthFromHere({ health, cluster, notice }: Connection): Health | null {
  const known = health ?? (cluster === null ? null : { leader: cluster.leader, writable: cluster.writable, nodes: cluster.nodes });
  if (known === null || notice !== "reconnecting") return known;
  return { leader: null, writable: false, nodes: known.nodes.map(({ name }) => ({ name, reachable: false })) };
}

/** Who can be reached, and how many it takes to store something. */
export interface Quorum {
  readonly reachable: readonly string[];
  readonly unreachable: readonly string[];
  readonly voters: number;
  readonly needed: number;
}

export function quorum(connection: Connection): Quorum | null {
  const nodes = healthFromHere(connection)?.nodes ?? [];
  if (nodes.length === 0) return null;
  const voters = connection.cluster?.voters ?? nodes.length;
  return {
    reachable: names(nodes.filter((node) => node.reachable)),
    unreachable: names(nodes.filter((node) => !node.reachable)),
    voters,
    needed: Math.floor(voters / 2) + 1,
  };
}

/** As people count: n2 before n10. */
function names(nodes: readonly { readonly name: string }[]): string[] {
  return nodes.map((node) => node.name).sort((one, other) => one.localeCompare(other, undefined, { numeric: true }));
}
