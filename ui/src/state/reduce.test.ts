import { describe, expect, it } from "vitest";
import type { Account, Conversation, Health, Link, Message, Update } from "../backend";
import { sendState } from "./outbox";
import { calmFor, healthFromHere, quorum } from "./connection";
import { unreadTotal } from "./conversations";
import { neighbour, people } from "./people";
import { reduce } from "./reduce";
import { timelineRows } from "./rows";
import { transcript } from "../timeline/transcript";
import { INITIAL, type State } from "./state";
import type { Event } from "./event";

const alice: Account = { id: 1, name: "alice", active: true, deleted: false, created_at: 0 };
const bob: Account = { id: 2, name: "bob", active: true, deleted: false, created_at: 0 };
const carol: Account = { id: 3, name: "carol", active: false, deleted: false, created_at: 0 };
const NOON = new Date(2026, 10, 22, 12).getTime();
const LIVE: Link = { state: "live", node: "n1", warm: "n2", writable: true };
const SEARCHING: Link = { state: "searching", trouble: null };
const REFUSAL = { code: "account_deleted", message: "The account was deleted." };

function message(cursor: number, from = bob, to = alice, more: Partial<Message> = {}): Message {
  return { id: `id${cursor}`, cursor, conversation: 9, from, to, text: `m${cursor}`, sent_at: NOON + cursor, state: "stored", ...more };
}

function conversation(more: Partial<Conversation> = {}): Conversation {
  return { id: 9, with: bob, length: 0, unread: 0, read_up_to: 0, last: null, ...more };
}

function health(leader: string | null, reachable: readonly string[], writable = leader !== null): Health {
  return { leader, writable, nodes: ["n1", "n2", "n3"].map((name) => ({ name, reachable: reachable.includes(name) })) };
}

function play(state: State, ...events: Event[]): State {
  return events.reduce(reduce, state);
}

function told(state: State, ...updates: Update[]): State {
  return play(state, ...updates.map((update): Event => ({ type: "update", update, at: 0 })));
}

function page(from: number, to: number, more: boolean): { items: Message[]; more: boolean; stale: boolean } {
  const items: Message[] = [];
  for (let cursor = from; cursor <= to; cursor++) items.push(message(cursor));
  return { items, more, stale: false };
}

const chatting = play(
  INITIAL,
  { type: "started", start: { joined: true, accounts: ["alice"], version: "1", link: LIVE, signed_in: { account: alice, online: true } }, at: 0 },
  { type: "accounts_loaded", accounts: [alice, bob, carol] },
  { type: "conversations_loaded", conversations: [] },
);
const beforeBob = play(chatting, { type: "opened", with: bob.id });
const withBob = play(beforeBob, { type: "window_loaded", with: bob.id, before: page(1, 3, false), after: null, target: null });

function cursors(state: State): number[] {
  return state.windows.get(bob.id)?.messages.map((each) => each.cursor) ?? [];
}

describe("stages", () => {
  it("asks for a chat first, then for an account", () => {
    const start = { joined: false, accounts: [], version: "1", link: SEARCHING, signed_in: null };
    const state = play(INITIAL, { type: "started", start, at: 0 });
    expect(state.stage).toBe("welcome");
    expect(play(state, { type: "joined" }).stage).toBe("account");
  });

  it("goes back to the login when the session ends, and says why", () => {
    const state = told(withBob, { type: "session_ended", refusal: REFUSAL });
    expect(state.stage).toBe("account");
    expect(state.ended).toBe(REFUSAL);
    expect(state.conversations.size + state.windows.size + state.drafts.size).toBe(0);
    expect(state.remembered).toEqual(["alice"]);
  });
});

describe("messages", () => {
  it("are ordered by the log, never by the clock", () => {
    const early = message(5, bob, alice, { sent_at: NOON - 86_400_000 });
    const state = told(withBob, { type: "message", message: message(6) }, { type: "message", message: early });
    expect(cursors(state)).toEqual([1, 2, 3, 5, 6]);
  });

  it("are there once, however often they are told", () => {
    const state = told(withBob, { type: "message", message: message(4) }, { type: "message", message: message(4) });
    expect(cursors(state)).toEqual([1, 2, 3, 4]);
    expect(state.conversations.get(bob.id)?.unread).toBe(1);
  });

  it("that come while their page is under way are kept behind it", () => {
    const opened = play(chatting, { type: "opened", with: bob.id }, { type: "window_loading", with: bob.id, part: "whole" });
    const state = play(told(opened, { type: "message", message: message(4) }), { type: "window_loaded", with: bob.id, before: page(1, 3, false), after: null, target: null });
    expect(cursors(state)).toEqual([1, 2, 3, 4]);
  });

  it("of a conversation that is not open are counted, and not loaded", () => {
    const state = told(chatting, { type: "message", message: message(4) });
    expect(state.windows.size).toBe(0);
    expect(unreadTotal(state)).toBe(1);
  });

  it("advance from stored to delivered to read, and never back", () => {
    const own = told(withBob, { type: "message", message: message(4, alice, bob) });
    const read = told(own, { type: "read", cursor: 5, conversation: 9, by: bob.id, up_to: 4 });
    const late = told(read, { type: "delivered", cursor: 6, conversation: 9, by: bob.id, up_to: 4 }, { type: "message", message: message(4, alice, bob) });
    expect(late.windows.get(bob.id)?.messages.at(-1)?.state).toBe("read");
    expect(late.conversations.get(bob.id)?.last?.state).toBe("read");
  });

  it("that come from a page, an answer or a list know what the feed told before", () => {
    const sent = message(4, alice, bob);
    const delivered = { type: "delivered", cursor: 5, conversation: 9, by: bob.id, up_to: 4 } as const;
    const inWindow = (state: State) => state.windows.get(bob.id)?.messages.find((each) => each.cursor === 4)?.state;
    const asked = told(told(beforeBob, delivered), { type: "message", message: sent });
    const answered = { ...page(1, 3, false), items: [...page(1, 3, false).items, sent] };
    expect(inWindow(asked)).toBe("delivered");
    const whole = { type: "window_loaded", with: bob.id, before: answered, after: null, target: null } as const;
    expect(inWindow(play(asked, whole))).toBe("delivered");
    const fresh = told(beforeBob, delivered);
    expect(inWindow(play(fresh, whole))).toBe("delivered");
    expect(inWindow(play(fresh, { type: "window_extended", with: bob.id, part: "newer", page: answered }))).toBe("delivered");
    const listed = conversation({ length: 4, read_up_to: 3, last: sent });
    const list = play(told(INITIAL, delivered), { type: "conversations_loaded", conversations: [listed] });
    expect(list.conversations.get(bob.id)?.last?.state).toBe("delivered");
  });

  it("that come late from a page are returned, where the account is deleted", () => {
    const gone = told(beforeBob, { type: "returned", cursor: 6, conversation: 9, by: { ...bob, deleted: true }, after: 3, returned: 1 });
    const items = [message(3, alice, bob), message(4, alice, bob)];
    const state = play(gone, { type: "window_loaded", with: bob.id, before: { ...page(1, 2, false), items }, after: null, target: null });
    expect(state.windows.get(bob.id)?.messages.map((each) => each.state)).toEqual(["stored", "returned"]);
  });

  it("that were received do not change by what the other one reads", () => {
    const state = told(withBob, { type: "message", message: message(4) }, { type: "read", cursor: 5, conversation: 9, by: bob.id, up_to: 4 });
    expect(state.windows.get(bob.id)?.messages.at(-1)?.state).toBe("stored");
  });

  it("to an account that was deleted are returned, unless they had reached it", () => {
    const sent = told(withBob, { type: "message", message: message(4, alice, bob) }, { type: "message", message: message(5, alice, bob) });
    const state = told(sent, { type: "returned", cursor: 6, conversation: 9, by: { ...bob, deleted: true }, after: 4, returned: 1 });
    expect(state.windows.get(bob.id)?.messages.slice(-2).map((each) => each.state)).toEqual(["stored", "returned"]);
    expect(state.accounts.get(bob.id)?.deleted).toBe(true);
  });
});

describe("windows", () => {
  it("grow by pages at both ends", () => {
    const middle = play(withBob, { type: "window_loaded", with: bob.id, before: page(500, 699, true), after: page(700, 899, true), target: 699 });
    const state = play(
      middle,
      { type: "window_extended", with: bob.id, part: "older", page: page(300, 499, false) },
      { type: "window_extended", with: bob.id, part: "newer", page: page(900, 1000, false) },
    );
    expect([cursors(state)[0], cursors(state).at(-1), cursors(state).length]).toEqual([300, 1000, 701]);
    expect(state.windows.get(bob.id)).toMatchObject({ older: false, newer: false, loading: null });
  });

  it("hold 2,000 messages at most, and drop the end that is farther away", () => {
    let state = play(withBob, { type: "window_loaded", with: bob.id, before: page(9_801, 10_000, true), after: null, target: null });
    for (let first = 9_601; first > 7_600; first -= 200) {
      state = play(state, { type: "window_extended", with: bob.id, part: "older", page: page(first, first + 199, true) });
    }
    expect([cursors(state)[0], cursors(state).at(-1)]).toEqual([7_601, 9_600]);
    expect(state.windows.get(bob.id)?.newer).toBe(true);
    state = play(state, { type: "window_extended", with: bob.id, part: "newer", page: page(9_601, 9_800, true) });
    expect([cursors(state)[0], cursors(state).at(-1)]).toEqual([7_801, 9_800]);
    expect(state.windows.get(bob.id)?.older).toBe(true);
  });

  it("leave out a live message behind a gap, but count it", () => {
    const gap = play(withBob, { type: "window_loaded", with: bob.id, before: page(1, 200, false), after: page(201, 400, true), target: 200 });
    const state = told(gap, { type: "message", message: message(9_000) });
    expect(cursors(state).at(-1)).toBe(400);
    expect(state.open?.arrived).toBe(1);
  });

  it("drop their first message for a live one while the end is followed, and their last while it is not", () => {
    const full = play(withBob, { type: "window_loaded", with: bob.id, before: page(1, 2_000, false), after: null, target: null });
    const following = told(full, { type: "message", message: message(2_001) });
    expect([cursors(following)[0], cursors(following).at(-1)]).toEqual([2, 2_001]);
    const reading = told(play(full, { type: "followed", following: false }), { type: "message", message: message(2_001) });
    expect([cursors(reading)[0], cursors(reading).at(-1), reading.windows.get(bob.id)?.newer]).toEqual([1, 2_000, true]);
  });

  it("are kept for the six conversations opened last", () => {
    const many = [2, 3, 4, 5, 6, 7, 2, 8].map((id): Event => ({ type: "opened", with: id }));
    expect([...play(chatting, ...many).windows.keys()]).toEqual([4, 5, 6, 7, 2, 8]);
  });
});

describe("sending", () => {
  const pending = { id: "p1", to: { account: bob.id }, text: "hi", queued_at: NOON, failed: null };
  const queued = told(withBob, { type: "queued", pending });

  it("shows a message as soon as it is in the outbox", () => {
    expect(timelineRows(queued, bob.id).at(-1)).toMatchObject({ kind: "outgoing", state: "sending" });
  });

  it("knows a message sent by name, too", () => {
    const state = told(withBob, { type: "queued", pending: { ...pending, to: { name: "bob" } } });
    expect(state.outbox.map((each) => each.to)).toEqual([bob.id]);
  });

  it("turns into a stored message with the same row, once", () => {
    const stored: Update = { type: "stored", id: "p1", conversation: 9, cursor: 7, to: bob.id, sent_at: NOON, recipient_active: true };
    const before = timelineRows(queued, bob.id).at(-1)?.key;
    const state = told(queued, stored, { type: "message", message: message(7, alice, bob, { id: "p1", text: "hi" }) });
    const rows = timelineRows(state, bob.id).filter((row) => row.key === before);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ kind: "message", own: true, message: { state: "stored", text: "hi" } });
    expect(state.outbox).toEqual([]);
  });

  it("is settled by the feed as well, should that be first", () => {
    const state = told(queued, { type: "message", message: message(7, alice, bob, { id: "p1" }) });
    expect(state.outbox).toEqual([]);
    expect(state.conversations.get(bob.id)?.unread).toBe(0);
  });

  it("keeps what was refused, with the reason, below everything else", () => {
    const state = told(queued, { type: "failed", id: "p1", refusal: REFUSAL }, { type: "message", message: message(8) });
    expect(timelineRows(state, bob.id).at(-1)).toMatchObject({ kind: "outgoing", state: "failed", outgoing: { text: "hi", failed: REFUSAL } });
    expect(play(state, { type: "discarded", id: "p1" }).outbox).toEqual([]);
  });

  it("puts what was refused and is sent again behind what waits, once", () => {
    const other = { ...pending, id: "p2", text: "next" };
    const refused = told(queued, { type: "failed", id: "p1", refusal: REFUSAL }, { type: "queued", pending: other });
    const again = told(refused, { type: "queued", pending }, { type: "queued", pending });
    expect(again.outbox.map((each) => [each.id, each.failed])).toEqual([["p2", null], ["p1", null]]);
  });

  it("says queued without a link, unconfirmed if a node may have it", () => {
    const offline = told(withBob, { type: "link", link: SEARCHING }, { type: "queued", pending });
    expect(offline.outbox.map((each) => sendState(each, offline.connection))).toEqual(["queued"]);
    const lost = told(queued, { type: "link", link: SEARCHING });
    expect(lost.outbox.map((each) => sendState(each, lost.connection))).toEqual(["unconfirmed"]);
    const back = told(offline, { type: "link", link: LIVE });
    expect(back.outbox.map((each) => sendState(each, back.connection))).toEqual(["sending"]);
  });

  it("believes what it heard while the outbox was asked for, and not the older answer", () => {
    const pending = (id: string) => ({ id, to: { account: bob.id }, text: id, queued_at: NOON, failed: null });
    const stored = (id: string, cursor: number): Update =>
      ({ type: "stored", id, conversation: 9, cursor, to: bob.id, sent_at: NOON, recipient_active: true });
    const asked = play(withBob, { type: "pending_loading", load: 1 });
    const heard = told(
      asked,
      { type: "message", message: message(4, alice, bob, { id: "p1" }) },
      stored("p1", 4),
      stored("p2", 5),
      { type: "queued", pending: pending("p4") },
    );
    const answered = play(heard, { type: "pending_loaded", load: 1, pending: ["p1", "p2", "p3"].map(pending) });
    expect(answered.outbox.map((each) => each.id)).toEqual(["p3", "p4"]);
    const keys = timelineRows(answered, bob.id).map((row) => row.key);
    expect(new Set(keys).size).toBe(keys.length);
    const later = play(answered, { type: "pending_loading", load: 2 }, { type: "pending_loaded", load: 2, pending: [pending("p4")] });
    expect(later.outbox.map((each) => each.id)).toEqual(["p4"]);
  });

  it("shows what was refused while the outbox was asked for, in its place", () => {
    const pending = (id: string) => ({ id, to: { account: bob.id }, text: id, queued_at: NOON, failed: null });
    const heard = told(play(withBob, { type: "pending_loading", load: 1 }), { type: "failed", id: "p1", refusal: REFUSAL });
    const answered = play(heard, { type: "pending_loaded", load: 1, pending: ["p1", "p2"].map(pending) });
    expect(answered.outbox.map((each) => [each.id, each.failed])).toEqual([["p1", REFUSAL], ["p2", null]]);
  });

  it("believes the newest answer about the outbox alone", () => {
    const pending = (id: string) => ({ id, to: { account: bob.id }, text: id, queued_at: NOON, failed: null });
    const twice = play(withBob, { type: "pending_loading", load: 1 }, { type: "pending_loading", load: 2 });
    const heard = told(twice, { type: "stored", id: "p1", conversation: 9, cursor: 4, to: bob.id, sent_at: NOON, recipient_active: true });
    const old = play(heard, { type: "pending_loaded", load: 1, pending: [pending("p1")] });
    expect(old.outbox).toEqual([]);
    expect(play(old, { type: "pending_loaded", load: 2, pending: [pending("p1"), pending("p2")] }).outbox.map((each) => each.id)).toEqual(["p2"]);
    expect(play(heard, { type: "pending_loaded", load: 2, pending: null }).outboxLoad).toBeNull();
  });

  it("has no message twice in a timeline, should an outbox be behind", () => {
    const behind = play(withBob, { type: "pending_loading", load: 1 }, { type: "pending_loaded", load: 1, pending: [{ id: "id3", to: { account: bob.id }, text: "m3", queued_at: NOON, failed: null }] });
    expect(timelineRows(behind, bob.id).map((row) => row.key)).toEqual(["message:id1", "message:id2", "message:id3"]);
  });

  it("keeps the order of the outbox", () => {
    const second = { ...pending, id: "p2", queued_at: NOON - 1000 };
    const state = told(queued, { type: "queued", pending: second });
    const ids = timelineRows(state, bob.id).map((row) => row.key).slice(-2);
    expect(ids).toEqual(["message:p1", "message:p2"]);
  });
});

describe("unread", () => {
  const unread = play(chatting, { type: "conversations_loaded", conversations: [conversation({ unread: 2, read_up_to: 1, last: message(3), length: 3 })] });

  it("is marked at where reading stopped, and stays until it is dismissed", () => {
    let state = play(unread, { type: "opened", with: bob.id }, { type: "window_loaded", with: bob.id, before: page(1, 3, false), after: null, target: null });
    state = play(state, { type: "read_marked", with: bob.id, up_to: 3 });
    expect(timelineRows(state, bob.id).map((row) => row.unread)).toEqual([false, true, false]);
    expect(timelineRows(play(state, { type: "divider_dismissed" }), bob.id).some((row) => row.unread)).toBe(false);
  });

  it("falls by what is read here or on another device, and never rises by it", () => {
    const state = told(unread, { type: "read", cursor: 4, conversation: 9, by: alice.id, up_to: 3 });
    expect(unreadTotal(state)).toBe(0);
    expect(unreadTotal(play(state, { type: "read_marked", with: bob.id, up_to: 2 }))).toBe(0);
  });

  it("counts what is left when only a part was read", () => {
    const open = play(unread, { type: "opened", with: bob.id }, { type: "window_loaded", with: bob.id, before: page(1, 3, false), after: null, target: null });
    expect(unreadTotal(play(open, { type: "read_marked", with: bob.id, up_to: 2 }))).toBe(1);
  });

  it("is not raised by a replay of what the list counts already, nor by own messages", () => {
    const state = told(unread, { type: "message", message: message(2) }, { type: "message", message: message(3) }, { type: "message", message: message(4, alice, bob) });
    expect(unreadTotal(state)).toBe(2);
  });

  it("keeps what the feed told while the list was under way", () => {
    const state = play(told(unread, { type: "message", message: message(4) }), { type: "conversations_loaded", conversations: [conversation({ unread: 2, read_up_to: 1, last: message(3) })] });
    expect(unreadTotal(state)).toBe(3);
  });

  it("counts arrivals while the end is out of view", () => {
    const state = told(play(withBob, { type: "followed", following: false }), { type: "message", message: message(4) }, { type: "message", message: message(5) });
    expect(state.open?.arrived).toBe(2);
    expect(play(state, { type: "followed", following: true }).open?.arrived).toBe(0);
  });
});

describe("trouble with the nodes", () => {
  const at = (state: State, time: number, update: Update) => reduce(state, { type: "update", update, at: time });
  const well = at(withBob, 0, { type: "cluster", health: health("n1", ["n1", "n2", "n3"]) });

  it("is not mentioned in its first second", () => {
    const lost = at(well, 5_000, { type: "link", link: SEARCHING });
    expect(lost.connection.notice).toBeNull();
    expect(calmFor(lost.connection, 5_000)).toBe(1_000);
    expect(reduce(lost, { type: "tick", at: 5_999 }).connection.notice).toBeNull();
    expect(reduce(lost, { type: "tick", at: 6_000 }).connection.notice).toBe("reconnecting");
  });

  it("is mentioned at last, whatever the clock's fractions", () => {
    for (let from = 0; from < 20_000; from += 7.1) {
      // What a clock of that origin says a second later, by another sum than ours.
      const since = from + 0.000_000_000_000_5;
      const lost = at(well, since, { type: "link", link: SEARCHING });
      const looked = reduce(lost, { type: "tick", at: from + 1_000 });
      const left = calmFor(looked.connection, from + 1_000);
      expect(looked.connection.notice !== null || left !== null, `from ${from}`).toBe(true);
    }
  });

  it("is timed from its beginning, through everything that follows", () => {
    const lost = at(well, 5_000, { type: "link", link: SEARCHING });
    const elsewhere = at(lost, 5_400, { type: "link", link: { state: "live", node: "n2", warm: null, writable: false } });
    expect(reduce(elsewhere, { type: "tick", at: 6_000 }).connection.notice).toBe("read_only");
  });

  it("is over as soon as it is over", () => {
    const lost = reduce(at(well, 5_000, { type: "link", link: SEARCHING }), { type: "tick", at: 9_000 });
    const back = at(lost, 9_100, { type: "link", link: LIVE });
    expect(back.connection).toMatchObject({ notice: null, trouble: null });
    expect(calmFor(back.connection, 9_100)).toBeNull();
  });

  it("with no machine in reach counts none, though the last that was heard was better", () => {
    const lost = at(at(well, 0, { type: "cluster", health: health("n1", ["n1", "n2"]) }), 10, { type: "link", link: SEARCHING });
    expect(healthFromHere(lost.connection)?.nodes.filter((node) => node.reachable).length).toBe(2);
    const later = reduce(lost, { type: "tick", at: 1_010 });
    expect(healthFromHere(later.connection)).toEqual(health(null, []));
  });

  it("without a quorum names the machines, and how many it takes", () => {
    const seen = health(null, ["n2"], false);
    const alone = at(well, 0, { type: "cluster", health: { ...seen, nodes: [...seen.nodes].reverse() } });
    expect(quorum(alone.connection)).toEqual({ reachable: ["n2"], unreachable: ["n1", "n3"], voters: 3, needed: 2 });
    expect(reduce(alone, { type: "tick", at: 1_000 }).connection.notice).toBe("read_only");
  });

  it("ends in a quiet line when another node takes over", () => {
    let state = at(well, 1_000, { type: "cluster", health: health(null, ["n2", "n3"]) });
    state = at(state, 1_800, { type: "cluster", health: health("n2", ["n2", "n3"]) });
    expect(state.connection.takeovers).toEqual([{ id: 1, leader: "n2", silence_ms: 800, affected: 0, after: state.cursor }]);
    expect(timelineRows(state, bob.id).at(-1)).toMatchObject({ kind: "takeover" });
  });

  describe("names the time that the takeover took", () => {
    const cluster = (leader: string | null, reachable: readonly string[], writable = leader !== null): Update => ({ type: "cluster", health: health(leader, reachable, writable) });
    const linkTo = (node: string, writable = true): Update => ({ type: "link", link: { state: "live", node, warm: "n3", writable } });
    const after = (...steps: [time: number, update: Update][]) =>
      steps.reduce((state, [time, update]) => at(state, time, update), well).connection.takeovers.map(({ leader, silence_ms }) => ({ leader, silence_ms }));
    const stored: Update = { type: "stored", id: "p1", conversation: 9, cursor: 7, to: bob.id, sent_at: NOON, recipient_active: true };

    it("from when the leader's process ended, seen by another node", () => {
      expect(after([0, linkTo("n2")], [5_000, cluster("n1", ["n2", "n3"], false)], [5_900, cluster(null, ["n2", "n3"])], [5_960, cluster("n2", ["n2", "n3"])])).toEqual([
        { leader: "n2", silence_ms: 960 },
      ]);
    });

    it("from when the link to the leader was lost, though nobody says that nobody leads", () => {
      expect(after([0, linkTo("n1")], [5_000, linkTo("n2")], [6_010, cluster("n2", ["n1", "n2", "n3"])])).toEqual([{ leader: "n2", silence_ms: 1_010 }]);
      expect(after([0, linkTo("n1")], [5_000, { type: "link", link: SEARCHING }], [5_020, linkTo("n3", false)], [6_100, cluster("n3", ["n2", "n3"])])).toEqual([
        { leader: "n3", silence_ms: 1_100 },
      ]);
    });

    it("from the first sign, whatever comes after it", () => {
      expect(after([0, linkTo("n1")], [5_000, linkTo("n2")], [5_020, cluster("n1", ["n2", "n3"], false)], [6_000, cluster(null, ["n2", "n3"])], [6_050, cluster("n2", ["n2", "n3"])])).toEqual([
        { leader: "n2", silence_ms: 1_050 },
      ]);
    });

    it("from the loss, though another node has not noticed it yet (as seen with real nodes)", () => {
      const seen = after(
        [0, linkTo("n1")],
        [5_000, linkTo("n3")],
        [5_093, linkTo("n3", false)],
        [5_095, cluster("n1", ["n2", "n3"], false)],
        [5_098, linkTo("n2")],
        [5_098, cluster("n1", ["n1", "n2", "n3"])],
        [5_118, linkTo("n2", false)],
        [5_118, cluster("n1", ["n2", "n3"], false)],
        [5_815, linkTo("n2", true)],
        [5_815, cluster("n1", ["n2", "n3"], true)],
        [5_908, linkTo("n2", false)],
        [5_908, cluster("n2", ["n2", "n3"], false)],
        [5_926, linkTo("n2")],
        [5_926, cluster("n2", ["n2", "n3"])],
      );
      expect(seen).toEqual([{ leader: "n2", silence_ms: 908 }]);
    });

    it("from the last message that it stored, where it fell silent and the nodes noticed late", () => {
      expect(after([4_000, stored], [5_000, cluster(null, ["n1", "n2", "n3"])], [5_020, cluster("n2", ["n1", "n2", "n3"])])).toEqual([{ leader: "n2", silence_ms: 1_020 }]);
    });

    it("and leaves it out where nobody can tell", () => {
      const silent: [number, Update][] = [[50_000, cluster(null, ["n1", "n2", "n3"])], [50_020, cluster("n2", ["n1", "n2", "n3"])]];
      expect(after(...silent)).toEqual([{ leader: "n2", silence_ms: null }]);
      expect(after([4_000, stored], ...silent), "stored long before").toEqual([{ leader: "n2", silence_ms: null }]);
      expect(after([0, linkTo("n1")], [50_000, cluster(null, ["n1", "n2", "n3"])], [50_010, linkTo("n2")], [50_020, cluster("n2", ["n2", "n3"])]), "a later sign").toEqual([{ leader: "n2", silence_ms: null }]);
      expect(after([4_900, stored], [5_000, cluster("n2", ["n1", "n2", "n3"])]), "handed over").toEqual([{ leader: "n2", silence_ms: null }]);
    });

    it("anew for each leader", () => {
      const [, second] = after([5_000, cluster("n1", ["n2", "n3"], false)], [6_000, cluster("n2", ["n2", "n3"])], [9_000, cluster("n2", ["n1", "n3"], false)], [9_700, cluster("n3", ["n1", "n3"])]);
      expect(second).toEqual({ leader: "n3", silence_ms: 700 });
    });
  });

  it("counts the messages that were refused meanwhile", () => {
    let state = told(well, { type: "queued", pending: { id: "p1", to: { account: bob.id }, text: "hi", queued_at: 0, failed: null } });
    state = at(state, 1_000, { type: "cluster", health: health(null, ["n2", "n3"]) });
    state = at(state, 1_100, { type: "failed", id: "p1", refusal: REFUSAL });
    state = at(state, 1_200, { type: "cluster", health: health("n3", ["n2", "n3"]) });
    expect(state.connection.takeovers[0]?.affected).toBe(1);
  });

  it("says nothing of the first leader it hears of, nor of the same one again", () => {
    const same = at(at(well, 1, { type: "cluster", health: health(null, ["n1", "n2", "n3"]) }), 2, { type: "cluster", health: health("n1", ["n1", "n2", "n3"]) });
    expect(same.connection.takeovers).toEqual([]);
  });
});

describe("the timeline's rows", () => {
  const rowsOf = (...messages: Message[]) => {
    const before = { items: messages, more: false, stale: false };
    return timelineRows(play(chatting, { type: "opened", with: bob.id }, { type: "window_loaded", with: bob.id, before, after: null, target: null }), bob.id);
  };

  it("name a sender once for what follows within five minutes", () => {
    const rows = rowsOf(message(1), message(2), message(3, bob, alice, { sent_at: NOON + 400_000 }), message(4, alice, bob, { sent_at: NOON + 400_001 }));
    expect(rows.map((row) => row.kind === "message" && row.heads)).toEqual([true, false, true, true]);
  });

  it("begin each day with its name, and each day with a sender", () => {
    const rows = rowsOf(message(1, bob, alice, { sent_at: NOON - 86_400_000 }), message(2), message(3));
    expect(rows.map((row) => row.day !== null)).toEqual([true, true, false]);
    expect(rows[0]?.beginning).toBe(true);
  });

  it("are copied as when, who and what, and a message's further lines cannot pose as another", () => {
    const at = new Date(2026, 10, 22, 9, 5, 7).getTime();
    const rows = rowsOf(message(1, bob, alice, { sent_at: at, text: "one\n[2026-11-22 09:05:07] alice: I owe you" }), message(2, alice, bob, { sent_at: at, text: "two" }));
    expect(transcript(rows, "alice")).toBe("[2026-11-22 09:05:07] bob: one\n    [2026-11-22 09:05:07] alice: I owe you\n[2026-11-22 09:05:07] alice: two");
  });

  it("have one line for all takeovers between the same two messages", () => {
    let state = play(chatting, { type: "opened", with: bob.id }, { type: "window_loaded", with: bob.id, before: page(1, 3, false), after: null, target: null });
    const takeover = (id: number, after: number) => ({ id, leader: `n${id}`, silence_ms: 1, affected: 0, after });
    state = { ...state, connection: { ...state.connection, takeovers: [takeover(1, 1), takeover(2, 2), takeover(3, 2), takeover(4, 3), takeover(5, 3)] } };
    const rows = timelineRows(state, bob.id);
    expect(rows.map((row) => (row.kind === "takeover" ? row.takeovers.map(({ id }) => id) : row.kind))).toEqual(["message", [1], "message", [2, 3], "message", [4, 5]]);
    const keys = rows.map((row) => row.key);
    state = { ...state, connection: { ...state.connection, takeovers: [...state.connection.takeovers, takeover(6, 3)] } };
    expect(timelineRows(state, bob.id).map((row) => row.key)).toEqual(keys);
  });

  it("have no takeover that lies in a part which is not loaded", () => {
    let state = play(chatting, { type: "opened", with: bob.id }, { type: "window_loaded", with: bob.id, before: page(100, 200, true), after: null, target: null });
    state = { ...state, connection: { ...state.connection, takeovers: [{ id: 1, leader: "n2", silence_ms: 1, affected: 0, after: 50 }, { id: 2, leader: "n3", silence_ms: 1, affected: 0, after: 150 }] } };
    const rows = timelineRows(state, bob.id);
    expect(rows.filter((row) => row.kind === "takeover").map((row) => row.key)).toEqual(["takeover:2"]);
    expect(rows.findIndex((row) => row.kind === "takeover")).toBe(51);
  });
});

describe("people", () => {
  const talking = told(chatting, { type: "message", message: message(4) });

  it("are listed by conversation first, without oneself", () => {
    const listed = people(talking, "");
    expect(listed.conversations.map((row) => row.account.name)).toEqual(["bob"]);
    expect(listed.others.map((row) => row.account.name)).toEqual(["carol"]);
  });

  it("are found by a part of their name in any case", () => {
    expect(people(talking, "AR").others.map((row) => row.account.name)).toEqual(["carol"]);
    expect(people(talking, "zzz")).toEqual({ conversations: [], others: [] });
  });

  it("keep their conversation when they are deleted, and go from the rest", () => {
    const state = told(talking, { type: "account", account: { ...bob, deleted: true }, change: "deleted" }, { type: "account", account: { ...carol, deleted: true }, change: "deleted" });
    expect(people(state, "").conversations[0]?.account.deleted).toBe(true);
    expect(people(state, "").others).toEqual([]);
  });

  it("show their draft, until it is sent", () => {
    const drafted = play(talking, { type: "draft_changed", draft: { with: bob.id, text: "well" } });
    expect(people(drafted, "").conversations[0]?.draft).toBe("well");
    expect(play(drafted, { type: "draft_changed", draft: { with: bob.id, text: "" } }).drafts.size).toBe(0);
  });

  it("can be walked through, round the end, and by unread alone", () => {
    expect(neighbour(talking, 1, false)).toBe(bob.id);
    const open = play(talking, { type: "opened", with: bob.id });
    expect(neighbour(open, 1, false)).toBe(carol.id);
    expect(neighbour(open, -1, false)).toBe(carol.id);
    expect(neighbour(play(talking, { type: "opened", with: carol.id }), 1, true)).toBe(bob.id);
  });
});
