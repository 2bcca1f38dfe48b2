// The one door to the back end. Nothing outside this folder knows what is behind it: Tauri, a WebSocket, or
// the fake.

import type { Calls, Refusal, Update } from "./bindings";

export type * from "./bindings";

export type CallName = keyof Calls;
export type Request<K extends CallName> = Calls[K]["request"];
export type Answer<K extends CallName> = Calls[K]["answer"];

export interface Backend {
  /** Rejects with a {@link Refusal}, and with nothing else. */
  call<K extends CallName>(name: K, request: Request<K>): Promise<Answer<K>>;
  /** Every update from now on, in order. Answers with how to stop. */
  subscribe(handler: (update: Update) => void): () => void;
}

/** What went wrong, in the form that people can be told, whatever was thrown. */
export function asRefusal(thrown: unknown): Refusal {
  if (typeof thrown === "object" && thrown !== null && "code" in thrown && "message" in thrown) {
    return { code: String(thrown.code), message: String(thrown.message) };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "internal", message };
}
