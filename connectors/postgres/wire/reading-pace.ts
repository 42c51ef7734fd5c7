/** So many reads in a row … */
const READS = 16;
/** … within so many milliseconds tell that the server sends each small message on its own, and we fetch it on its own. */
const HURRIED_MS = 2;
/** The shortest time that a timer knows. */
const REST_MS = 1;
/** What comes in during a rest at the least, if it is worth one. */
const WORTH_BYTES = 4 * 1024;
/** After a read of this size the next one follows at once: the event loop was busy elsewhere, which is rest enough. */
const LARGE_BYTES = 32 * 1024;

/**
 * Tells when to leave a replication socket alone for a moment. A walsender sends every message at once, and a reader with nothing
 * else to do is woken up for each: at full speed that costs the server more than decoding does. Left alone for a millisecond, the
 * receive window closes now and then, and the server's kernel sends what has gathered in one piece. Below some thousand reads a
 * second nothing rests, so a single change is never late. Measured in infra/decisions/0036-reading-rests.md, where more rest and less
 * rest did worse.
 */
export class ReadingPace {
  readonly #now: () => number;
  #reads = 0;
  #since = Number.NEGATIVE_INFINITY;
  #resting = false;

  /** @param now a monotonic clock, in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** To be called after each read. @returns for how many milliseconds to read nothing; 0: go on */
  restAfter(bytes: number): number {
    if (this.#resting) {
      this.#resting = bytes >= WORTH_BYTES;
    } else {
      this.#reads += 1;
      if (this.#reads < READS) return 0;
      const now = this.#now();
      this.#resting = now - this.#since < HURRIED_MS;
      this.#reads = 0;
      this.#since = now;
    }
    return this.#resting && bytes < LARGE_BYTES ? REST_MS : 0;
  }
}
