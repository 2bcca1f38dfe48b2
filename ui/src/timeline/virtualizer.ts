// The library that decides which rows are in the page, behind what the timeline needs of it. Nothing else
// imports it, so that another could take its place.

import { elementScroll, observeElementOffset, observeElementRect, Virtualizer, defaultRangeExtractor } from "@tanstack/virtual-core";

export interface Keyed {
  readonly key: string;
}

/** A row that is in the page. */
export interface Placed {
  readonly key: string;
  readonly index: number;
  readonly top: number;
}

/** What of the rows is in view. */
export interface View {
  readonly first: number;
  readonly last: number;
  readonly atEnd: boolean;
}

export interface Rows {
  readonly rows: readonly Keyed[];
  /** Rows added at the end are followed, if the end is in view. */
  readonly follow: boolean;
  /** A row that stays in the page wherever it is: the one that has the focus. */
  readonly kept: string | null;
}

/** So near to the end counts as being there, in pixels. */
const END_THRESHOLD_PX = 40;

/** Rows beyond either edge, so that a fast wheel meets no blank. */
const OVERSCAN = 10;

const ROW_HEIGHT_ESTIMATE_PX = 32;
const PADDING_START_PX = 20;
const PADDING_END_PX = 14;

export class TimelineVirtualizer {
  readonly #core: Virtualizer<HTMLElement, HTMLElement>;
  readonly #element: () => HTMLElement | null;
  readonly #changed: () => void;

  constructor(element: () => HTMLElement | null, changed: () => void) {
    this.#element = element;
    this.#changed = changed;
    this.#core = new Virtualizer(this.#options({ rows: [], follow: true, kept: null }));
  }

  #options({ rows, follow, kept }: Rows) {
    return {
      count: rows.length,
      // The keys of the rows of *this* update. Were they read from what is current, the old and the new ones
      // would look the same to the core, and it would find no anchor.
      getItemKey: (index: number) => rows[index]?.key ?? index,
      getScrollElement: this.#element,
      estimateSize: () => ROW_HEIGHT_ESTIMATE_PX,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: this.#changed,
      overscan: OVERSCAN,
      paddingStart: PADDING_START_PX,
      paddingEnd: PADDING_END_PX,
      anchorTo: "end" as const,
      followOnAppend: follow,
      scrollEndThreshold: END_THRESHOLD_PX,
      rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
        const inView = defaultRangeExtractor(range);
        const index = kept === null ? -1 : rows.findIndex((row) => row.key === kept);
        return index === -1 || inView.includes(index) ? inView : [...inView, index].sort((a, b) => a - b);
      },
    };
  }

  /** Has to be called before the page is changed: see the timeline. */
  beforeUpdate(rows: Rows): void {
    this.#core.setOptions(this.#options(rows));
  }

  /** Has to be called after the page was changed. */
  afterUpdate(): void {
    this.#core._willUpdate();
  }

  mount(): () => void {
    const unmount = this.#core._didMount();
    this.#core._willUpdate();
    return unmount;
  }

  measure(row: HTMLElement): void {
    this.#core.measureElement(row);
  }

  placed(): Placed[] {
    return this.#core.getVirtualItems().map(({ key, index, start }) => ({ key: String(key), index, top: start }));
  }

  height(): number {
    return this.#core.getTotalSize();
  }

  /** Of the page itself: the core hears of a new height or position a moment later. */
  atEnd(): boolean {
    const element = this.#element();
    return element !== null && element.scrollHeight - element.clientHeight - element.scrollTop <= END_THRESHOLD_PX;
  }

  /** Pixels that are out of view, above and below. */
  hidden(): { above: number; below: number } {
    return { above: this.#core.scrollOffset ?? 0, below: this.#core.getDistanceFromEnd() };
  }

  /** The first and the last row of which something is in view. */
  inView(): { first: number; last: number } | null {
    const element = this.#element();
    const top = this.#core.scrollOffset ?? 0;
    const first = this.#core.getVirtualItemForOffset(top);
    const last = this.#core.getVirtualItemForOffset(top + (element?.clientHeight ?? 0) - PADDING_END_PX);
    return first && last ? { first: first.index, last: last.index } : null;
  }

  toEnd(): void {
    this.#core.scrollToEnd();
  }

  toRow(index: number, align: "start" | "center" | "auto"): void {
    this.#core.scrollToIndex(index, { align });
  }
}
