import type { ConnectorContext } from '#connectors/contract/context.ts';
import type {
  Applied,
  BatchOutcome,
  HeldTable,
  SchemaNews,
  SchemaPlan,
  TargetBatch,
  TargetWriter,
  WriterSteps,
} from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { isPostgresError, translateError } from '../errors.ts';
import type { PostgresSettings } from '../settings.ts';
import {
  advanceSql,
  advanceValues,
  ensureBookkeeping,
  holdSql,
  holdValues,
  readApplied,
  readOverlays,
} from './bookkeeping.ts';
import { Evolver, type ReadAgain } from './evolution/evolve.ts';
import { readHeldTables } from './evolution/held-tables.ts';
import { batchFailure, reasonOf } from './failures.ts';
import { endLeftBehind } from './left-behind.ts';
import { OrderedApplier } from './ordered-apply.ts';
import type { Answers, Pipeline } from './pipeline.ts';
import { PlanBook } from './plan-book.ts';
import { openPipeline, type PipelineSession, type TargetOptions } from './session.ts';
import { type Counts, type OpenBlock, type Overlay, SetApplier } from './set-apply.ts';

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE';

export async function openTargetWriter(
  settings: PostgresSettings,
  pairId: string,
  context: ConnectorContext,
  options: TargetOptions,
  steps: WriterSteps,
  readAgain: ReadAgain | undefined,
): Promise<TargetWriter> {
  try {
    const session = await openPipeline(settings, context, options, `writer ${pairId}`, async (client) => {
      await endLeftBehind(client, context, options.stillMs);
      await ensureBookkeeping(client);
      const applied = await readApplied(client, pairId);
      const overlay = { until: applied?.overlayUntil ?? 0n, tables: await readOverlays(client, pairId) };
      return { applied, tables: await readHeldTables(client, pairId), overlay };
    });
    return new PostgresWriter(session, pairId, session.prepared, context.signal, steps, readAgain);
  } catch (cause) {
    context.signal.throwIfAborted();
    throw translateError(cause, 'target', `Could not open the writer of pair ${pairId}`);
  }
}

/**
 * One session that applies batches. Everything of a batch is sent without waiting for answers, its COMMIT included; only then does
 * the next one wait its turn. What was sent ahead cannot do harm: after a failure the server skips or refuses all the rest, and a
 * position moves only from where the batch before it has left it.
 */
class PostgresWriter implements TargetWriter {
  readonly held: Applied | undefined;
  readonly tables: readonly HeldTable[];
  readonly #overlay: Overlay;
  readonly #pairId: string;
  /** Of the division it was opened with: after another one it is fenced. */
  readonly #epoch: number;
  readonly #session: PipelineSession;
  readonly #pipeline: Pipeline;
  readonly #signal: AbortSignal;
  readonly #steps: WriterSteps;
  readonly #book: PlanBook;
  readonly #sets: SetApplier;
  readonly #ordered: OrderedApplier;
  readonly #evolver: Evolver;
  /** Where the target will be once all that was sent is committed. */
  #position: Position | undefined;
  /** A target transaction is open: the source transaction goes on in the next batch. */
  #open = false;
  #turn: Promise<void> = Promise.resolve();
  #failure: TerraFusionError | undefined;

  constructor(
    session: PipelineSession,
    pairId: string,
    {
      applied: held,
      tables,
      overlay,
    }: {
      readonly applied: Applied | undefined;
      readonly tables: readonly HeldTable[];
      readonly overlay: Overlay;
    },
    signal: AbortSignal,
    steps: WriterSteps,
    readAgain: ReadAgain | undefined,
  ) {
    this.held = held;
    this.tables = tables;
    this.#overlay = overlay;
    this.#session = session;
    this.#pipeline = session.pipeline;
    this.#pairId = pairId;
    this.#epoch = held?.division?.epoch ?? 0;
    this.#signal = signal;
    this.#steps = steps;
    this.#position = held?.position;
    this.#book = new PlanBook(session.pipeline);
    this.#sets = new SetApplier(session.pipeline, this.#book, true);
    this.#ordered = new OrderedApplier(session.pipeline, steps.betweenChanges?.bind(steps));
    this.#evolver = new Evolver(session.pipeline, pairId, tables, readAgain);
  }

  async plan(news: SchemaNews): Promise<SchemaPlan> {
    await this.#turn;
    if (this.#failure) throw this.#failure;
    try {
      return await this.#evolver.plan(news);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  async apply(batch: TargetBatch, reject: (letters: readonly DeadLetter[]) => Promise<void>): Promise<BatchOutcome> {
    const before = this.#turn;
    const turn = Promise.withResolvers<undefined>();
    this.#turn = turn.promise;
    try {
      await before;
      if (this.#failure) throw this.#failure;
      if (batch.schema) await this.#evolve(batch.schema);
      const blocks = await this.#openBlocks(batch);
      if (batch.mode !== 'set') return await this.#applyOrdered(batch, blocks, reject);
      const { counts, answers } = await this.#sendSet(batch, blocks);
      turn.resolve(undefined);
      succeeded(await answers);
      return outcome(counts, isWhole(batch.last), 0);
    } catch (error) {
      throw this.#fail(error);
    } finally {
      turn.resolve(undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  /** In the batch's own transaction: tables, rows and position change together, and are seen together. (Promise 3) */
  async #evolve(schema: SchemaPlan): Promise<void> {
    this.#begin(undefined);
    try {
      await this.#evolver.apply(schema);
    } catch (error) {
      throw this.#impossible(error);
    }
    this.#book.forget();
    this.#steps.schemaAltered?.();
  }

  /** A statement that the target refuses for good is nobody's row: somebody has to look at the table. */
  #impossible(error: unknown): unknown {
    const cause = this.#pipeline.failure ?? error;
    if (this.#signal.aborted || !isPostgresError(cause) || !/^(0A|22|23|2B|42)/.test(cause.code)) return error;
    this.#failure ??= new TerraFusionError(
      'SCHEMA_CHANGE_IMPOSSIBLE',
      `The target's tables could not be altered as the source's were: ${reasonOf(cause)}`,
      { cause },
    );
    this.#pipeline.abandon();
    return this.#failure;
  }

  async #openBlocks({ blocks }: TargetBatch): Promise<OpenBlock[]> {
    const open: OpenBlock[] = [];
    for (const bytes of blocks) {
      const reader = BlockReader.open(bytes);
      open.push({ reader, plans: await this.#book.resolve(reader.header.tables) });
    }
    return open;
  }

  /** Resolves once the server has room for more; `answers` once it has answered. */
  async #sendSet(
    batch: TargetBatch,
    blocks: readonly OpenBlock[],
  ): Promise<{ readonly counts: Counts; readonly answers: Promise<Answers> }> {
    const whole = isWhole(batch.last);
    const advanced = this.#begin(whole ? batch : undefined);
    const counts = this.#sets.apply(blocks, this.#overlay);
    if (whole) {
      if (!advanced) this.#advance(batch);
      await this.#beforeCommit();
      this.#commit(batch);
    }
    const answers = this.#pipeline.sync();
    // Whoever waits for the answers gets the error; until then it has a home.
    answers.catch(() => undefined);
    await this.#pipeline.room();
    return { counts, answers };
  }

  async #applyOrdered(
    batch: TargetBatch,
    blocks: readonly OpenBlock[],
    reject: (letters: readonly DeadLetter[]) => Promise<void>,
  ): Promise<BatchOutcome> {
    this.#begin(undefined);
    // Where the target allows it, constraints wait for the end of the transaction, as they may have done at the source.
    this.#pipeline.run(`SET CONSTRAINTS ALL ${batch.mode === 'ordered' ? 'DEFERRED' : 'IMMEDIATE'}`);
    succeeded(await this.#pipeline.sync());
    const { counts, letters } = await this.#ordered.apply(blocks, this.#overlay);
    // Promise 2: what does not reach the target is a dead letter before the position moves past it.
    if (letters.length > 0) await reject(letters);
    const whole = isWhole(batch.last);
    if (whole) {
      this.#advance(batch);
      await this.#beforeCommit();
      this.#commit(batch);
      succeeded(await this.#pipeline.sync());
    }
    return outcome(counts, whole, letters.length);
  }

  /**
   * Begins the target transaction unless it is open. The fence comes first: a writer that was left behind waits for the one that took
   * over and then fails, before it has touched a row.
   * @param batch when the transaction will end with it: its position is written at once. @returns whether it was
   */
  #begin(batch: TargetBatch | undefined): boolean {
    if (this.#open) return false;
    this.#open = true;
    this.#pipeline.run(BEGIN);
    if (batch === undefined) this.#pipeline.run(holdSql, holdValues(this.#pairId, this.#epoch, this.#position));
    else this.#advance(batch);
    return batch !== undefined;
  }

  #advance({ last, topic, nextOffset }: TargetBatch): void {
    this.#pipeline.run(advanceSql, advanceValues(this.#pairId, this.#epoch, this.#position, last, topic, nextOffset));
  }

  #commit({ last }: TargetBatch): void {
    // Promise 3: rows and position become visible together, at the end of a source transaction.
    this.#pipeline.run('COMMIT');
    this.#open = false;
    this.#position = last;
  }

  async #beforeCommit(): Promise<void> {
    if (this.#steps.beforeCommit === undefined) return;
    succeeded(await this.#pipeline.sync());
    this.#steps.beforeCommit();
  }

  /** Notes the first failure: the ones behind it only follow from it. */
  #fail(error: unknown): Error {
    if (this.#failure === undefined) {
      this.#failure = this.#signal.aborted
        ? new TerraFusionError('TARGET_UNREACHABLE', `Writing pair ${this.#pairId} was stopped`, { cause: error })
        : batchFailure(this.#pipeline.failure ?? error, this.#pairId);
      this.#pipeline.abandon();
    }
    return this.#failure;
  }
}

/** Whether the position lies between source transactions, not within one. */
function isWhole({ ordinal }: Position): boolean {
  return ordinal === LAST_ORDINAL || ordinal < 0;
}

function outcome({ inserted, updated, deleted, tables }: Counts, committed: boolean, rejected: number): BatchOutcome {
  return { committed, inserted, updated, deleted, rejected, tables: tables.done() };
}

function succeeded({ error }: Answers): void {
  if (error) throw error;
}
