import { formatTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { Conditions, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';
import { problemOf, type Problem } from './problem.ts';

export type PairTableState =
  | 'waiting'
  | 'loading'
  | 'loaded'
  | 'catching_up'
  | 'streaming'
  | 'failed'
  /** Incomplete, not kept in step: a table sync was given up. */
  | 'left_out'
  /** No part of the pair any more; its rows at the target stay. */
  | 'removed';

/** What the sync-service tells of a table. */
export interface PairTableProgress {
  readonly source: TableName;
  readonly target: TableName;
  readonly state: PairTableState;
  readonly rowsCopied: number;
  /** An estimate; undefined when the source does not know. */
  readonly rowsTotal?: number | undefined;
  /** 0 when left out. */
  readonly bytesCopied?: number | undefined;
  /** While it is being loaded. */
  readonly rowsPerSecond?: number | undefined;
  readonly secondsLeft?: number | undefined;
  /** In all since the pair was made; what is stored stays when left out. */
  readonly changesApplied?: number | undefined;
  readonly lastChangeAt?: Date | undefined;
  readonly schemaVersion?: number | undefined;
}

/** How a table of a pair is doing. */
export interface PairTableRecord extends PairTableProgress {
  readonly changesApplied: number;
  readonly schemaVersion: number;
  readonly bytesCopied: number;
  readonly error: Problem | undefined;
}

interface Row {
  readonly source_schema: string;
  readonly source_table: string;
  readonly target_schema: string;
  readonly target_table: string;
  readonly state: PairTableState;
  readonly rows_copied: bigint;
  readonly rows_total: bigint | null;
  readonly bytes_copied: bigint;
  readonly rows_per_second: number | null;
  readonly seconds_left: number | null;
  readonly changes_applied: bigint;
  readonly last_change_at: Date | null;
  readonly schema_version: number;
  readonly error: Problem | null;
}

/** How the tables of a pair are doing, for people: about a second old. */
export class PairTables {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Notes how these tables are doing; others of the pair stay as they are. Call it about once a second, not for every block. */
  async record(pairId: string, tables: readonly PairTableProgress[]): Promise<void> {
    if (tables.length === 0) return;
    const rows = tables.map((table) => ({
      source_schema: table.source.schema,
      source_table: table.source.name,
      target_schema: table.target.schema,
      target_table: table.target.name,
      state: table.state,
      rows_copied: table.rowsCopied,
      rows_total: table.rowsTotal ?? null,
      bytes_copied: table.bytesCopied ?? null,
      rows_per_second: table.rowsPerSecond ?? null,
      seconds_left: table.secondsLeft ?? null,
      changes_applied: table.changesApplied ?? null,
      last_change_at: table.lastChangeAt?.toISOString() ?? null,
      schema_version: table.schemaVersion ?? null,
    }));
    await this.#db.run(
      `INSERT INTO terrafusion.pair_tables AS t (pair_id, source_schema, source_table, target_schema, target_table, state,
         rows_copied, rows_total, bytes_copied, rows_per_second, seconds_left, changes_applied, last_change_at, schema_version)
       SELECT p.id, n.source_schema, n.source_table, n.target_schema, n.target_table, n.state, n.rows_copied, n.rows_total,
              coalesce(n.bytes_copied, 0), n.rows_per_second, n.seconds_left, coalesce(n.changes_applied, 0), n.last_change_at, coalesce(n.schema_version, 1)
         FROM terrafusion.sync_pairs p, jsonb_to_recordset($2::jsonb) AS n (source_schema text, source_table text,
              target_schema text, target_table text, state text, rows_copied bigint, rows_total bigint, bytes_copied bigint,
              rows_per_second double precision, seconds_left double precision, changes_applied bigint, last_change_at timestamptz, schema_version integer)
        WHERE p.id = $1
        -- Always in the same order: two writers wait for each other instead of locking each other out.
        ORDER BY 2, 3, 4, 5
       ON CONFLICT (pair_id, source_schema, source_table, target_schema, target_table) DO UPDATE SET
         state = EXCLUDED.state, rows_copied = EXCLUDED.rows_copied,
         rows_total = coalesce(EXCLUDED.rows_total, t.rows_total),
         bytes_copied = EXCLUDED.bytes_copied,
         rows_per_second = EXCLUDED.rows_per_second, seconds_left = EXCLUDED.seconds_left,
         changes_applied = greatest(EXCLUDED.changes_applied, t.changes_applied),
         last_change_at = coalesce(EXCLUDED.last_change_at, t.last_change_at),
         schema_version = greatest(EXCLUDED.schema_version, t.schema_version), error = NULL`,
      [pairId, JSON.stringify(rows)],
    );
  }

  /** Notes a state alone. */
  async setState(
    pairId: string,
    state: PairTableState,
    tables: readonly Pick<PairTableProgress, 'source' | 'target'>[],
    error?: TerraFusionError,
  ): Promise<void> {
    const names = tables.map(({ source, target }) => [source.schema, source.name, target.schema, target.name]);
    await this.#db.run(
      `UPDATE terrafusion.pair_tables SET state = $3, error = $4 WHERE pair_id = $1 AND EXISTS (
         SELECT FROM jsonb_array_elements($2::jsonb) n
          WHERE n = jsonb_build_array(source_schema, source_table, target_schema, target_table))`,
      [pairId, JSON.stringify(names), state, error ? problemOf(error, new Date()) : null],
    );
  }

  /** What was loaded is streamed from now on. */
  async streaming(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.pair_tables SET state = 'streaming' WHERE pair_id = $1 AND state = 'loaded'`,
      [pairId],
    );
  }

  /** Forgets tables of the pair that are not among these: it was changed. */
  async keepOnly(pairId: string, tables: readonly Pick<PairTableProgress, 'source' | 'target'>[]): Promise<void> {
    const names = tables.map(({ source, target }) => [source.schema, source.name, target.schema, target.name]);
    await this.#db.run(
      `DELETE FROM terrafusion.pair_tables WHERE pair_id = $1 AND NOT EXISTS (
         SELECT FROM jsonb_array_elements($2::jsonb) n
          WHERE n = jsonb_build_array(source_schema, source_table, target_schema, target_table))`,
      [pairId, JSON.stringify(names)],
    );
  }

  /** The table is called otherwise at both ends. */
  async rename(pairId: string, from: TableEnds, to: TableEnds): Promise<void> {
    await this.forget(pairId, [to]);
    await this.#db.run(
      `UPDATE terrafusion.pair_tables SET source_schema = $6, source_table = $7, target_schema = $8, target_table = $9
        WHERE pair_id = $1 AND (source_schema, source_table, target_schema, target_table) = ($2, $3, $4, $5)`,
      [pairId, ...[from, to].flatMap(({ source, target }) => [source.schema, source.name, target.schema, target.name])],
    );
  }

  /** They are gone at both ends. */
  async forget(pairId: string, tables: readonly TableEnds[]): Promise<void> {
    const names = tables.map(({ source, target }) => [source.schema, source.name, target.schema, target.name]);
    await this.#db.run(
      `DELETE FROM terrafusion.pair_tables WHERE pair_id = $1 AND
         jsonb_build_array(source_schema, source_table, target_schema, target_table) IN (SELECT jsonb_array_elements($2::jsonb))`,
      [pairId, JSON.stringify(names)],
    );
  }

  /** Changes applied since a moment ago, by table: added to what is stored. */
  async addChanges(
    pairId: string,
    changes: readonly { readonly target: TableName; readonly changes: number; readonly lastChangeAt: Date }[],
  ): Promise<void> {
    if (changes.length === 0) return;
    const rows = changes.map(({ target, changes: count, lastChangeAt }) => ({
      target_schema: target.schema,
      target_table: target.name,
      changes: count,
      last_change_at: lastChangeAt.toISOString(),
    }));
    await this.#db.run(
      `UPDATE terrafusion.pair_tables t
          SET changes_applied = t.changes_applied + n.changes, last_change_at = greatest(t.last_change_at, n.last_change_at)
         FROM jsonb_to_recordset($2::jsonb) AS n (target_schema text, target_table text, changes bigint, last_change_at timestamptz)
        WHERE t.pair_id = $1 AND t.target_schema = n.target_schema AND t.target_table = n.target_table`,
      [pairId, JSON.stringify(rows)],
    );
  }

  /** By source table. */
  async list(pairId: string): Promise<PairTableRecord[]> {
    const rows = await this.#db.query<Row>(
      `SELECT ${columns} FROM terrafusion.pair_tables WHERE pair_id = $1 ORDER BY ${key}`,
      [pairId],
    );
    return rows.map(toRecord);
  }

  /** The same, page by page. */
  async page(pairId: string, { limit, cursor }: PageRequest): Promise<Page<PairTableRecord>> {
    const after = cursor === undefined ? [] : decodeCursor(cursor, 'text', 'text', 'text', 'text');
    const where = new Conditions().add('pair_id = ?', pairId);
    if (after.length > 0) where.add(`(${key}) > (?, ?, ?, ?)`, ...after);
    const rows = await this.#db.query<Row>(
      `SELECT ${columns} FROM terrafusion.pair_tables WHERE ${where.toString()} ORDER BY ${key} LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(
      rows,
      limit,
      ({ source_schema, source_table, target_schema, target_table }) => [
        ...[source_schema, source_table],
        ...[target_schema, target_table],
      ],
      toRecord,
    );
  }
}

const key = 'source_schema, source_table, target_schema, target_table';
const columns = `${key}, state, rows_copied, rows_total, bytes_copied, rows_per_second, seconds_left, changes_applied, last_change_at,
  schema_version, error`;

function toRecord(row: Row): PairTableRecord {
  return {
    source: { schema: row.source_schema, name: row.source_table },
    target: { schema: row.target_schema, name: row.target_table },
    state: row.state,
    rowsCopied: Number(row.rows_copied),
    rowsTotal: row.rows_total === null ? undefined : Number(row.rows_total),
    bytesCopied: Number(row.bytes_copied),
    rowsPerSecond: row.rows_per_second ?? undefined,
    secondsLeft: row.seconds_left ?? undefined,
    changesApplied: Number(row.changes_applied),
    lastChangeAt: row.last_change_at ?? undefined,
    schemaVersion: row.schema_version,
    error: row.error ?? undefined,
  };
}

/** For lists and messages: "pacs.property → cama.parcel". */
export function formatTablePair({ source, target }: { source: TableName; target: TableName }): string {
  return `${formatTableName(source)} → ${formatTableName(target)}`;
}
