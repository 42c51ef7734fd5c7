import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied, LoadRequest, TargetLoad } from '#connectors/contract/target.ts';
import { BlockReader, Op } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { translateError } from '../errors.ts';
import { quoteColumns, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { rowsOfTag, type ServerError } from '../wire/backend.ts';
import { copyDataHeader } from '../wire/frontend.ts';
import { ensureBookkeeping, storeSql, storeValues } from './bookkeeping.ts';
import type { CatalogTable } from './catalog.ts';
import { writeCopyLine } from './copy-lines.ts';
import { hasRows, readTables } from './describe.ts';
import { hasCircle, rankByForeignKeys } from './foreign-key-order.ts';
import { isUnknownName, isWithinCopy, rowFailure } from './failures.ts';
import type { Answers, Pipeline } from './pipeline.ts';
import { PlanBook } from './plan-book.ts';
import { RowRunner } from './row-runner.ts';
import { Rows } from './rows.ts';
import { openPipeline, type PipelineSession, type TargetOptions } from './session.ts';
import type { TablePlan } from './table-plan.ts';

/** Opens the first load of a pair: tables emptied or found empty, one transaction begun for all that follows. */
export async function openTargetLoad(
  settings: PostgresSettings,
  request: LoadRequest,
  context: ConnectorContext,
  options: TargetOptions,
): Promise<TargetLoad> {
  try {
    const session = await openPipeline(settings, context, options, `loader ${request.pairId}`, async (client) => {
      await ensureBookkeeping(client);
      return begin(client, request);
    });
    return new PostgresLoad(session, request, session.prepared, context.signal);
  } catch (cause) {
    context.signal.throwIfAborted();
    throw translateError(cause, 'target', `Could not open the load of pair ${request.pairId}`);
  }
}

async function begin(client: pg.Client, { tables, existingRows }: LoadRequest): Promise<CatalogTable[]> {
  const found = await readTables(client, tables);
  const names = new Set(found.map(formatTableName));
  const missing = tables.map(formatTableName).filter((name) => !names.has(name));
  if (missing.length > 0)
    throw new TerraFusionError('TARGET_TABLE_MISSING', `The target has no table ${missing.join(', ')}`, {
      details: { tables: missing },
    });
  const ranks = rankByForeignKeys(found);
  const order = found.toSorted((a, b) => ranks.get(a.oid)! - ranks.get(b.oid)!);
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  if (existingRows === 'replace') await empty(client, order);
  else await requireEmpty(client, order);
  // Where foreign keys point in a circle, no order fits: those that may wait do so until the end.
  if (hasCircle(found)) await client.query('SET CONSTRAINTS ALL DEFERRED');
  return order;
}

async function requireEmpty(client: pg.Client, tables: readonly CatalogTable[]): Promise<void> {
  const filled: string[] = [];
  for (const table of tables) if (await hasRows(client, table)) filled.push(formatTableName(table));
  if (filled.length > 0)
    throw new TerraFusionError('TARGET_TABLE_NOT_EMPTY', `The target already holds rows in ${filled.join(', ')}`, {
      details: { tables: filled },
    });
}

/** Views cannot be truncated, nor can tables that others point to: those are emptied row by row, children first. */
async function empty(client: pg.Client, order: readonly CatalogTable[]): Promise<void> {
  if (order.length === 0) return;
  await client.query('SAVEPOINT emptying');
  try {
    await client.query(`TRUNCATE ${order.map(quoteTable).join(', ')}`);
  } catch (error) {
    if (!['0A000', '42809'].includes((error as { code?: string }).code ?? '')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT emptying');
    for (const table of order.toReversed()) await client.query(`DELETE FROM ${quoteTable(table)}`);
  }
  await client.query('RELEASE SAVEPOINT emptying');
}

class PostgresLoad implements TargetLoad {
  readonly order: readonly TableName[];
  readonly #session: PipelineSession;
  readonly #pipeline: Pipeline;
  readonly #book: PlanBook;
  readonly #runner: RowRunner;
  readonly #pairId: string;
  readonly #signal: AbortSignal;
  /** The plan whose COPY is open for blocks. */
  #copying: TablePlan | undefined;
  #committed = false;

  constructor(session: PipelineSession, { pairId }: LoadRequest, order: readonly CatalogTable[], signal: AbortSignal) {
    this.order = order.map(({ schema, name }) => ({ schema, name }));
    this.#session = session;
    this.#pipeline = session.pipeline;
    this.#book = new PlanBook(session.pipeline);
    this.#runner = new RowRunner(session.pipeline);
    this.#pairId = pairId;
    this.#signal = signal;
  }

  copyIn(table: TableName, columns: readonly string[], chunks: AsyncIterable<Buffer>): Promise<number> {
    return this.#guarded(`Could not load ${formatTableName(table)}`, async () => {
      await this.#endCopy();
      const pipeline = this.#pipeline;
      pipeline.runOnce(`COPY ${quoteTable(table)} (${quoteColumns(columns)}) FROM STDIN`);
      for await (const chunk of chunks) {
        pipeline.writeThrough(copyDataHeader(chunk.length), chunk);
        await pipeline.room();
        if (pipeline.failure) throw pipeline.failure;
      }
      pipeline.out.copyDone();
      const { tags } = succeeded(await pipeline.sync());
      return rowsOfTag(tags.at(-1)!);
    });
  }

  write(block: Buffer): Promise<void> {
    return this.#guarded(`Could not load rows for pair ${this.#pairId}`, async () => {
      const reader = BlockReader.open(block);
      const { tables } = reader.header;
      // The catalog cannot be asked in the middle of a COPY.
      if (!this.#book.knows(tables)) await this.#endCopy();
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
            await this.#endCopy();
          }
          if (!plan.copyable) {
            this.#runner.one(plan.statements.insert(), rows, -1, -1, source, reader.afterStart);
            continue;
          }
          if (this.#copying === undefined) this.#pipeline.run(plan.statements.copy);
          this.#copying = plan;
          if (!inMessage) this.#pipeline.out.beginCopyData();
          inMessage = true;
          writeCopyLine(this.#pipeline.out, reader.bytes, rows.cursor(source), reader.afterStart, plan.skipped);
        }
      }
      if (inMessage) this.#pipeline.out.endCopyData();
      await this.#pipeline.room();
      if (this.#pipeline.failure) throw this.#pipeline.failure;
    });
  }

  commit(applied: Applied): Promise<void> {
    return this.#guarded(`Could not commit the load of pair ${this.#pairId}`, async () => {
      await this.#endCopy();
      this.#pipeline.run(storeSql, storeValues(this.#pairId, applied));
      // Promise 3: all rows of the load become visible at once, with the position they stand for.
      this.#pipeline.run('COMMIT');
      succeeded(await this.#pipeline.sync());
      this.#committed = true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#committed) this.#pipeline.abandon();
    await this.#session[Symbol.asyncDispose]();
  }

  /** Consecutive blocks of a table share one COPY; it ends where another table begins. */
  async #endCopy(): Promise<void> {
    if (this.#copying === undefined) return;
    this.#copying = undefined;
    this.#pipeline.out.copyDone();
    succeeded(await this.#pipeline.sync());
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

/** In a load there are no dead letters: a row that the target refuses ends it, and somebody has to act. */
function loadFailure(error: unknown, what: string): TerraFusionError {
  const translated = translateError(error, 'target', what);
  const refused = rowFailure(error);
  if (refused === undefined) return translated;
  if (isUnknownName(error) && !isWithinCopy(error as ServerError)) return translated;
  const place = /^COPY [^\n]*?, line \d+(?:, column [^:\n]*)?/.exec((error as ServerError).where ?? '')?.[0];
  return new TerraFusionError(refused, place === undefined ? translated.message : `${translated.message} (${place})`, {
    cause: error,
    details: translated.details,
  });
}

function succeeded(answers: Answers): Answers {
  if (answers.error) throw answers.error;
  return answers;
}
