// The fake as the back end of a page. The address chooses where it begins (`?scene=first_run`); tests and the
// curious change the weather through `window.five9s`.

import { FakeBackend, type Scene } from "./backend";
import type { Refusal } from "../index";

/** What can be done to the fake chat from outside. */
export class Weather {
  readonly #backend: FakeBackend;

  constructor(backend: FakeBackend) {
    this.#backend = backend;
  }

  kill(node: string): void {
    this.#backend.server.cluster.kill(node);
  }

  revive(node: string): void {
    this.#backend.server.cluster.revive(node);
  }

  lagBehind(node: string, entries: number): void {
    this.#backend.server.cluster.lag(node, entries);
  }

  /** Someone writes to the account that is logged in. */
  receive(from: string, ...texts: string[]): void {
    for (const text of texts) this.#backend.server.receive(from, text);
  }

  readBy(name: string): void {
    this.#backend.server.readBy(name);
  }

  presence(name: string, active: boolean): void {
    this.#backend.server.setActive(name, active);
  }

  remove(name: string): void {
    this.#backend.server.delete(this.#backend.server.recipient({ name }));
  }

  /** The next message that is sent is refused for good. */
  refuseNext(refusal: Refusal): void {
    this.#backend.server.refuseNext = refusal;
  }

  /** Every call takes that long from now on. */
  slow(delay_ms: number): void {
    this.#backend.delay_ms = delay_ms;
  }

  lag(): void {
    this.#backend.tell({ type: "lagged" });
  }

  endSession(): void {
    this.#backend.server.leave();
    this.#backend.tell({ type: "session_ended", refusal: { code: "session_invalid", message: "The session ended." } });
  }

  notificationClicked(from: string): void {
    const conversation = this.#backend.server.conversations().find((each) => each.with.name === from);
    if (conversation !== undefined) this.#backend.tell({ type: "open", conversation: conversation.id });
  }

  get calls(): FakeBackend["calls"] {
    return this.#backend.calls;
  }
}

declare global {
  interface Window {
    five9s?: Weather;
  }
}

const SCENES: readonly Scene[] = ["chat", "first_run", "nothing_found", "signed_out"];

export function open(): FakeBackend {
  const asked = new URLSearchParams(location.search).get("scene");
  const backend = new FakeBackend(SCENES.find((scene) => scene === asked) ?? "chat");
  window.five9s = new Weather(backend);
  return backend;
}
