import type { TerraFusionError } from '#schemas/errors.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import type { TableEnds } from '#schemas/tables.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { storedLoaded, toLoaded, type StoredLoaded } from './loaded.ts';
import { problemOf, type Problem } from './problem.ts';
import { SyncOperations, type OperationRecord } from './sync-operations.ts';

/** resync: as they were, anew. add: new in the pair. change: brought in another way from now on, or incomplete. */
export type TableSyncKind = 'resync' | 'add' | 'change';
export type TableSyncState =
  | 'requested'
  | 'loading'
  | 'catching_up'
  /** Cancelled before its rows were replaced: the tables come back with those they had. */
  | 'rejoining'
  | 'done'
  /** Not kept in step any more, incomplete at the target. */
  | 'left_out'
  /** A load of the whole pair, or another sync, has taken its place. */
  | 'overtaken'
  /** Before anything had been done. */
  | 'cancelled';

/** States in which work is to be done. */
export const activeStates: readonly TableSyncState[] = ['requested', 'loading', 'catching_up', 'rejoining'];

/** Tables of a pair that are loaded beside its stream. */
export interface TableSyncRecord {
  /** Within the pair, from 1. */
  readonly number: number;
  readonly operationId: string | undefined;
  readonly kind: TableSyncKind;
  readonly state: TableSyncState;
  readonly tables: readonly TableEnds[];
  /** The version of the pair's definition that brings them as this sync does. */
  readonly version: number;
  /** Where its stream begins; undefined before that is chosen. */
  readonly start: { readonly offset: bigint; readonly position: string } | undefined;
  /** What its load has read, and when. */
  readonly loaded: LoadedTables | undefined;
  readonly cancelRequested: boolean;
  readonly error: Problem | undefined;
}

/** As {@link openSyncs} selects it. */
export interface StoredTableSync {
  readonly number: number;
  readonly operation_id: string | null;
  readonly kind: TableSyncKind;
  readonly state: TableSyncState;
  readonly tables: readonly TableEnds[];
  readonly version: number;
  readonly start: { readonly offset: string; readonly position: string } | null;
  readonly loaded: StoredLoaded | null;
  readonly cancel_requested: boolean;
  readonly error: Problem | null;
}

/** Those of a pair `p` that are under way or have left tables out, as JSON, oldest first. */
export const openSyncs = `(SELECT coalesce(jsonb_agg(jsonb_build_object('number', y.number, 'operation_id', y.operation_id, 'kind', y.kind,
    'state', y.state, 'tables', y.tables, 'version', y.version, 'start', y.start, 'loaded', y.loaded,
    'cancel_requested', y.cancel_requested_at IS NOT NULL, 'error', y.error) ORDER BY y.number), '[]')
  FROM terrafusion.table_syncs y
 WHERE y.pair_id = p.id AND y.state IN ('requested', 'loading', 'catching_up', 'rejoining', 'left_out')) AS syncs`;

export function toTableSync(row: StoredTableSync): TableSyncRecord {
  return {
    number: row.number,
    operationId: row.operation_id ?? undefined,
    kind: row.kind,
    state: row.state,
    tables: row.tables,
    version: row.version,
    start: row.start ? { offset: BigInt(row.start.offset), position: row.start.position } : undefined,
    loaded: row.loaded ? toLoaded(row.loaded) : undefined,
    cancelRequested: row.cancel_requested,
    error: row.error ?? undefined,
  };
}

export interface NewTableSync {
  readonly kind: TableSyncKind;
  readonly tables: readonly TableEnds[];
  readonly requestedBy: string;
}

/** What the sync-service tells of a sync; what is left out stays. */
export interface TableSyncChange {
  readonly state?: TableSyncState;
  readonly tables?: readonly TableEnds[];
  readonly neededOffset?: bigint;
  readonly start?: { readonly offset: bigint; readonly position: string };
  readonly loaded?: LoadedTables;
}

/** How an operation ends with its sync. */
export type TableSyncEnd = 'completed' | 'failed' | 'cancelled';

export class TableSyncs {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /**
   * Asks for tables of a loaded pair to be loaded beside its stream, as an operation that people see. What an earlier sync had left out
   * of them is this one's from now on. To be called with the pair held (`pairs.lock`), after its definition was changed.
   */
  async request(pairId: string, { kind, tables, requestedBy }: NewTableSync): Promise<OperationRecord> {
    const operation = await new SyncOperations(this.#db).create({
      pairId,
      type: 'resync',
      requestedBy,
      parameters: { tables: tables.map(({ source }) => source) },
    });
    await this.#db.run(
      `UPDATE terrafusion.table_syncs SET
         tables = (SELECT coalesce(jsonb_agg(t), '[]') FROM jsonb_array_elements(tables) t WHERE NOT t->'source' IN (
           SELECT n->'source' FROM jsonb_array_elements($2::jsonb) n))
        WHERE pair_id = $1 AND state = 'left_out'`,
      [pairId, JSON.stringify(tables)],
    );
    await this.#db.run(
      `UPDATE terrafusion.table_syncs SET state = 'overtaken' WHERE pair_id = $1 AND state = 'left_out' AND tables = '[]'`,
      [pairId],
    );
    await this.#db.run(
      `INSERT INTO terrafusion.table_syncs (pair_id, number, operation_id, kind, tables, version, needed_offset)
       SELECT p.id, (SELECT coalesce(max(number), 0) + 1 FROM terrafusion.table_syncs WHERE pair_id = p.id), $2, $3, $4, p.version,
              coalesce(g.next_offset, p.start_offset)
         FROM terrafusion.sync_pairs p LEFT JOIN terrafusion.pair_progress g ON g.pair_id = p.id WHERE p.id = $1`,
      [pairId, operation.id, kind, JSON.stringify(tables)],
    );
    return operation;
  }

  /** Takes tables out of what syncs have left out: they are no part of the pair any more, or another sync has them. */
  async release(pairId: string, tables: readonly TableEnds[]): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.table_syncs SET state = CASE WHEN rest = '[]' THEN 'overtaken' ELSE state END, tables = rest
         FROM (SELECT y.id, (SELECT coalesce(jsonb_agg(t), '[]') FROM jsonb_array_elements(y.tables) t WHERE NOT t->'source' IN (
                 SELECT n->'source' FROM jsonb_array_elements($2::jsonb) n)) AS rest
                 FROM terrafusion.table_syncs y WHERE y.pair_id = $1 AND y.state = 'left_out') kept
        WHERE table_syncs.id = kept.id AND tables <> rest`,
      [pairId, JSON.stringify(tables)],
    );
  }

  /** False when the sync is not under way any more: its word is of the past. */
  async record(pairId: string, number: number, change: TableSyncChange): Promise<boolean> {
    const { state, tables, neededOffset, start, loaded } = change;
    const row = await this.#db.one<{ taken: number }>(
      `WITH taken AS (
         UPDATE terrafusion.table_syncs SET state = coalesce($3, state), tables = coalesce($4, tables),
           needed_offset = coalesce($5, needed_offset), start = coalesce($6, start), loaded = coalesce($7, loaded),
           -- Why it was given up is told to its end.
           error = CASE WHEN cancel_requested_at IS NULL THEN NULL ELSE error END
          WHERE pair_id = $1 AND number = $2 AND state IN ('requested', 'loading', 'catching_up', 'rejoining')
         RETURNING operation_id, tables
       ), moved AS (
         UPDATE terrafusion.sync_operations o SET state = 'running', started_at = coalesce(o.started_at, clock_timestamp()),
           parameters = o.parameters || jsonb_build_object('tables', (SELECT jsonb_agg(t->'source') FROM jsonb_array_elements(taken.tables) t))
           FROM taken WHERE o.id = taken.operation_id AND o.state IN ('pending', 'running') AND $3 IS NOT NULL
       )
       SELECT count(*)::int AS taken FROM taken`,
      [
        pairId,
        number,
        state ?? null,
        tables ? JSON.stringify(tables) : null,
        neededOffset ?? null,
        start ? JSON.stringify({ offset: String(start.offset), position: start.position }) : null,
        loaded ? JSON.stringify(storedLoaded(loaded)) : null,
      ],
    );
    return row!.taken > 0;
  }

  /** Why the sync waits, for people. */
  async recordError(pairId: string, number: number, error: TerraFusionError): Promise<void> {
    await this.#db.run(
      'UPDATE terrafusion.table_syncs SET error = $3 WHERE pair_id = $1 AND number = $2 AND cancel_requested_at IS NULL',
      [pairId, number, problemOf(error, new Date())],
    );
  }

  /** Ends a sync that is under way, and its operation unless that has ended before. */
  async finish(
    pairId: string,
    number: number,
    state: 'done' | 'left_out' | 'cancelled',
    end: TableSyncEnd,
    error?: TerraFusionError,
  ): Promise<void> {
    await this.#db.run(
      `WITH ended AS (
         UPDATE terrafusion.table_syncs SET state = $3, error = coalesce($5, error), needed_offset = NULL, finished_at = clock_timestamp()
          WHERE pair_id = $1 AND number = $2 AND state IN ('requested', 'loading', 'catching_up', 'rejoining')
         RETURNING operation_id, error
       )
       UPDATE terrafusion.sync_operations o SET state = $4, finished_at = clock_timestamp(),
         error = CASE WHEN $4 = 'failed' THEN ended.error END,
         -- What is shown live while it runs is kept at its end.
         progress = o.progress || (
           SELECT jsonb_build_object('tables_total', count(*), 'tables_done', count(*) FILTER (WHERE t.state IN ('loaded', 'streaming')),
                    'rows_copied', coalesce(sum(t.rows_copied), 0))
             FROM terrafusion.pair_tables t
            WHERE t.pair_id = $1 AND jsonb_build_object('schema', t.source_schema, 'name', t.source_table) IN (
              SELECT jsonb_array_elements(o.parameters->'tables')))
         FROM ended WHERE o.id = ended.operation_id AND o.state IN ('pending', 'running', 'stopping', 'stopped')`,
      [pairId, number, state, end, error ? problemOf(error, new Date()) : null],
    );
  }

  /**
   * Asks for a sync to be given up; by its operation's id, or by itself when it has failed. The sync-service sees to it that its tables
   * are in a state that can be told. Returns whether there is such a sync under way.
   */
  async requestCancel(
    by: { readonly operationId: string } | { readonly pairId: string; readonly number: number },
    error?: TerraFusionError,
  ): Promise<boolean> {
    const touched = await this.#db.run(
      `UPDATE terrafusion.table_syncs SET cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()), error = CASE WHEN cancel_requested_at IS NULL THEN $4 ELSE error END
        WHERE (operation_id = $1 OR (pair_id = $2 AND number = $3)) AND state IN ('requested', 'loading', 'catching_up', 'rejoining')`,
      [
        'operationId' in by ? by.operationId : null,
        'pairId' in by ? by.pairId : null,
        'pairId' in by ? by.number : null,
        error ? problemOf(error, new Date()) : null,
      ],
    );
    return touched > 0;
  }

  /** A load of the whole pair takes the place of all its syncs. */
  async overtake(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.table_syncs SET state = 'overtaken', needed_offset = NULL, finished_at = clock_timestamp()
        WHERE pair_id = $1 AND state IN ('requested', 'loading', 'catching_up', 'rejoining', 'left_out')`,
      [pairId],
    );
  }

  /** Of all there ever were, latest first; for people and tests. */
  async list(pairId: string): Promise<TableSyncRecord[]> {
    const rows = await this.#db.query<StoredTableSync>(
      `SELECT number, operation_id, kind, state, tables, version, start, loaded, cancel_requested_at IS NOT NULL AS cancel_requested, error
         FROM terrafusion.table_syncs WHERE pair_id = $1 ORDER BY number DESC`,
      [pairId],
    );
    return rows.map(toTableSync);
  }
}
