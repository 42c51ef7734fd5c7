import { setTimeout as delay } from 'node:timers/promises';
import { Lost } from './steady-client.ts';

/** Does one thing again and again, while servers die under it, until it is stopped. */
export class Loop {
  readonly #work: () => Promise<void>;
  readonly #pauseMs: () => number;
  readonly #lost: () => void;
  #wish: 'go' | 'rest' | 'stop' = 'go';
  #changed = Promise.withResolvers<undefined>();
  #resting = Promise.withResolvers<undefined>();
  readonly #finished: Promise<void>;

  /**
   * @param pauseMs between two times
   * @param lost called when the connection broke: whether that time has come to anything is not known
   */
  constructor(work: () => Promise<void>, pauseMs: () => number, lost: () => void = () => undefined) {
    this.#work = work;
    this.#pauseMs = pauseMs;
    this.#lost = lost;
    this.#finished = this.#run();
    // Told by whoever stops it, or has it rest.
    this.#finished.catch(() => undefined);
  }

  /** Settles once it is stopped, or has failed. */
  get ended(): Promise<void> {
    return this.#finished;
  }

  /** Resolves once nothing is under way. Rejects with what made it fail. */
  async rest(): Promise<void> {
    this.#wishFor('rest');
    await Promise.race([this.#resting.promise, this.#finished]);
  }

  goOn(): void {
    if (this.#wish === 'rest') this.#wishFor('go');
  }

  /** After what is under way. Rejects with what made it fail. */
  async stop(): Promise<void> {
    this.#wishFor('stop');
    await this.#finished;
  }

  #wishFor(wish: 'go' | 'rest' | 'stop'): void {
    if (this.#wish === 'stop') return;
    this.#wish = wish;
    if (wish === 'rest') this.#resting = Promise.withResolvers();
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers();
  }

  async #run(): Promise<void> {
    const wish = (): 'go' | 'rest' | 'stop' => this.#wish;
    while (wish() !== 'stop') {
      if (wish() === 'rest') {
        this.#resting.resolve(undefined);
        await this.#changed.promise;
        continue;
      }
      try {
        await this.#work();
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        this.#lost();
      }
      await delay(this.#pauseMs());
    }
  }
}
