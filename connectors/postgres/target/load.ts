import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ChunkRange } from '#connectors/contract/source.ts';
import type {
  Applied,
  LoadChunk,
  LoadRequest,
  LoadSession,
  LoadTable,
  TargetLoad,
} from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseLsn } from '#schemas/lsn.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { type BinaryColumn, formatsOf, readBinaryColumns } from '../binary-formats.ts';
import { connect, destroy, endClient } from '../connection.ts';
import { isPostgresError, translateError } from '../errors.ts';
import { quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { ensureBookkeeping, FENCED, SCHEMA, storeSql, storeValues } from './bookkeeping.ts';
import type { CatalogTable } from './catalog.ts';
import { hasRows, readTables } from './describe.ts';
import { emptyTables } from './empty-tables.ts';
import { circlesOf, rankByForeignKeys } from './foreign-key-order.ts';
import { rowFailure } from './failures.ts';
import { type LateKey, putKeyBack, readLateKeys, takeKeysOff } from './late-keys.ts';
import { endLeftBehind } from './left-behind.ts';
import { loadFailure, openLoadSession } from './load-session.ts';
import { LOCK_TIMEOUT_MS, type TargetOptions } from './session.ts';
import { areStaged, createStaged, emptyStaged, putInPlace, stagedName } from './staging.ts';

/** Opens a load, or goes on with it: from here on it is ours, and what was at the target before it is dealt with. */
export async function openTargetLoad(
  settings: PostgresSettings,
  request: LoadRequest,
  context: ConnectorContext,
  options: TargetOptions,
): Promise<TargetLoad> {
  const client = await connect(settings, context, {
    role: 'target',
    purpose: `loader ${request.pairId}`,
    lockTimeoutMs: options.lockTimeoutMs ?? LOCK_TIMEOUT_MS,
  });
  const load = new PostgresLoad(client, settings, request, options, context.signal);
  try {
    await endLeftBehind(client, context, options.stillMs);
    await load.open();
    return load;
  } catch (error) {
    await load[Symbol.asyncDispose]();
    throw error;
  }
}

interface ChunkRow {
  readonly table_schema: string;
  readonly table_name: string;
  readonly chunk: number;
  readonly range: ChunkRange;
  readonly rows: string | null;
  readonly bytes: string | null;
  readonly shown: string | null;
  readonly until: string | null;
}

class PostgresLoad implements TargetLoad {
  tables: readonly LoadTable[] = [];
  readonly #client: pg.Client;
  readonly #settings: PostgresSettings;
  readonly #request: LoadRequest;
  readonly #options: TargetOptions;
  readonly #signal: AbortSignal;
  readonly #abort: () => void;
  /** Parents of foreign keys first. */
  #catalog: readonly CatalogTable[] = [];
  /** In the catalog's order. */
  #binary: readonly ReadonlyMap<string, BinaryColumn>[] = [];
  #epoch = 0;
  /** By the tables' oids; read when the first one is to be made. */
  #late: ReadonlyMap<string, LateKey> | undefined;

  constructor(
    client: pg.Client,
    settings: PostgresSettings,
    request: LoadRequest,
    options: TargetOptions,
    signal: AbortSignal,
  ) {
    this.#client = client;
    this.#settings = settings;
    this.#request = request;
    this.#options = options;
    this.#signal = signal;
    this.#abort = () => {
      destroy(client);
    };
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  open(): Promise<void> {
    const { pairId, tables } = this.#request;
    return this.#guarded(`Could not open the load of pair ${pairId}`, async () => {
      await ensureBookkeeping(this.#client);
      const found = await readTables(this.#client, tables);
      const names = new Set(found.map(formatTableName));
      const missing = tables.map(formatTableName).filter((name) => !names.has(name));
      if (missing.length > 0) {
        throw new TerraFusionError('TARGET_TABLE_MISSING', `The target has no table ${missing.join(', ')}`, {
          details: { tables: missing },
        });
      }
      const ranks = rankByForeignKeys(found);
      this.#catalog = found.toSorted((a, b) => ranks.get(a.oid)! - ranks.get(b.oid)!);
      this.#binary = await readBinaryColumns(this.#client, this.#catalog, 'receive');
      const formats = formatsOf(this.#binary);
      // Kept beside them, rows are in nobody's way until all are there.
      this.tables = this.#request.staged
        ? this.#catalog.map(({ schema, name, primaryKey }, i) => ({
            table: { schema, name },
            after: [],
            together: [],
            primaryKey,
            binaryFormats: formats[i]!,
          }))
        : describeLoad(this.#catalog, formats);
      this.#epoch = await this.#takeOver();
      await this.#prepare();
    });
  }

  /** Waits for chunks that whoever had it before is still writing; from then on nothing of them is taken. */
  async #takeOver(): Promise<number> {
    const { pairId, number, begun } = this.#request;
    await this.#client.query('BEGIN');
    const { rows } = await this.#client.query<{ readonly epoch: number; readonly prepared: boolean }>(
      `INSERT INTO ${SCHEMA}.loads AS l (pair_id, number, begun) VALUES ($1, $2, $3)
       ON CONFLICT (pair_id) DO UPDATE SET epoch = l.epoch + 1, number = excluded.number,
          prepared = l.prepared AND l.number = excluded.number
        WHERE l.number <= excluded.number RETURNING epoch, prepared`,
      [pairId, number, begun],
    );
    if (rows[0] === undefined) {
      throw new TerraFusionError('TARGET_FENCED', `Load ${number} of pair ${pairId} was overtaken by a later one`);
    }
    await this.#client.query('COMMIT');
    return rows[0].epoch;
  }

  /**
   * Empties the tables or finds them empty, before the first chunk and never again: from then on the rows are ours. What they hold of a load
   * that had begun with something else goes, together with the note of what it had begun with.
   */
  #prepare(): Promise<void> {
    const { pairId, existingRows, begun, unaltered = [] } = this.#request;
    return this.#transaction(async (client) => {
      const { rows } = await client.query<{ readonly prepared: boolean; readonly begun: string }>(
        `SELECT prepared, begun FROM ${SCHEMA}.loads WHERE pair_id = $1`,
        [pairId],
      );
      const held = rows[0]!;
      if (this.#request.staged) {
        if (held.begun === begun && (await areStaged(client, pairId, this.#catalog))) return;
        await createStaged(client, pairId, this.#catalog);
        await client.query(`DELETE FROM ${SCHEMA}.load_chunks WHERE pair_id = $1`, [pairId]);
        await client.query(`UPDATE ${SCHEMA}.loads SET begun = $2 WHERE pair_id = $1`, [pairId, begun]);
        return;
      }
      if (held.prepared && held.begun === begun) return;
      if (held.prepared || existingRows === 'replace') await emptyTables(client, this.#catalog);
      else await requireEmpty(client, this.#catalog);
      const unique = new Set(unaltered.map(formatTableName));
      await takeKeysOff(
        client,
        pairId,
        this.#catalog.filter((table) => unique.has(formatTableName(table))),
      );
      await client.query(`DELETE FROM ${SCHEMA}.load_chunks WHERE pair_id = $1`, [pairId]);
      await client.query(`UPDATE ${SCHEMA}.loads SET prepared = true, begun = $2 WHERE pair_id = $1`, [pairId, begun]);
    });
  }

  chunks(): Promise<readonly LoadChunk[]> {
    return this.#guarded('Could not read the progress of the load', async () => {
      const { rows } = await this.#client.query<ChunkRow>(
        `SELECT table_schema, table_name, chunk, range, rows::text, bytes::text, shown, until::text
           FROM ${SCHEMA}.load_chunks WHERE pair_id = $1 ORDER BY table_schema, table_name, chunk`,
        [this.#request.pairId],
      );
      return rows.map(chunkOf);
    });
  }

  plan(tables: readonly { readonly table: TableName; readonly ranges: readonly ChunkRange[] }[]): Promise<void> {
    const rows = tables.flatMap(({ table, ranges }) =>
      ranges.map((range, chunk) => ({ table_schema: table.schema, table_name: table.name, chunk, range })),
    );
    return this.#guarded('Could not store the plan of the load', () =>
      this.#transaction(async (client) => {
        await client.query(
          `INSERT INTO ${SCHEMA}.load_chunks (pair_id, table_schema, table_name, chunk, range)
           SELECT $1, n.* FROM jsonb_to_recordset($2::jsonb) AS n (table_schema text, table_name text, chunk int, range jsonb)`,
          [this.#request.pairId, JSON.stringify(rows)],
        );
      }),
    );
  }

  reset(tables: readonly TableName[]): Promise<void> {
    const names = new Set(tables.map(formatTableName));
    return this.#guarded('Could not empty tables that are loaded anew', () =>
      this.#transaction(async (client) => {
        const chosen = this.#catalog.filter((table) => names.has(formatTableName(table)));
        await (this.#request.staged ? emptyStaged(client, this.#request.pairId, chosen) : emptyTables(client, chosen));
        await client.query(
          `DELETE FROM ${SCHEMA}.load_chunks c USING unnest($2::text[], $3::text[]) AS n (schema, name)
            WHERE c.pair_id = $1 AND c.table_schema = n.schema AND c.table_name = n.name`,
          [this.#request.pairId, tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
        );
      }),
    );
  }

  openSession(context: ConnectorContext): Promise<LoadSession> {
    const { pairId, staged = false } = this.#request;
    return openLoadSession(
      this.#settings,
      {
        pairId,
        epoch: this.#epoch,
        placeOf: (table) => (staged ? stagedName(pairId, table) : table),
        typesOf: (table) => this.#typesOf(table),
      },
      context,
      this.#options,
    );
  }

  #typesOf(table: TableName): ReadonlyMap<string, string> {
    const place = this.#catalog.findIndex((one) => formatTableName(one) === formatTableName(table));
    return new Map([...(this.#binary[place] ?? [])].map(([name, { typeOid }]) => [name, typeOid]));
  }

  async makeKey(table: TableName): Promise<void> {
    const what = `Could not make the primary key of ${formatTableName(table)}`;
    await this.#guarded(what, async () => {
      this.#late ??= await readLateKeys(
        this.#client,
        this.#catalog.map(({ oid }) => oid),
      );
      const found = this.#catalog.find((one) => formatTableName(one) === formatTableName(table));
      const key = found && this.#late.get(found.oid);
      if (key === undefined) return;
      await this.#transaction(async (client) => {
        try {
          await putKeyBack(client, key);
        } catch (error) {
          throw rowFailure(error) === undefined ? error : loadFailure(error, what);
        }
      });
    });
  }

  async analyze(tables: readonly TableName[]): Promise<void> {
    // Put in place they are analyzed at once.
    if (this.#request.staged) return;
    for (const table of tables) {
      const found = this.#catalog.find((one) => formatTableName(one) === formatTableName(table));
      if (found === undefined || !['r', 'p'].includes(found.kind)) continue;
      await this.#guarded(`Could not analyze ${formatTableName(table)}`, async () => {
        await this.#client.query(`ANALYZE ${quoteTable(table)}`);
      });
    }
  }

  commit(applied: Applied): Promise<void> {
    const { pairId, staged } = this.#request;
    const what = `Could not complete the load of pair ${pairId}`;
    return this.#guarded(what, () =>
      this.#transaction(async (client) => {
        if (staged) {
          await client.query(`UPDATE ${SCHEMA}.loads SET prepared = true WHERE pair_id = $1`, [pairId]);
          try {
            await emptyTables(client, this.#catalog);
            await putInPlace(client, pairId, this.#catalog);
          } catch (error) {
            throw rowFailure(error) === undefined ? error : loadFailure(error, what);
          }
        }
        await client.query(storeSql, storeValues(pairId, applied));
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener('abort', this.#abort);
    await endClient(this.#client);
  }

  /** A transaction that only who has the load can commit. */
  async #transaction(work: (client: pg.Client) => Promise<void>): Promise<void> {
    const client = this.#client;
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
    try {
      await client.query(`SELECT ${SCHEMA}.hold_load_1($1, $2)`, [this.#request.pairId, this.#epoch]);
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  async #guarded<T>(what: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      this.#signal.throwIfAborted();
      if (cause instanceof TerraFusionError) throw cause;
      if (isPostgresError(cause, FENCED)) throw new TerraFusionError('TARGET_FENCED', cause.message, { cause });
      throw translateError(cause, 'target', what);
    }
  }
}

/** @param catalog parents of foreign keys first */
function describeLoad(catalog: readonly CatalogTable[], formats: readonly ReadonlyMap<string, string>[]): LoadTable[] {
  const byOid = new Map(catalog.map((table) => [table.oid, table]));
  const circles = circlesOf(catalog);
  const nameOf = ({ schema, name }: CatalogTable): TableName => ({ schema, name });
  return catalog.map((table, i) => {
    const together = circles.get(table.oid) ?? [];
    const parents = new Set(
      (together.length === 0 ? [table] : together).flatMap(({ foreignKeys }) =>
        foreignKeys.map(({ references }) => byOid.get(references)).filter((parent) => parent !== undefined),
      ),
    );
    for (const one of together) parents.delete(one);
    return {
      table: nameOf(table),
      after: [...parents].map(nameOf),
      together: together.map(nameOf),
      primaryKey: table.primaryKey,
      binaryFormats: formats[i]!,
    };
  });
}

function chunkOf(row: ChunkRow): LoadChunk {
  return {
    table: { schema: row.table_schema, name: row.table_name },
    number: row.chunk,
    range: row.range,
    finished:
      row.until === null
        ? undefined
        : {
            rows: Number(row.rows),
            bytes: Number(row.bytes),
            snapshot: { until: parseLsn(row.until), shown: row.shown ?? undefined },
          },
  };
}

async function requireEmpty(client: pg.Client, tables: readonly CatalogTable[]): Promise<void> {
  const filled: string[] = [];
  for (const table of tables) if (await hasRows(client, table)) filled.push(formatTableName(table));
  if (filled.length > 0)
    throw new TerraFusionError('TARGET_TABLE_NOT_EMPTY', `The target already holds rows in ${filled.join(', ')}`, {
      details: { tables: filled },
    });
}
