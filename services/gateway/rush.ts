/** So many within a second are a rush. */
const MANY = 10;
const WINDOW = 1000;
/** Names that are counted, at most; of the others it is not known. (Promise 6) */
const COUNTED = 1000;

interface Count {
  readonly since: number;
  asks: number;
}

/** Tells whether many ask for the same: only then is it worth it to answer with what was known a moment ago. */
export class Rush {
  readonly #counts = new Map<string, Count>();

  /** Counts one more who asks for it. @param now by a clock that never runs backwards, in ms */
  has(name: string, now: number): boolean {
    let count = this.#counts.get(name);
    if (count === undefined || now - count.since > WINDOW) {
      // Who has asked many times is in a rush until he has not for a second.
      const lasts = count !== undefined && count.asks > MANY && now - count.since <= 2 * WINDOW;
      count = { since: now, asks: lasts ? MANY : 0 };
      this.#counts.delete(name);
      this.#counts.set(name, count);
      if (this.#counts.size > COUNTED) this.#counts.delete(this.#counts.keys().next().value!);
    }
    count.asks += 1;
    return count.asks > MANY;
  }
}
