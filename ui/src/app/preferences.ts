// The settings, and what they do to the page.

import type { Backend, Settings } from "../backend";
import { speak } from "../text/language.svelte";
import type { Store } from "./store.svelte";

export const ZOOM_MIN = 0.5;
export const ZOOM_MAX = 2;
const ZOOM_STEP = 0.1;

export class Preferences {
  readonly #backend: Backend;
  readonly #store: Store;

  constructor(backend: Backend, store: Store) {
    this.#backend = backend;
    this.#store = store;
  }

  async load(): Promise<void> {
    const settings = await this.#backend.call("settings", {}).catch(() => null);
    if (settings !== null) this.#apply(settings);
  }

  change(change: Partial<Settings>): void {
    const settings = { ...this.#store.state.settings, ...change };
    this.#apply(settings);
    void this.#backend.call("keep_settings", settings).catch(() => {});
  }

  /** By a step; 0: back to 100 %. */
  zoom(steps: -1 | 0 | 1): void {
    const wanted = steps === 0 ? 1 : this.#store.state.settings.zoom + steps * ZOOM_STEP;
    this.change({ zoom: Math.round(Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, wanted)) * 100) / 100 });
  }

  #apply(settings: Settings): void {
    this.#store.dispatch({ type: "settings_changed", settings });
    const page = document.documentElement;
    page.dataset.theme = settings.theme;
    // Every length of the style sheets is in rem, so this is all it takes.
    page.style.fontSize = `${settings.zoom * 100}%`;
    speak(settings.language);
  }
}
