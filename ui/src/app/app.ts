// The one place that knows everyone: builds the parts in order, and hands them to the screens.

import { getContext, setContext } from "svelte";
import { asRefusal, type Backend } from "../backend";
import { sentence } from "../text/language.svelte";
import type { Link } from "../text/links";
import { Following } from "./following";
import { Announcer, Notices } from "./notices.svelte";
import { Panels } from "./panels.svelte";
import { Preferences } from "./preferences";
import { Reading } from "./reading";
import { Session } from "./session";
import { Store } from "./store.svelte";
import { Writing } from "./writing";

export class App {
  readonly backend: Backend;
  readonly store = new Store();
  readonly panels = new Panels();
  readonly notices = new Notices();
  readonly announcer = new Announcer();
  readonly session: Session;
  readonly reading: Reading;
  readonly writing: Writing;
  readonly preferences: Preferences;
  readonly #following: Following;

  constructor(backend: Backend) {
    this.backend = backend;
    this.session = new Session(backend, this.store);
    this.reading = new Reading(backend, this.store, () => this.panels.covers());
    this.writing = new Writing(backend, this.store);
    this.preferences = new Preferences(backend, this.store);
    this.#following = new Following(this.store, this.session, this.reading, this.announcer);
  }

  /** Follows what happens, and loads what there is. Answers with how to stop. */
  start(): () => void {
    const stop = this.#following.follow(this.backend);
    const focused = () => this.reading.focused();
    const blurred = () => {
      this.reading.tellView();
      this.writing.flush();
    };
    // The panel may cover the conversation now, or no longer.
    const resized = () => this.reading.tellView();
    window.addEventListener("focus", focused);
    window.addEventListener("resize", resized);
    window.addEventListener("blur", blurred);
    window.addEventListener("pagehide", blurred);
    void this.preferences.load();
    this.attempt(this.#begin());
    return () => {
      stop();
      window.removeEventListener("focus", focused);
      window.removeEventListener("resize", resized);
      window.removeEventListener("blur", blurred);
      window.removeEventListener("pagehide", blurred);
    };
  }

  async #begin(): Promise<void> {
    const start = await this.session.start();
    this.#following.waitForCalm();
    await this.session.goOn(start);
  }

  /** Says so, should it be refused. */
  attempt(promise: Promise<unknown>): void {
    promise.catch((thrown: unknown) => this.notices.say(sentence(asRefusal(thrown)), true));
  }

  /** One whose address is not what it looks like is shown first, and opened only if it is meant. */
  openLink(link: Link): void {
    if (link.odd) this.panels.open({ kind: "open_link", link });
    else this.openOutside(link.url);
  }

  openOutside(url: string): void {
    this.attempt(this.backend.call("open_link", { url }));
  }

  async copy(text: string, done: string): Promise<void> {
    await navigator.clipboard.writeText(text);
    this.notices.say(done);
  }
}

const KEY = Symbol("app");

export function provideApp(app: App): void {
  setContext(KEY, app);
}

/** For a part that is mounted by itself. */
export function contextOf(app: App): Map<unknown, unknown> {
  return new Map([[KEY, app]]);
}

export function useApp(): App {
  return getContext<App>(KEY);
}
