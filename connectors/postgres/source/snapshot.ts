import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SourceBlock, SourceSnapshot, TableShape } from '#connectors/contract/source.ts';
import { Before, BlockWriter, Op } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { type Lsn, parseLsn } from '#schemas/lsn.ts';
import { before, type Position } from '#schemas/position.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { connect, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { quoteColumns, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { describeBlocker, runningTransactions } from './blockers.ts';
import { ChunkSink, CopySession, type CopySink } from './copy-out.ts';
import { writeCopyRow } from './copy-text.ts';
import { malformed } from './message-reader.ts';
import type { SourceOptions } from './options.ts';

/** Between two looks whether the transactions that were running have ended. */
const LOOK_EVERY_MS = 100;

/**
 * Waits until every transaction has ended that was writing at the call, then opens one snapshot for all tables.
 *
 * Without the wait, a transaction that had written to a table before it was published, and commits after the snapshot, would be in
 * neither the stream nor the snapshot. (Promise 2)
 * @throws {TerraFusionError} SOURCE_SNAPSHOT_BLOCKED naming pid and xid
 */
export async function openSnapshot(
  settings: PostgresSettings,
  options: SourceOptions,
  context: ConnectorContext,
): Promise<SourceSnapshot> {
  const client = await connect(settings, context, { role: 'source', purpose: 'snapshot' });
  try {
    await waitForRunning(client, options.snapshotWaitMs, context);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // The statement's snapshot, which is the transaction's, is taken before the function runs: everything it shows was committed before.
    const { rows } = await client.query<{ readonly until: string; readonly shown: string }>(
      `SELECT pg_current_snapshot()::text AS shown, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS until`,
    );
    const partitioned = await partitionedTables(client);
    const { until, shown } = rows[0]!;
    return new PostgresSnapshot(
      new CopySession(client),
      { until: parseLsn(until), shown },
      partitioned,
      options.blockBytes,
    );
  } catch (cause) {
    await endClient(client);
    context.signal.throwIfAborted();
    throw translateError(cause, 'source', 'Could not open a snapshot of the source');
  }
}

async function waitForRunning(client: pg.Client, waitMs: number, context: ConnectorContext): Promise<void> {
  const deadline = context.clock.monotonic() + waitMs;
  const waitedFor = new Set((await runningTransactions(client)).map(({ xid }) => xid));
  for (;;) {
    const left = (await runningTransactions(client)).filter(({ xid }) => waitedFor.has(xid));
    const oldest = left[0];
    if (oldest === undefined) return;
    if (context.clock.monotonic() >= deadline) {
      throw new TerraFusionError(
        'SOURCE_SNAPSHOT_BLOCKED',
        `No snapshot could be taken within ${Math.round(waitMs / 1000)} seconds: ${describeBlocker(oldest)} has to end first`,
        { details: { ...oldest } },
      );
    }
    await context.clock.sleep(LOOK_EVERY_MS, context.signal);
  }
}

/** Names of the tables whose rows lie in partitions. */
async function partitionedTables(client: pg.Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<TableName>(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'p'`,
  );
  return new Set(rows.map(formatTableName));
}

class PostgresSnapshot implements SourceSnapshot {
  readonly until: Lsn;
  readonly shown: string;
  readonly #session: CopySession;
  readonly #partitioned: ReadonlySet<string>;
  readonly #blockBytes: number;

  constructor(
    session: CopySession,
    taken: { readonly until: Lsn; readonly shown: string },
    partitioned: ReadonlySet<string>,
    blockBytes: number,
  ) {
    this.#session = session;
    this.until = taken.until;
    this.shown = taken.shown;
    this.#partitioned = partitioned;
    this.#blockBytes = blockBytes;
  }

  copyOut(table: TableName, columns: readonly string[], signal: AbortSignal): AsyncIterable<Buffer> {
    return this.#session.copy(this.#copySql(table, columns), new ChunkSink(), signal);
  }

  blocks(shape: TableShape, signal: AbortSignal): AsyncIterable<SourceBlock> {
    const columns = shape.table.columns.map(({ name }) => name);
    return this.#session.copy(this.#copySql(shape.table, columns), new BlockSink(shape, this.#blockBytes), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.end();
  }

  #copySql(table: TableName, columns: readonly string[]): string {
    const name = quoteTable(table);
    const list = quoteColumns(columns);
    // A partitioned table has no rows of its own, and one with children has only its own copied, as the stream sends them.
    const rows = this.#partitioned.has(formatTableName(table))
      ? `(SELECT ${list} FROM ${name})`
      : columns.length === 0
        ? name
        : `${name} (${list})`;
    return `COPY ${rows} TO STDOUT`;
  }
}

/** Turns rows of COPY text into blocks of inserts. */
class BlockSink implements CopySink<SourceBlock> {
  readonly #shape: TableShape;
  readonly #blockBytes: number;
  readonly #writer: BlockWriter;
  readonly #full: SourceBlock[] = [];
  #fullBytes = 0;
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  #position: Position = before(0, 0n);
  #ordinal = -1;

  constructor(shape: TableShape, blockBytes: number) {
    this.#shape = shape;
    this.#blockBytes = blockBytes;
    this.#writer = new BlockWriter(blockBytes + 64 * 1024);
  }

  get bytes(): number {
    return this.#fullBytes + this.#writer.byteLength;
  }

  row(buf: Buffer, start: number, end: number): void {
    const writer = this.#writer;
    if (writer.byteLength >= this.#blockBytes) this.#close();
    if (writer.isEmpty) {
      writer.addTable(this.#shape.table);
      writer.beginTransaction({ xid: 0, commitLsn: 0n, commitTime: 0, origin: undefined });
    }
    if (end - start > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(end - start);
    const width = this.#shape.table.columns.length;
    writer.beginChange(0, Op.insert, ++this.#ordinal);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(width);
    const cells = width === 0 ? 0 : writeCopyRow(writer, buf, start, end, this.#scratch);
    if (cells !== width) malformed(`a row of ${cells} columns where ${width} were asked for`);
    writer.endRow();
  }

  take(all: boolean): SourceBlock | undefined {
    const { isEmpty, byteLength } = this.#writer;
    if (this.#full.length === 0 && !isEmpty && (all || byteLength >= this.#blockBytes)) this.#close();
    const block = this.#full.shift();
    if (block !== undefined) this.#fullBytes -= block.bytes.length;
    return block;
  }

  #close(): void {
    const writer = this.#writer;
    const last: Position = { generation: 0, commitLsn: 0n, ordinal: this.#ordinal };
    writer.endTransaction(false, this.#ordinal);
    const { changes, transactions } = writer;
    const bytes = writer.finish('', 0, this.#position);
    this.#position = last;
    this.#full.push({ bytes, last, changes, transactions, lastCommitTime: 0 });
    this.#fullBytes += bytes.length;
  }
}
