// The one door to the back end. Nothing outside this folder knows what is behind it: Tauri, a WebSocket, or
// the fake.

import type { Calls, Message, Page, Refusal, Update } from "./bindings";

export type * from "./bindings";

/** What the screens can do with and without: a back end that lacks it does not say that it supports it. */
interface OptionalCalls {
  search: { request: { text: string; before: number | null; limit: number }; answer: Page<Message> };
}

type KnownCalls = Calls & Omit<OptionalCalls, keyof Calls>;

export type CallName = keyof KnownCalls;
export type Request<K extends CallName> = KnownCalls[K]["request"];
export type Answer<K extends CallName> = KnownCalls[K]["answer"];

export interface Backend {
  /** Rejects with a {@link Refusal}, and with nothing else. */
  call<K extends CallName>(name: K, request: Request<K>): Promise<Answer<K>>;
  /** Every update from now on, in order. Answers with how to stop. */
  subscribe(handler: (update: Update) => void): () => void;
  /** What this back end can do; the screens leave out what it cannot. */
  readonly supports: ReadonlySet<CallName>;
}

/** What went wrong, in the form that people can be told, whatever was thrown. */
export function asRefusal(thrown: unknown): Refusal {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown) {
    return { code: String(thrown.code), message: String(thrown.message) };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "internal", message };
}
