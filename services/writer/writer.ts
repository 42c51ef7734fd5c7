import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ColumnsRead, ColumnsRequest } from '#connectors/contract/source.ts';
import type { Applied, BatchOutcome, Target } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import type { Position } from '#schemas/position.ts';
import { Backoff, reconnectPolicy } from '#services/kernel/retry.ts';
import type { ReadyBlock } from './batch.ts';
import type { IsLoaded } from './held-tables.ts';
import type { NewTable, SchemaChange, SourceCatalog } from './schema-gate.ts';
import { Repetition } from './repetition.ts';
import { Session } from './session.ts';

export type { ReadyBlock } from './batch.ts';

/** How long batches in flight may take to finish once the stage is asked to stop, in milliseconds; then their connection is cut. */
const DRAIN_WITHIN_MS = 10_000;

export interface WriterOptions {
  readonly pairId: string;
  readonly target: Target;
  readonly topic: string;
  /** Called before each connection to the target, which is opened once it has resolved. */
  before?(context: ConnectorContext): Promise<void>;
  /** Ready blocks from what the target holds on; some from before it do no harm. Called again after every interruption. */
  open(from: Applied, signal: AbortSignal): AsyncIterable<ReadyBlock>;
  storeDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
  /** How changes of the source's tables are followed; left out, they are not. */
  readonly schema?: SchemaOptions;
  readonly observer: WriterObserver;
  /** Whether it connects again by itself after an error that heals; left out: it does. Else the error is thrown, for whoever runs the stage. */
  readonly goesOn?: (error: TerraFusionError) => boolean;
  readonly drainWithinMs?: number;
}

/** How changes of the source's tables are followed. */
export interface SchemaOptions {
  readonly definition: PairDefinition;
  readonly catalog: SourceCatalog;
  /** See {@link Target.openWriter}. */
  readonly readAgain: (request: ColumnsRequest) => Promise<ColumnsRead | undefined>;
  /** Returns when the change may be made. @throws {TerraFusionError} SCHEMA_CHANGE_NEEDS_APPROVAL when it has to wait */
  decide(change: SchemaChange): Promise<void>;
  /** The target has committed what was decided up to this position. */
  applied(position: Position): Promise<void>;
  /** The stream tells of a table that the target does not have; see {@link NewTable}. May be called again with the same one. */
  readonly newTable: NewTable;
  /** See {@link IsLoaded}; left out: nothing was. */
  readonly isLoaded?: IsLoaded;
  /** `applied` has failed; the stream goes on. */
  failedToTell(error: unknown): void;
}

/** What the supervisor and the metrics want to know; per batch. */
export interface WriterObserver {
  /** The target was asked, and holds this. */
  opened(held: Applied): void;
  /**
   * The target holds `applied`. `outcome`: of everything since the last call. `lastCommitTime`: of the last source transaction in it,
   * µs since 1970.
   */
  committed(applied: Applied, outcome: BatchOutcome, lastCommitTime: number, timing: BatchTiming): void;
  /** The target has taken a part of a transaction that is not committed yet. */
  taken?(): void;
  /** The stage tries again by itself. */
  interrupted(error: TerraFusionError, waitMs: number): void;
}

/** When what a target has committed was committed at the source, and how long it took here. */
export interface BatchTiming {
  /** Of the last source transaction of each block of the batch, µs since 1970. */
  readonly commitTimes: readonly number[];
  /** From giving the target transaction's first batch to the target until its commit, in seconds. */
  readonly seconds: number;
}

/**
 * Applies ready blocks to one target, several source transactions at a time, never a part of one. The target is the checkpoint:
 * rows and position are in one transaction there, and every start begins by asking for it. (Promises 2, 3 and 5)
 */
export class WriterStage {
  readonly #options: WriterOptions;
  readonly #repetition = new Repetition();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Runs until the signal is aborted, or the blocks end; batches in flight are finished then. What heals is tried again with back-off.
   * @throws {TerraFusionError} what does not heal: PAIR_HISTORY_LOST, TARGET_NO_PRIVILEGE, TARGET_TABLE_MISSING …
   */
  async run(context: ConnectorContext): Promise<void> {
    const { signal } = context;
    const cut = new AbortController();
    const finished = new AbortController();
    const drain = (): void => {
      context.clock.sleep(this.#options.drainWithinMs ?? DRAIN_WITHIN_MS, finished.signal).then(
        () => {
          cut.abort();
        },
        () => undefined,
      );
    };
    signal.addEventListener('abort', drain, { once: true });
    try {
      await this.#sessions({ ...context, signal: cut.signal }, signal);
    } finally {
      signal.removeEventListener('abort', drain);
      finished.abort();
    }
  }

  async #sessions(context: ConnectorContext, stop: AbortSignal): Promise<void> {
    const backoff = new Backoff(reconnectPolicy);
    const stopping = () => stop.aborted;
    while (!stopping()) {
      const session = new Session({
        options: this.#options,
        context,
        stop,
        repetition: this.#repetition,
        progressed: () => {
          backoff.reset();
        },
      });
      try {
        await session.run();
        return;
      } catch (thrown) {
        const error = asTerraFusionError(thrown);
        if (stopping()) {
          context.log.warn(
            { pair: this.#options.pairId, code: error.code, error },
            'The writer was interrupted while it stopped; it goes on from what the target holds at the next start.',
          );
          return;
        }
        if (error.code === 'TARGET_CONSTRAINT') {
          this.#repeat(error, session, context);
          continue;
        }
        if (!error.heals || this.#options.goesOn?.(error) === false) throw error;
        const waitMs = backoff.next();
        this.#options.observer.interrupted(error, waitMs);
        await context.clock.sleep(waitMs, stop).catch(() => undefined);
      }
    }
  }

  #repeat(error: TerraFusionError, { sent }: Session, { log }: ConnectorContext): void {
    const manner = sent && this.#repetition.failed(sent);
    if (manner === undefined) {
      // Change by change, each looked at by itself, no batch fails as a whole: it must not come to this again and again.
      throw new TerraFusionError('TARGET_STATEMENT_FAILED', error.message, { cause: error, details: error.details });
    }
    log.info(
      { pair: this.#options.pairId, mode: manner.mode, error },
      `A batch met a constraint and is repeated ${manner.mode === 'set' ? 'block by block' : 'change by change'}.`,
    );
  }
}
