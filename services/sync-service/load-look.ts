import { limitsOf } from './load-limits.ts';
import type { LoadProgress } from './load-progress.ts';
import type { Ends } from './load-unit.ts';
import type { SupervisedPair } from './ports.ts';
import type { StuckOptions, WatchedStage } from './stuck.ts';

/** A pair's load while it copies, looked at from outside. What comes before and after is the ends' work. */
export class LoadLook implements WatchedStage {
  readonly name = 'load';
  readonly subject: string;
  readonly options: StuckOptions;
  readonly #pair: SupervisedPair;
  readonly #progress: LoadProgress;
  readonly #ends: Ends;

  constructor(pair: SupervisedPair, progress: LoadProgress, ends: Ends) {
    const { env } = ends;
    this.#pair = pair;
    this.#progress = progress;
    this.#ends = ends;
    this.subject = pair.name;
    const left: StuckOptions['left'] = (error) => {
      env.control.recordState(pair, 'loading', error).catch((thrown: unknown) => {
        env.log.debug({ error: thrown }, 'That a load is stuck could not be told.');
      });
    };
    this.options = { clock: env.clock, log: env.log, healing: env.healing, ...env.stuck, left };
  }

  work(): string | undefined {
    const { rowsPerSecond, bytesPerSecond } = limitsOf(this.#pair.definition.config);
    // Held to a rate it waits on purpose.
    if (rowsPerSecond !== undefined || bytesPerSecond !== undefined) return undefined;
    const { chunksLeft } = this.#progress;
    return chunksLeft === 0 ? undefined : `${chunksLeft} chunks are to be copied`;
  }

  signs(): string {
    return String(this.#progress.told);
  }

  done(): string {
    return String(this.#progress.chunksDone);
  }

  async isAtWork(signal: AbortSignal): Promise<boolean> {
    const { source, target, context } = this.#ends;
    const asking = { ...context, signal };
    if (await target.isAtWork?.('load', this.#pair.id, asking)) return true;
    return (await source.isAtWork?.('load', asking)) ?? false;
  }
}
