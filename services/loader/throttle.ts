import type { Clock } from '#connectors/contract/context.ts';

/** Seconds' worth that may go at once after a pause. */
const BURST_SECONDS = 0.25;

/** Holds a load to so many rows and bytes a second, over all its connections together. (Promise 7) */
export class Throttle {
  readonly #clock: Clock;
  readonly #rows: number;
  readonly #bytes: number;
  /** When what was let through would be through at the wanted rate, in ms. */
  #paidUntil = -Infinity;

  /** A limit that is undefined does not limit. */
  constructor(clock: Clock, limits: { readonly rows: number | undefined; readonly bytes: number | undefined }) {
    this.#clock = clock;
    this.#rows = limits.rows ?? Infinity;
    this.#bytes = limits.bytes ?? Infinity;
  }

  /** Resolves when the next rows may come, after these. */
  async passed(rows: number, bytes: number, signal: AbortSignal): Promise<void> {
    const seconds = Math.max(rows / this.#rows, bytes / this.#bytes);
    if (seconds === 0) return;
    const now = this.#clock.monotonic();
    this.#paidUntil = Math.max(this.#paidUntil, now - BURST_SECONDS * 1000) + seconds * 1000;
    if (this.#paidUntil > now) await this.#clock.sleep(this.#paidUntil - now, signal);
  }
}
