import type { ConnectorContext } from '#connectors/contract/context.ts';
import type {
  Applied,
  BatchOutcome,
  TableOutcome,
  SchemaNews,
  TargetBatch,
  TargetWriter,
  WriterSteps,
} from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import { BlockQueue } from '#services/kernel/block-queue.ts';
import { CRASH_POINT_VARIABLE, crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { BatchBuilder, isWhole, type Built, type News, type ReadyBlock } from './batch.ts';
import type { Failed, Manner, Repetition } from './repetition.ts';
import { schemaChange, SchemaGate } from './schema-gate.ts';
import type { WriterOptions } from './writer.ts';

/** Bytes of blocks in one batch, and in the queue behind the batches in flight. (Promise 6) */
const BATCH_BYTES = 1024 * 1024;
/** Two keep the target busy: while one commits, the next one's rows arrive. */
const IN_FLIGHT = 2;

/** With an armed crash point the target writes out everything before the process may end there; otherwise nothing waits for it. */
const armedSteps: WriterSteps | undefined = process.env[CRASH_POINT_VARIABLE]
  ? {
      beforeCommit() {
        crashPoint(crashPoints.WRITER_BEFORE_COMMIT);
      },
      schemaAltered() {
        crashPoint(crashPoints.WRITER_SCHEMA_ALTERED_NOT_COMMITTED);
      },
      betweenChanges() {
        crashPoint(crashPoints.WRITER_MID_ORDERED_REPLAY);
      },
    }
  : undefined;

/** What was given to the target up to the end of a source transaction, or the last part of one. Not its blocks: a transaction may have any number of them. (Promise 6) */
interface Given {
  readonly last: Position;
  /** See {@link Failed}. */
  readonly separable: boolean;
}

export interface SessionParts {
  readonly options: WriterOptions;
  /** Of the connection: its signal ends work that is under way. */
  readonly context: ConnectorContext;
  /** Asks to finish what is in flight and to end. */
  readonly stop: AbortSignal;
  readonly repetition: Repetition;
  /** Called after each commit. */
  progressed(): void;
}

/** One connection to the target, from asking what it holds to the first failure. */
export class Session {
  readonly #parts: SessionParts;
  readonly #queue = new BlockQueue<ReadyBlock>(BATCH_BYTES);
  readonly #inFlight: Promise<void>[] = [];
  /** What batches have done since the last commit. */
  #uncommitted: BatchOutcome = NOTHING;
  /** When the first batch since the last commit was given to the target, on the monotonic clock. */
  #givenFirst: number | undefined;
  #failure: unknown;
  /** Tables were altered since the last commit. */
  #altered = false;
  #manner: Manner = { mode: 'set', alone: false };
  /** What was given to the target and is not committed, in its order. */
  #uncertain: Given[] = [];

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** What was given to the target and is not committed; undefined when there is nothing. */
  get sent(): Failed | undefined {
    const given = this.#uncertain.at(-1);
    if (given === undefined) return undefined;
    const separable = this.#uncertain.length > 1 || given.separable;
    return { through: given.last, manner: this.#manner, separable };
  }

  /** Runs until it is asked to stop, or the blocks end. @throws what the target, the topic or the chain failed with first */
  async run(): Promise<void> {
    const { options, context, stop } = this.#parts;
    await options.before?.(context);
    await using writer = await options.target.openWriter(
      options.pairId,
      context,
      armedSteps,
      options.schema?.readAgain,
    );
    const { held } = writer;
    if (!held) {
      throw new TerraFusionError(
        'PAIR_HISTORY_LOST',
        'The target holds no position of this pair: it was never loaded, or somebody removed it',
      );
    }
    options.observer.opened(held);
    await this.#tellApplied(held.position);
    const done = new AbortController();
    const pumping = this.#pump(held, AbortSignal.any([stop, done.signal]));
    try {
      await this.#apply(writer, held);
    } finally {
      done.abort();
      this.#queue.end();
      await Promise.allSettled(this.#inFlight);
      await pumping;
    }
  }

  async #pump(held: Applied, signal: AbortSignal): Promise<void> {
    const ended = () => signal.aborted;
    try {
      for await (const block of this.#parts.options.open(held, signal)) {
        if (ended()) break;
        await this.#queue.put(block);
        // The next block may never come, and nobody wants it any more.
        if (ended()) break;
      }
      this.#queue.end();
    } catch (error) {
      // An interrupted wait is no failure of the topic.
      this.#queue.end(signal.aborted ? undefined : error);
    }
  }

  async #apply(writer: TargetWriter, held: Applied): Promise<void> {
    const { schema, topic } = this.#parts.options;
    const builder = new BatchBuilder(held, topic);
    const shapes = { held: writer.tables, apart: held.division?.apart ?? [] };
    const gate = schema && new SchemaGate(schema.definition, shapes, schema.catalog, schema.newTable, schema.isLoaded);
    const stopping = () => this.#parts.stop.aborted;
    let position = held.position;
    while (!stopping()) {
      await this.#room();
      if (isWhole(position)) this.#manner = this.#parts.repetition.mannerAfter(position);
      const blocks = await this.#queue.take(this.#manner.alone ? 1 : BATCH_BYTES);
      this.#throwFailure();
      if (blocks.length === 0 || stopping()) break;
      const news = blocks.map((block) => builder.news(block)).filter((part) => part !== undefined);
      const stretches = gate ? this.#stretches(news, gate, writer, held) : [news];
      for await (const stretch of stretches) {
        if (isWhole(position)) this.#manner = this.#parts.repetition.mannerAfter(position);
        for (const built of builder.batches(stretch, this.#manner.mode)) {
          await this.#room();
          this.#send(writer, built, held.overlayUntil);
          position = built.batch.last;
        }
      }
    }
    await Promise.all(this.#inFlight);
    this.#throwFailure();
  }

  /** Parts of blocks that may go together; between two stretches tables are altered. */
  async *#stretches(
    news: readonly News[],
    gate: SchemaGate,
    writer: TargetWriter,
    held: Applied,
  ): AsyncGenerator<readonly News[], void, undefined> {
    const together: News[] = [];
    /** Behind altered tables: what belongs to the same transaction goes by itself, since a new label of an enum can be used only behind it. */
    let altered = false;
    for (const part of news) {
      for await (const piece of gate.cut(part.bytes)) {
        if (!altered && 'bytes' in piece && piece.bytes === part.bytes) {
          together.push(part);
          continue;
        }
        if (together.length > 0) yield together.splice(0);
        if ('bytes' in piece) yield [partOf(piece.bytes, part)];
        else await this.#evolve(writer, gate, piece, part, held);
        altered = !('bytes' in piece);
      }
    }
    if (together.length > 0) yield together;
  }

  /** Alters the target's tables where the source's have changed, once everything before is there. (CHECKLIST 21) */
  async #evolve(
    writer: TargetWriter,
    gate: SchemaGate,
    { news, at }: { readonly news: SchemaNews; readonly at: Position },
    { again, lastCommitTime }: News,
    held: Applied,
  ): Promise<void> {
    const { topic, schema } = this.#parts.options;
    await Promise.all(this.#inFlight);
    this.#throwFailure();
    const plan = await writer.plan(news);
    if (plan.steps.length > 0) {
      await schema!.decide(schemaChange(at, plan.steps));
      this.#altered = true;
    }
    gate.note(plan.held, plan.forget);
    const batch = { blocks: [], last: at, topic, nextOffset: again, mode: this.#manner.mode, schema: plan };
    this.#send(writer, { batch, lastCommitTime, commitTimes: [] }, held.overlayUntil);
    await Promise.all(this.#inFlight);
    this.#throwFailure();
  }

  async #tellApplied(position: Position): Promise<void> {
    const { schema } = this.#parts.options;
    await schema?.applied(position).catch((error: unknown) => {
      schema.failedToTell(error);
    });
  }

  /** Waits until another batch may be given to the target. */
  async #room(): Promise<void> {
    while (this.#inFlight.length >= (this.#manner.alone ? 1 : IN_FLIGHT)) await this.#inFlight[0];
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #send(writer: TargetWriter, built: Built, overlayUntil: bigint): void {
    const { batch } = built;
    this.#noteGiven(batch);
    const given = this.#parts.context.clock.monotonic();
    const applying = writer
      .apply(batch, (letters) => this.#reject(letters))
      .then(
        (outcome) => {
          this.#done(built, outcome, given, overlayUntil);
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

  #noteGiven({ blocks, last }: TargetBatch): void {
    const separable = blocks.slice(0, -1).some((bytes) => isWhole(BlockReader.summary(bytes).last));
    const before = this.#uncertain.at(-1);
    if (before === undefined || isWhole(before.last)) this.#uncertain.push({ last, separable });
    // The transaction goes on.
    else this.#uncertain[this.#uncertain.length - 1] = { last, separable: before.separable || separable };
  }

  async #reject(letters: readonly DeadLetter[]): Promise<void> {
    // Promise 2: a change that does not reach the target is a dead letter before the position moves past it.
    await this.#parts.options.storeDeadLetters(letters);
    crashPoint(crashPoints.WRITER_DEAD_LETTERS_STORED_NOT_COMMITTED);
  }

  #done(built: Built, outcome: BatchOutcome, given: number, overlayUntil: bigint): void {
    const { batch, lastCommitTime, commitTimes } = built;
    const { last, topic, nextOffset } = batch;
    this.#uncommitted = sum(this.#uncommitted, outcome);
    this.#givenFirst ??= given;
    if (!outcome.committed) {
      crashPoint(crashPoints.WRITER_MID_LARGE_TRANSACTION);
      this.#parts.options.observer.taken?.();
      return;
    }
    crashPoint(crashPoints.WRITER_COMMITTED_NOT_NOTED);
    this.#uncertain = this.#uncertain.slice(this.#uncertain.findIndex((given) => given.last === batch.last) + 1);
    const { options, context } = this.#parts;
    const seconds = (context.clock.monotonic() - this.#givenFirst) / 1000;
    options.observer.committed({ position: last, topic, nextOffset, overlayUntil }, this.#uncommitted, lastCommitTime, {
      commitTimes,
      seconds,
    });
    this.#uncommitted = NOTHING;
    this.#givenFirst = undefined;
    if (this.#altered) void this.#tellApplied(last);
    this.#altered = false;
    this.#parts.progressed();
    context.log.debug({ pair: options.pairId, position: formatPosition(last) }, 'A batch was committed at the target.');
  }
}

const NOTHING: BatchOutcome = { committed: false, inserted: 0, updated: 0, deleted: 0, rejected: 0, tables: [] };
/** A part of a block: only its last one lets the topic be read on behind the block. */
function partOf(bytes: Buffer, whole: News): News {
  const { last, lastCommitTime } = BlockReader.summary(bytes);
  const ends = comparePositions(last, whole.last) === 0;
  return { bytes, last, lastCommitTime, nextOffset: ends ? whole.nextOffset : whole.again, again: whole.again };
}

function sum(a: BatchOutcome, b: BatchOutcome): BatchOutcome {
  return {
    committed: b.committed,
    inserted: a.inserted + b.inserted,
    updated: a.updated + b.updated,
    deleted: a.deleted + b.deleted,
    rejected: a.rejected + b.rejected,
    tables: a.tables.length === 0 ? b.tables : sumTables(a.tables, b.tables),
  };
}

function sumTables(a: readonly TableOutcome[], b: readonly TableOutcome[]): TableOutcome[] {
  const byName = new Map(a.map((each) => [`${each.table.schema}\0${each.table.name}`, each]));
  for (const { table, changes, lastCommitTime } of b) {
    const name = `${table.schema}\0${table.name}`;
    const known = byName.get(name);
    byName.set(name, {
      table,
      changes: changes + (known?.changes ?? 0),
      lastCommitTime: Math.max(lastCommitTime, known?.lastCommitTime ?? 0),
    });
  }
  return [...byName.values()];
}
