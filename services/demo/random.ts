/**
 * Numbers that look random and come again: the same seed gives the same county on every machine and in every run.
 * (xorshift-multiply mixing of 32-bit words; good enough for demo rows, useless for secrets.)
 */
export class SeededRandom {
  #state: number;

  /** `stream` gives independent sequences of one seed: parcel 17 does not change when parcel 16 draws a number more. */
  constructor(seed: number, stream = 0) {
    this.#state = mix(Math.imul(seed, 0x9e3779b1) ^ mix(stream + 0x7f4a7c15));
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return (mix(this.#state) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** True in `share` of all cases, 0 to 1. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  /** One of the items, each as likely as the other. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.whole(0, items.length - 1)]!;
  }

  /** One of the items by weight. */
  weighted<T>(items: readonly [readonly [number, T], ...(readonly [number, T])[]]): T {
    let rest = this.next() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of items) {
      rest -= weight;
      if (rest < 0) return item;
    }
    return items[0][1];
  }
}

function mix(value: number): number {
  let word = value | 0;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}
