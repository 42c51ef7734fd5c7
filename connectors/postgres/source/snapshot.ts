import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type {
  ChunkRange,
  ChunkSize,
  RawFormat,
  RawPiece,
  SnapshotReader,
  SourceBlock,
  SourceSnapshot,
  TableShape,
} from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { type Lsn, parseLsn } from '#schemas/lsn.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { formatsOf, readBinaryColumns } from '../binary-formats.ts';
import { connect, endClient } from '../connection.ts';
import { isPostgresError, translateError } from '../errors.ts';
import { quoteLiteral } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { BlockSink } from './block-sink.ts';
import { describeBlocker, runningTransactions } from './blockers.ts';
import { copySql, planTable, type TableFacts } from './chunks.ts';
import { CopySession, type CopySink } from './copy-out.ts';
import type { SourceOptions } from './options.ts';
import { PieceSink } from './piece-sink.ts';
import { alteredTables, readFacts } from './table-facts.ts';

/** Between two looks whether the transactions that were running have ended. */
const LOOK_EVERY_MS = 100;
const WHAT = 'Could not read a snapshot of the source';

/**
 * Waits until every transaction has ended that was writing at the call, then opens one snapshot for all tables and keeps it: other
 * sessions read what it shows.
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
  const client = await openSession(settings, 'snapshot', context);
  try {
    await waitForRunning(client, options.snapshotWaitMs, context);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    // The statement's snapshot, which is the transaction's, is taken before the function runs: everything it shows was committed before.
    const { rows } = await client.query<{ readonly until: string; readonly shown: string; readonly name: string }>(
      `SELECT pg_current_snapshot()::text AS shown, (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS until,
              pg_export_snapshot() AS name`,
    );
    return new PostgresSnapshot(client, context, settings, options, rows[0]!);
  } catch (cause) {
    await endClient(client);
    context.signal.throwIfAborted();
    throw translateError(cause, 'source', 'Could not open a snapshot of the source');
  }
}

/** A session without limits of time: a large table takes as long as it takes. (CHECKLIST 29) */
async function openSession(settings: PostgresSettings, purpose: string, context: ConnectorContext): Promise<pg.Client> {
  const client = await connect(settings, context, { role: 'source', purpose });
  try {
    // A later server's limit that an earlier one would not start with.
    await client.query(`SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'`);
    return client;
  } catch (cause) {
    await endClient(client);
    context.signal.throwIfAborted();
    throw translateError(cause, 'source', WHAT);
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

/** Holds the snapshot: as long as its session lives, others can see it. */
class PostgresSnapshot implements SourceSnapshot {
  readonly until: Lsn;
  readonly shown: string;
  readonly #client: pg.Client;
  readonly #settings: PostgresSettings;
  readonly #options: SourceOptions;
  readonly #context: ConnectorContext;
  readonly #begin: string;
  readonly #facts = new Map<string, TableFacts>();
  #looker: pg.Client | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(
    client: pg.Client,
    context: ConnectorContext,
    settings: PostgresSettings,
    options: SourceOptions,
    { until, shown, name }: { readonly until: string; readonly shown: string; readonly name: string },
  ) {
    this.until = parseLsn(until);
    this.shown = shown;
    this.#client = client;
    this.#settings = settings;
    this.#options = options;
    this.#context = context;
    this.#begin = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ${quoteLiteral(name)}`;
  }

  plan(shapes: readonly TableShape[], size: ChunkSize, signal: AbortSignal): Promise<(readonly ChunkRange[])[]> {
    return this.#asking(async (client) => {
      const facts = await readFacts(
        client,
        shapes.map(({ table }) => table),
        this.#facts,
      );
      const plans: (readonly ChunkRange[])[] = [];
      for (const each of facts) {
        signal.throwIfAborted();
        plans.push(await planTable(client, each, size));
      }
      return plans;
    });
  }

  async openReader(context: ConnectorContext): Promise<SnapshotReader> {
    const session = new CopySession(await openSession(this.#settings, 'snapshot reader', context));
    const { blockBytes } = this.#options;
    const sqlOf = async (
      table: TableName,
      columns: readonly string[],
      range: ChunkRange,
      format: RawFormat,
    ): Promise<string> => {
      const known = this.#facts.get(formatTableName(table));
      const [facts] = known ? [known] : await this.#asking((client) => readFacts(client, [table], this.#facts));
      // A transaction a chunk: what locks a table at the source waits for a chunk, not for the load. (Promise 7)
      return `${this.#begin}; ${copySql(facts!, columns, range, format)}; COMMIT`;
    };
    async function* copy<Piece>(
      sql: Promise<string>,
      sink: CopySink<Piece>,
      signal: AbortSignal,
    ): AsyncGenerator<Piece, void, undefined> {
      try {
        yield* session.copy(await sql, sink, signal);
      } catch (error) {
        throw snapshotGone(error) ?? error;
      }
    }
    return {
      copyOut: (table, columns, range, format, signal): AsyncIterable<RawPiece> =>
        copy(sqlOf(table, columns, range, format), new PieceSink(format), signal),
      blocks: (shape, range, firstOrdinal, signal): AsyncIterable<SourceBlock> => {
        const columns = shape.table.columns.map(({ name }) => name);
        return copy(sqlOf(shape.table, columns, range, 'text'), new BlockSink(shape, blockBytes, firstOrdinal), signal);
      },
      [Symbol.asyncDispose]: () => session.end(),
    };
  }

  binaryFormats(tables: readonly TableName[]): Promise<readonly ReadonlyMap<string, string>[]> {
    return this.#asking(async (client) => formatsOf(await readBinaryColumns(client, tables, 'send')));
  }

  altered(tables: readonly TableName[]): Promise<TableName[]> {
    return this.#asking((client) => alteredTables(client, tables));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    if (this.#looker) await endClient(this.#looker);
    await endClient(this.#client);
  }

  /**
   * Looks at the source as the snapshot shows it, one after the other. In short transactions of a session of its own: what it locks for
   * that it does not lock for as long as the snapshot is held. (Promise 7)
   */
  #asking<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const asked = this.#turn.then(async () => {
      try {
        this.#looker ??= await openSession(this.#settings, 'snapshot catalog', this.#context);
        await this.#looker.query(this.#begin);
        try {
          return await work(this.#looker);
        } finally {
          await this.#looker.query('ROLLBACK');
        }
      } catch (cause) {
        this.#context.signal.throwIfAborted();
        const error = translateError(cause, 'source', WHAT);
        throw snapshotGone(error) ?? error;
      }
    });
    this.#turn = asked.then(
      () => undefined,
      () => undefined,
    );
    return asked;
  }
}

/** The session that held the snapshot has ended, and the snapshot with it: a new one has to be taken. */
function snapshotGone(error: unknown): TerraFusionError | undefined {
  const { cause } = error as { cause?: unknown };
  const gone =
    (isPostgresError(cause, '22023') || isPostgresError(cause, '42704') || isPostgresError(cause, '55000')) &&
    /snapshot/.test(cause.message);
  return gone
    ? new TerraFusionError('SOURCE_DISCONNECTED', `The session that held the snapshot is gone: ${cause.message}`, {
        cause,
      })
    : undefined;
}
