/** How many looks a series keeps: five minutes at one a second. */
export const POINTS = 300;

/** Looks closer to each other than this tell nothing new, in ms. */
const CLOSEST = 500;
/** How many points the current rate is the mean of. */
const RECENT = 5;

/** One look: when (seconds since 1970), changes a second since the look before, age of what the target lacks. */
export interface Point {
  readonly at: number;
  readonly rate: number;
  readonly lag: number | null;
}

/** Rate and lag over time, from a counter that is looked at now and then. */
export class Series {
  #last: { readonly at: number; readonly total: number } | undefined;
  readonly #points: Point[] = [];

  /** @param at ms since 1970 */
  add(total: number, lag: number | null, at: number): void {
    const last = this.#last;
    if (last !== undefined && at - last.at < CLOSEST) return;
    this.#last = { at, total };
    // A counter that fell was made anew: from there on.
    if (last === undefined || total < last.total) return;
    this.push({ at: at / 1000, rate: ((total - last.total) * 1000) / (at - last.at), lag });
  }

  push(point: Point): void {
    this.#points.push(point);
    if (this.#points.length > POINTS) this.#points.shift();
  }

  /** Over the last looks; null before the second one. */
  get rate(): number | null {
    const recent = this.#points.slice(-RECENT);
    return recent.length === 0 ? null : recent.reduce((sum, { rate }) => sum + rate, 0) / recent.length;
  }

  /** Oldest first. */
  get points(): readonly Point[] {
    return this.#points;
  }
}
