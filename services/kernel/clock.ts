/** Time comes in through the constructor, so that tests move it by hand. */
export interface Clock {
  /** Milliseconds since 1970, wall clock. */
  now(): number;
  /** Milliseconds that never run backwards; only differences mean something. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  // Not that of node:timers/promises: it makes an error of its own of each reason, and waits are given up by the hundred a second.
  sleep: (ms, signal) => {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', aborted);
        resolve();
      }, ms);
      const aborted = (): void => {
        clearTimeout(timer);
        reject(signal!.reason as Error);
      };
      signal?.addEventListener('abort', aborted, { once: true });
    });
  },
};

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** A clock that a test moves by hand. Sleeps resolve in the order in which they fall due; equals in the order they were begun. */
export class ManualClock implements Clock {
  #now: number;
  #elapsed = 0;
  readonly #sleepers: Sleeper[] = [];
  readonly #watchers: { readonly count: number; readonly resolve: () => void }[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const sleeper: Sleeper = {
        due: this.#elapsed + Math.max(0, ms),
        wake: () => {
          signal?.removeEventListener('abort', aborted);
          resolve();
        },
      };
      const aborted = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      const after = this.#sleepers.findIndex((other) => other.due > sleeper.due);
      this.#sleepers.splice(after === -1 ? this.#sleepers.length : after, 0, sleeper);
      this.#tellWatchers();
    });
  }

  /** Sleeps under way. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Resolves once at least `count` sleeps are under way: the code under test has come to rest. */
  async untilSleeping(count = 1): Promise<void> {
    if (this.#sleepers.length >= count) return;
    await new Promise<void>((resolve) => this.#watchers.push({ count, resolve }));
  }

  /** Moves time on by `ms` and wakes what fell due. A sleep that a woken one begins counts from the new time; see {@link elapse}. */
  advance(ms: number): void {
    const until = this.#elapsed + ms;
    while (this.#sleepers.length > 0 && this.#sleepers[0]!.due <= until) {
      const sleeper = this.#sleepers.shift()!;
      this.#moveTo(sleeper.due);
      sleeper.wake();
    }
    this.#moveTo(until);
  }

  /** Like {@link advance}, but lets woken code run at the moment it was due, so that what sleeps again is woken again. */
  async elapse(ms: number): Promise<void> {
    const until = this.#elapsed + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#sleepers[0];
      if (next === undefined || next.due > until) break;
      this.advance(next.due - this.#elapsed);
    }
    this.#moveTo(until);
  }

  #moveTo(elapsed: number): void {
    if (elapsed <= this.#elapsed) return;
    this.#now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }

  #tellWatchers(): void {
    for (const watcher of this.#watchers.filter(({ count }) => count <= this.#sleepers.length)) {
      this.#watchers.splice(this.#watchers.indexOf(watcher), 1);
      watcher.resolve();
    }
  }
}
