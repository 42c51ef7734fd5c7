import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied, BatchOutcome, Target, TargetBatch, TargetWriter } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import { BlockQueue } from '#services/kernel/block-queue.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { Backoff, reconnectPolicy } from '#services/kernel/retry.ts';
import { BatchBuilder } from './batch.ts';

/** Bytes of blocks in one batch, and in the queue behind the batches in flight. (Promise 6) */
const BATCH_BYTES = 4 * 1024 * 1024;
/** Two keep the target busy: while one commits, the next one's rows arrive. */
const IN_FLIGHT = 2;

/** A block that has been through the chain, and where the topic goes on after it. */
export interface ReadyBlock {
  readonly bytes: Buffer;
  readonly nextOffset: bigint;
}

export interface WriterOptions {
  readonly pairId: string;
  readonly target: Target;
  readonly topic: string;
  /** Ready blocks from what the target holds on; some from before it do no harm. Called again after every interruption. */
  open(from: Applied, signal: AbortSignal): AsyncIterable<ReadyBlock>;
  storeDeadLetters(letters: readonly DeadLetter[]): Promise<void>;
  readonly observer: WriterObserver;
}

/** What the supervisor and the metrics want to know; per batch. */
export interface WriterObserver {
  /** The target was asked, and holds this. */
  opened(held: Applied): void;
  /** The target holds `applied`. `lastCommitTime`: of the batch's last source transaction, µs since 1970. */
  committed(applied: Applied, outcome: BatchOutcome, lastCommitTime: number): void;
  /** The stage tries again by itself. */
  interrupted(error: TerraFusionError, waitMs: number): void;
}

/**
 * Applies ready blocks to one target, several source transactions at a time, never a part of one. The target is the checkpoint:
 * rows and position are in one transaction there, and every start begins by asking for it. (Promises 2, 3 and 5)
 */
export class WriterStage {
  readonly #options: WriterOptions;
  /** Until this position batches are repeated change by change: a set-based one met a constraint. */
  #orderedThrough: Position | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Runs until the signal is aborted; batches in flight are finished then. What heals is tried again with back-off.
   * @throws {TerraFusionError} what does not heal: PAIR_HISTORY_LOST, TARGET_NO_PRIVILEGE, TARGET_TABLE_MISSING …
   */
  async run(context: ConnectorContext): Promise<void> {
    const backoff = new Backoff(reconnectPolicy);
    const stopping = () => context.signal.aborted;
    while (!stopping()) {
      const session = new Session(this.#options, context, this.#orderedThrough, () => {
        backoff.reset();
      });
      try {
        await session.run();
      } catch (thrown) {
        const error = asTerraFusionError(thrown);
        if (stopping()) return;
        if (error.code === 'TARGET_CONSTRAINT' && session.set) {
          context.log.info(
            { pair: this.#options.pairId, error },
            'A batch met a constraint and is repeated change by change.',
          );
          this.#orderedThrough = session.sent;
          continue;
        }
        // Change by change it must not come to this again and again.
        if (error.code === 'TARGET_CONSTRAINT') {
          throw new TerraFusionError('TARGET_STATEMENT_FAILED', error.message, {
            cause: error,
            details: error.details,
          });
        }
        if (!error.heals) throw error;
        const waitMs = backoff.next();
        this.#options.observer.interrupted(error, waitMs);
        await context.clock.sleep(waitMs, context.signal).catch(() => undefined);
      }
      if (this.#orderedThrough && session.isPast(this.#orderedThrough)) this.#orderedThrough = undefined;
    }
  }
}

/** One connection to the target, from asking what it holds to the first failure. */
class Session {
  readonly #options: WriterOptions;
  readonly #context: ConnectorContext;
  readonly #progressed: () => void;
  readonly #queue = new BlockQueue<ReadyBlock>(BATCH_BYTES);
  readonly #inFlight: Promise<void>[] = [];
  #ordered: Position | undefined;
  #committed: Position | undefined;
  #failure: unknown;
  /** Position up to which batches were given to the target. */
  sent: Position | undefined;

  constructor(
    options: WriterOptions,
    context: ConnectorContext,
    ordered: Position | undefined,
    progressed: () => void,
  ) {
    this.#options = options;
    this.#context = context;
    this.#ordered = ordered;
    this.#progressed = progressed;
  }

  /** Whether the batches in flight are set-based. */
  get set(): boolean {
    return this.#ordered === undefined;
  }

  isPast(position: Position): boolean {
    return this.#committed !== undefined && comparePositions(this.#committed, position) >= 0;
  }

  async run(): Promise<void> {
    const { target, pairId, observer } = this.#options;
    await using writer = await target.openWriter(pairId, this.#context);
    const { held } = writer;
    if (!held)
      throw new TerraFusionError(
        'PAIR_HISTORY_LOST',
        'The target holds no position of this pair: it was never loaded, or somebody removed it',
      );
    observer.opened(held);
    this.#committed = held.position;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, stop.signal]);
    const pumping = this.#pump(held, signal);
    try {
      await this.#apply(writer, held);
    } finally {
      stop.abort();
      this.#queue.end();
      await Promise.allSettled(this.#inFlight);
      await pumping;
    }
  }

  async #pump(held: Applied, signal: AbortSignal): Promise<void> {
    try {
      for await (const block of this.#options.open(held, signal)) {
        if (signal.aborted) break;
        await this.#queue.put(block);
      }
      this.#queue.end();
    } catch (error) {
      this.#queue.end(error);
    }
  }

  async #apply(writer: TargetWriter, held: Applied): Promise<void> {
    const builder = new BatchBuilder(held, this.#options.topic);
    const stopping = () => this.#context.signal.aborted;
    while (!stopping()) {
      await this.#room();
      const blocks = await this.#queue.take(BATCH_BYTES);
      this.#throwFailure();
      if (blocks.length === 0 || stopping()) break;
      const batch = builder.build(blocks, this.set ? 'set' : 'ordered');
      if (batch) this.#send(writer, batch.batch, batch.lastCommitTime, held.overlayUntil);
    }
    await Promise.all(this.#inFlight);
    this.#throwFailure();
  }

  /** Waits until another batch may be given to the target; change by change one at a time. */
  async #room(): Promise<void> {
    while (this.#inFlight.length >= (this.set ? IN_FLIGHT : 1)) await this.#inFlight[0];
    this.#throwFailure();
    if (this.#ordered && this.isPast(this.#ordered)) this.#ordered = undefined;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #send(writer: TargetWriter, batch: TargetBatch, lastCommitTime: number, overlayUntil: bigint): void {
    this.sent = batch.last;
    crashPoint(crashPoints.WRITER_BEFORE_COMMIT);
    const applying = writer
      .apply(batch, async (letters) => {
        // Promise 2: a change that does not reach the target is a dead letter before the position moves past it.
        await this.#options.storeDeadLetters(letters);
        crashPoint(crashPoints.WRITER_DEAD_LETTERS_STORED_NOT_COMMITTED);
      })
      .then(
        (outcome) => {
          this.#done(batch, outcome, lastCommitTime, overlayUntil);
        },
        (error: unknown) => {
          // The first one is the cause, those behind it only follow.
          this.#failure ??= error;
          this.#queue.end(error);
        },
      )
      .then(() => void this.#inFlight.splice(this.#inFlight.indexOf(applying), 1));
    this.#inFlight.push(applying);
  }

  #done(
    { last, topic, nextOffset }: TargetBatch,
    outcome: BatchOutcome,
    lastCommitTime: number,
    overlayUntil: bigint,
  ): void {
    if (!outcome.committed) {
      crashPoint(crashPoints.WRITER_MID_LARGE_TRANSACTION);
      return;
    }
    crashPoint(crashPoints.WRITER_COMMITTED_NOT_NOTED);
    this.#committed = last;
    this.#options.observer.committed({ position: last, topic, nextOffset, overlayUntil }, outcome, lastCommitTime);
    this.#progressed();
    this.#context.log.debug(
      { pair: this.#options.pairId, position: formatPosition(last) },
      'A batch was committed at the target.',
    );
  }
}
