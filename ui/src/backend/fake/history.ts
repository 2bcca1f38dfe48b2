// The messages of one conversation. Those from before the page was loaded are not stored but computed from
// their place, so that a hundred thousand of them cost nothing.

import type { Account } from "../index";
import { ulid, pick, scatter } from "./random";

/** What the log has of a message; its state follows from what the reader has acknowledged. */
export interface Entry {
  id: string;
  cursor: number;
  from: number;
  text: string;
  sent_at: number;
}

export interface Origin {
  /** The conversation's own number; cursors of two conversations never meet. */
  conversation: number;
  between: readonly [Account, Account];
  length: number;
  phrases: readonly string[];
  /** The time of its last message, and how much of the log came after it. */
  until: number;
  since: number;
}

/** Cursors of all conversations: a place in the log belongs to one conversation only. */
const STRIDE = 32;

/** The log's length when the page was loaded. */
export const LOG_LENGTH = 110_000 * STRIDE;

const BURST_LENGTH = 8;
const BURST_GAP_MS = 187 * 60_000;
const GAP_MS = 52_000;

export class History {
  readonly #origin: Origin;
  readonly #appended: Entry[] = [];

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  get length(): number {
    return this.#origin.length + this.#appended.length;
  }

  get last(): Entry | null {
    return this.length === 0 ? null : this.at(this.length - 1);
  }

  append(entry: Entry): void {
    this.#appended.push(entry);
  }

  at(index: number): Entry {
    const appended = this.#appended[index - this.#origin.length];
    return appended ?? this.#computed(index);
  }

  #computed(index: number): Entry {
    const { conversation, between, length, phrases, until, since } = this.#origin;
    const fromEnd = length - 1 - index;
    const cursor = LOG_LENGTH - (since + fromEnd + 1) * STRIDE + conversation;
    const burst = Math.floor(fromEnd / BURST_LENGTH);
    const jitter = scatter(conversation, index) % 30_000;
    const sender = between[scatter(conversation, index >> 1) & 1] ?? between[0];
    return {
      id: ulid(cursor),
      cursor,
      from: sender.id,
      text: pick(phrases, conversation + 7, index),
      sent_at: until - burst * BURST_GAP_MS - (fromEnd % BURST_LENGTH) * GAP_MS - jitter,
    };
  }

  /** How many of its messages are at or before that place of the log. */
  countUpTo(cursor: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.at(middle).cursor <= cursor) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  find(cursor: number): Entry | null {
    const index = this.countUpTo(cursor) - 1;
    const entry = index >= 0 ? this.at(index) : null;
    return entry?.cursor === cursor ? entry : null;
  }
}
