// Who is there when the page is loaded, and how much they have said.

import type { Account } from "../index";
import { History } from "./history";
import { ARABIC_PHRASES, LONG_PHRASES, PHRASES } from "./phrases";

/** Everybody's password, unless they set one themselves. */
export const PASSWORD = "correct horse";

const NAMES = [
  "alice", "bob", "carol", "dmitri", "سلمى", "Zoë", "erin", "frank", "grace", "heidi", "ivan", "judy",
  "łukasz", "mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter",
  "A-name-of-exactly-32-characters_", "李雷",
] as const;

const INACTIVE = new Set(["carol", "heidi", "ivan", "mallory", "rupert", "walter", "Zoë"]);

/** The account that is logged in when the page begins in the chat. */
export const ME = "alice";

export interface Talk {
  id: number;
  between: readonly [Account, Account];
  history: History;
  /** By account: up to where its devices have it, and up to where it was read. */
  delivered: Map<number, number>;
  read: Map<number, number>;
}

export function everybody(now: number): Account[] {
  return NAMES.map((name, index) => ({
    id: index + 1,
    name,
    active: !INACTIVE.has(name),
    deleted: false,
    created_at: now - (400 - index) * 86_400_000,
  }));
}

interface Seed {
  name: string;
  length: number;
  minutesAgo: number;
  unread: number;
  phrases: readonly string[];
}

const MINUTE_MS = 60_000;

const TALKS: readonly Seed[] = [
  { name: "bob", length: 340, minutesAgo: 3, unread: 0, phrases: PHRASES },
  { name: "carol", length: 100_000, minutesAgo: 26, unread: 0, phrases: PHRASES },
  { name: "dmitri", length: 57, minutesAgo: 41, unread: 5, phrases: PHRASES },
  { name: "سلمى", length: 24, minutesAgo: 70, unread: 2, phrases: ARABIC_PHRASES },
  { name: "Zoë", length: 9, minutesAgo: 26 * 60, unread: 0, phrases: LONG_PHRASES },
  { name: "erin", length: 12, minutesAgo: 3 * 24 * 60, unread: 0, phrases: PHRASES },
];

export function talks(accounts: readonly Account[], now: number): Talk[] {
  const named = (name: string) => accounts.find((account) => account.name === name)!;
  const me = named(ME);
  return TALKS.map((seed, index) => {
    const between = [me, named(seed.name)] as const;
    const until = now - seed.minutesAgo * MINUTE_MS;
    const history = new History({ conversation: index + 1, between, length: seed.length, phrases: seed.phrases, until, since: seed.minutesAgo });
    const end = history.last?.cursor ?? 0;
    const partner = between[1];
    return {
      id: index + 1,
      between,
      history,
      delivered: new Map([[me.id, end], [partner.id, partner.active ? end : 0]]),
      read: new Map([[me.id, readUpTo(history, seed.unread)], [partner.id, partner.active ? end : 0]]),
    };
  });
}

/** So that this many messages, counted from the end, are unread. */
function readUpTo(history: History, unread: number): number {
  return history.length > unread ? history.at(history.length - 1 - unread).cursor : 0;
}
