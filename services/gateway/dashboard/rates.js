// @ts-check
/** How many points a sparkline has, one a second. */
export const POINTS = 120;

/** Changes a second over time, from a counter that is looked at now and then. */
export class Rates {
  /** @type {{ at: number, total: number } | undefined} */
  #last;
  /** @type {number[]} */
  #points = [];

  /**
   * @param {number} total the counter
   * @param {number} at ms that never run backwards
   */
  add(total, at) {
    const last = this.#last;
    if (last !== undefined && at - last.at < 500) return;
    this.#last = { at, total };
    // A counter that fell was made anew: from there on.
    if (last === undefined || total < last.total) return;
    this.#points.push(((total - last.total) * 1000) / (at - last.at));
    if (this.#points.length > POINTS) this.#points.shift();
  }

  /** Over the last five looks; null before the second one. */
  get current() {
    const recent = this.#points.slice(-5);
    return recent.length === 0 ? null : recent.reduce((sum, point) => sum + point, 0) / recent.length;
  }

  /** Oldest first. */
  get points() {
    return this.#points;
  }
}

/**
 * A path through the points in a box of POINTS by 100, newest at the right edge.
 * @param {readonly number[]} points
 * @returns {{ line: string, area: string }}
 */
export function sparkPath(points) {
  if (points.length === 0) return { line: '', area: '' };
  const top = Math.max(1, ...points);
  const first = POINTS - points.length;
  const steps = points.map((value, index) => `${first + index},${(98 - (value / top) * 94).toFixed(1)}`);
  const line = `M${steps.join('L')}`;
  return { line, area: `${line}L${POINTS - 1},100L${first},100Z` };
}
