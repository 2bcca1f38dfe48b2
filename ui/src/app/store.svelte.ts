// The state, and the one way to change it.

import type { Event } from "../state/event";
import { reduce } from "../state/reduce";
import { INITIAL, type State } from "../state/state";

export class Store {
  state = $state.raw<State>(INITIAL);

  dispatch(event: Event): void {
    this.state = reduce(this.state, event);
  }
}
