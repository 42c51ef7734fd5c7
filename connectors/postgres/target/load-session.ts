import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { RawFormat } from '#connectors/contract/source.ts';
import type { LoadChunk, LoadSession } from '#connectors/contract/target.ts';
import { BlockReader, Op } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { isPostgresError, translateError } from '../errors.ts';
import { quoteColumns, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import type { ServerError } from '../wire/backend.ts';
import { FENCED, SCHEMA } from './bookkeeping.ts';
import { writeCopyLine } from './copy-lines.ts';
import { isUnknownName, isWithinCopy, rowFailure } from './failures.ts';
import type { Pipeline } from './pipeline.ts';
import { PlanBook } from './plan-book.ts';
import { RowRunner } from './row-runner.ts';
import { Rows } from './rows.ts';
import { requireTypesSql, requireTypesValues } from './same-types.ts';
import { openPipeline, type PipelineSession, type TargetOptions } from './session.ts';
import type { TablePlan } from './table-plan.ts';

/** Whose load it is, and since when. */
export interface LoadOwner {
  readonly pairId: string;
  readonly epoch: number;
  /** Where the rows of a table go. */
  readonly placeOf: (table: TableName) => TableName;
  /** Oids of the types as which a table's columns receive bytes. */
  readonly typesOf: (table: TableName) => ReadonlyMap<string, string>;
}

export async function openLoadSession(
  settings: PostgresSettings,
  owner: LoadOwner,
  context: ConnectorContext,
  options: TargetOptions,
): Promise<LoadSession> {
  try {
    const session = await openPipeline(settings, context, options, `loader ${owner.pairId}`, () =>
      Promise.resolve(undefined),
    );
    return new PostgresLoadSession(session, owner, context.signal);
  } catch (cause) {
    context.signal.throwIfAborted();
    throw translateError(cause, 'target', `Could not open the load of pair ${owner.pairId}`);
  }
}

/**
 * Chunks over one connection, written without waiting for answers up to each COMMIT: after an error the server refuses all that follows,
 * so nothing that was sent ahead can do harm.
 */
class PostgresLoadSession implements LoadSession {
  readonly #session: PipelineSession;
  readonly #pipeline: Pipeline;
  readonly #book: PlanBook;
  readonly #runner: RowRunner;
  readonly #owner: LoadOwner;
  readonly #signal: AbortSignal;
  /** The plan whose COPY is open for blocks. */
  #copying: TablePlan | undefined;
  /** A transaction is open, or has failed. */
  #open = false;

  constructor(session: PipelineSession, owner: LoadOwner, signal: AbortSignal) {
    this.#session = session;
    this.#pipeline = session.pipeline;
    this.#book = new PlanBook(session.pipeline, owner.placeOf);
    this.#runner = new RowRunner(session.pipeline);
    this.#owner = owner;
    this.#signal = signal;
  }

  begin(together: boolean): void {
    this.#open = true;
    this.#pipeline.run('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    // A crash of the target may take the chunk away, but never without its note. What ends the load waits for the disk, all before it included.
    this.#pipeline.run('SET LOCAL synchronous_commit = off');
    this.#pipeline.run(`SELECT ${SCHEMA}.hold_load_1($1, $2::int)`, [this.#owner.pairId, String(this.#owner.epoch)]);
    // Where foreign keys point in a circle, no order fits: those that may wait do so until the end.
    if (together) this.#pipeline.run('SET CONSTRAINTS ALL DEFERRED');
  }

  copyIn(
    table: TableName,
    columns: readonly string[],
    format: RawFormat,
    pieces: AsyncIterable<Buffer>,
  ): Promise<void> {
    return this.#guarded(`Could not load ${formatTableName(table)}`, async () => {
      this.#endCopy();
      const pipeline = this.#pipeline;
      const place = quoteTable(this.#owner.placeOf(table));
      const binary = format === 'binary' ? ' (FORMAT binary)' : '';
      pipeline.runOnce(`COPY ${place} (${quoteColumns(columns)}) FROM STDIN${binary}`);
      for await (const piece of pieces) {
        pipeline.out.copyBytes(piece);
        await pipeline.room();
        if (pipeline.failure) throw pipeline.failure;
      }
      pipeline.out.copyDone();
      if (format === 'binary') this.#requireTypes(table, columns);
    });
  }

  #requireTypes(table: TableName, columns: readonly string[]): void {
    const known = this.#owner.typesOf(table);
    const types = columns.map((column) => known.get(column) ?? '0');
    const required = { table: quoteTable(this.#owner.placeOf(table)), columns, types };
    this.#pipeline.run(requireTypesSql, requireTypesValues(required));
  }

  write(block: Buffer): Promise<void> {
    return this.#guarded(`Could not load rows for pair ${this.#owner.pairId}`, async () => {
      const reader = BlockReader.open(block);
      const { tables } = reader.header;
      // The catalog cannot be asked in the middle of a COPY.
      if (!this.#book.knows(tables)) await this.#answered();
      const plans = await this.#book.resolve(tables);
      const rows = new Rows();
      const source = rows.add(reader.bytes);
      let inMessage = false;
      while (reader.nextTransaction()) {
        while (reader.nextChange()) {
          const plan = plans[reader.table];
          if (reader.op !== Op.insert || plan === undefined) continue;
          if (plan !== this.#copying) {
            if (inMessage) this.#pipeline.out.endCopyData();
            inMessage = false;
            this.#endCopy();
          }
          if (!plan.copyable) {
            this.#runner.one(plan.statements.insert(), rows, -1, -1, source, reader.afterStart);
            continue;
          }
          if (this.#copying === undefined) this.#pipeline.run(plan.statements.copy);
          this.#copying = plan;
          if (!inMessage) this.#pipeline.out.beginCopyData();
          inMessage = true;
          writeCopyLine(this.#pipeline.out, reader.bytes, rows.cursor(source), reader.afterStart, plan);
        }
      }
      if (inMessage) this.#pipeline.out.endCopyData();
      await this.#pipeline.room();
      if (this.#pipeline.failure) throw this.#pipeline.failure;
    });
  }

  finish({
    table,
    number,
    finished: { rows, bytes, snapshot },
  }: Pick<LoadChunk, 'table' | 'number'> & { readonly finished: NonNullable<LoadChunk['finished']> }): void {
    this.#endCopy();
    this.#pipeline.run(`SELECT ${SCHEMA}.finish_chunk_1($1, $2, $3, $4::int, $5::bigint, $6::bigint, $7, $8::pg_lsn)`, [
      this.#owner.pairId,
      table.schema,
      table.name,
      String(number),
      String(rows),
      String(bytes),
      snapshot.shown ?? null,
      formatLsn(snapshot.until),
    ]);
  }

  commit(): Promise<void> {
    return this.#guarded(`Could not load rows for pair ${this.#owner.pairId}`, async () => {
      this.#endCopy();
      this.#pipeline.run('COMMIT');
      await this.#answered();
      this.#open = false;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#open) this.#pipeline.abandon();
    await this.#session[Symbol.asyncDispose]();
  }

  /** Ends the COPY that is open and waits until the server has taken everything. */
  async #answered(): Promise<void> {
    this.#endCopy();
    const { error } = await this.#pipeline.sync();
    if (error) throw error;
  }

  /** Consecutive blocks of a table share one COPY; it ends where another table begins. */
  #endCopy(): void {
    if (this.#copying === undefined) return;
    this.#copying = undefined;
    this.#pipeline.out.copyDone();
  }

  async #guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#signal.throwIfAborted();
      throw loadFailure(this.#pipeline.failure ?? error, what);
    }
  }
}

/** A type that finds its bytes too few calls that a violation of the protocol. */
function isUnreadable(error: unknown): boolean {
  return isPostgresError(error, '08P01') && isWithinCopy(error);
}

/** In a load there are no dead letters: a row that the target refuses ends it, and somebody has to act. */
export function loadFailure(error: unknown, what: string): TerraFusionError {
  if (isPostgresError(error, FENCED)) return new TerraFusionError('TARGET_FENCED', error.message, { cause: error });
  const refused = rowFailure(error) ?? (isUnreadable(error) ? 'TARGET_ROW_REJECTED' : undefined);
  const translated = translateError(error, 'target', what);
  if (refused === undefined) return translated;
  if (isUnknownName(error) && !isWithinCopy(error as ServerError)) return translated;
  const place = /^COPY [^\n]*?, line \d+(?:, column [^:\n]*)?/.exec((error as ServerError).where ?? '')?.[0];
  return new TerraFusionError(refused, place === undefined ? translated.message : `${translated.message} (${place})`, {
    cause: error,
    details: translated.details,
  });
}
