import { TerraFusionError } from '#schemas/errors.ts';
import type { OperationCounts, OperationState, OperationType } from '#schemas/http/operations.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { Conditions, cutPage, decodeCursor, isUuid, type Page, type PageRequest } from './pages.ts';
import { problemOf, type Problem } from './problem.ts';
import { pairWithin, type Scope } from './scope.ts';

/** One run that an operator can see. */
export interface OperationRecord {
  readonly id: string;
  readonly pair: { readonly id: string; readonly name: string };
  readonly type: OperationType;
  readonly state: OperationState;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly requestedBy: string;
  readonly progress: Readonly<Record<string, unknown>>;
  readonly counts: OperationCounts;
  readonly error: Problem | undefined;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
}

export interface NewOperation {
  readonly pairId: string;
  readonly type: OperationType;
  readonly requestedBy: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly state?: 'pending' | 'running';
}

export interface OperationFilter {
  readonly pairId?: string | undefined;
  readonly type?: OperationType | undefined;
  readonly state?: OperationState | undefined;
  /** By when it was asked for. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

interface Row {
  readonly id: string;
  readonly pair_id: string;
  readonly pair_name: string;
  readonly type: OperationType;
  readonly state: OperationState;
  readonly parameters: Record<string, unknown>;
  readonly requested_by: string;
  readonly progress: Record<string, unknown>;
  readonly counts: Partial<OperationCounts>;
  readonly error: Problem | null;
  readonly created_at: Date;
  /** With microseconds, which a Date would lose. */
  readonly created_at_text: string;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly tables: number;
  readonly tables_done: number;
  readonly rows_copied: bigint | null;
  readonly rows_total: bigint | null;
  readonly bytes_copied: bigint | null;
  readonly rows_per_second: number | null;
  readonly letters: number | null;
}

const open = `('pending', 'running', 'stopping')`;
/** Counting a million letters at every look would cost more than anybody learns from it. */
const LETTERS_COUNTED = 10_000;

// Progress of a load under way is that of the pair's tables; what has ended keeps what was noted at its end.
const select = `SELECT o.id, o.pair_id, p.name AS pair_name, o.type, o.state, o.parameters, o.requested_by, o.progress, o.counts, o.error,
    o.created_at, o.created_at::text AS created_at_text, o.started_at, o.finished_at,
    t.tables, t.tables_done, t.rows_copied, t.rows_total, t.bytes_copied, t.rows_per_second,
    CASE WHEN o.state IN ${open} THEN (SELECT count(*)::int FROM (
      SELECT FROM terrafusion.dead_letters d WHERE d.pair_id = o.pair_id AND d.created_at >= o.started_at LIMIT ${LETTERS_COUNTED}
    ) counted) END AS letters
  FROM terrafusion.sync_operations o
  JOIN terrafusion.sync_pairs p ON p.id = o.pair_id
  LEFT JOIN LATERAL (
    SELECT count(*)::int AS tables, (count(*) FILTER (WHERE state IN ('loaded', 'streaming')))::int AS tables_done,
           sum(rows_copied)::bigint AS rows_copied, sum(greatest(rows_total, rows_copied))::bigint AS rows_total,
           sum(bytes_copied)::bigint AS bytes_copied, sum(rows_per_second) AS rows_per_second
      FROM terrafusion.pair_tables
     WHERE pair_id = o.pair_id AND o.state IN ('running', 'stopping') AND o.type IN ('full', 'resync')
       AND (o.parameters->'tables' IS NULL OR jsonb_build_object('schema', source_schema, 'name', source_table) IN (
         SELECT jsonb_array_elements(o.parameters->'tables')))
  ) t ON true`;

const isLoaded = `EXISTS (SELECT FROM terrafusion.sync_pairs p WHERE p.id = pair_id AND p.load->>'state' = 'done')`;
/** $2: what the target has reached. */
const waitsFor = `type = 'incremental' AND state IN ${open} AND (parameters->>'until_lsn')::pg_lsn <= $2::pg_lsn AND ${isLoaded}
  -- Tables that go apart from the stream are not where it is.
  AND NOT EXISTS (SELECT FROM terrafusion.table_syncs s WHERE s.pair_id = $1
    AND s.state IN ('requested', 'loading', 'catching_up', 'rejoining'))`;
/** A table sync ends its operation by itself. */
const noTableSync = `NOT EXISTS (SELECT FROM terrafusion.table_syncs s WHERE s.operation_id = o.id
  AND s.state IN ('requested', 'loading', 'catching_up', 'rejoining'))`;

/** History of the runs. */
export class SyncOperations {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  async create({
    pairId,
    type,
    requestedBy,
    parameters = {},
    state = 'pending',
  }: NewOperation): Promise<OperationRecord> {
    const row = await this.#db.one<{ id: string }>(
      `INSERT INTO terrafusion.sync_operations (pair_id, type, state, requested_by, parameters, started_at)
       VALUES ($1, $2, $3, $4, $5, CASE WHEN $3 = 'running' THEN clock_timestamp() END) RETURNING id`,
      [pairId, type, state, requestedBy, parameters],
    );
    return await this.get(row!.id);
  }

  /** @throws NOT_FOUND */
  async get(id: string): Promise<OperationRecord> {
    const row = isUuid(id)
      ? await this.#db.one<Row>(`${select} WHERE o.id = $1 AND ${pairWithin('p', '$2')}`, [id, this.#scope])
      : undefined;
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no sync operation "${id}"`, { details: { id } });
    return toOperation(row);
  }

  /** Latest first. */
  async list(filter: OperationFilter, { limit, cursor }: PageRequest): Promise<Page<OperationRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'moment', 'uuid');
    const where = new Conditions()
      .add('o.pair_id = ?', filter.pairId)
      .add('o.type = ?', filter.type)
      .add('o.state = ?', filter.state)
      .add('o.created_at >= ?', filter.since)
      .add('o.created_at < ?', filter.until)
      .add('(o.created_at, o.id) < (?::timestamptz, ?::uuid)', after?.[0], after?.[1]);
    const rows = await this.#db.query<Row>(
      `${select} WHERE ${where.toString()} AND ${pairWithin('p', where.bind(this.#scope))}
        ORDER BY o.created_at DESC, o.id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, (row) => [row.created_at_text, row.id], toOperation);
  }

  /** Notes counts for people: "rows_copied", "tables_done" … */
  async recordProgress(id: string, progress: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#db.run('UPDATE terrafusion.sync_operations SET progress = progress || $2 WHERE id = $1', [
      id,
      progress,
    ]);
  }

  /** A load rests outside of its window until about then (ms since 1970); undefined: it does not, or not any more. */
  async recordResting(pairId: string, until: number | undefined): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations
          SET progress = CASE WHEN $2::text IS NULL THEN progress - 'resting_until' ELSE progress || jsonb_build_object('resting_until', $2::text) END
        WHERE pair_id = $1 AND state = 'running' AND type IN ('full', 'resync')
          AND (progress->>'resting_until') IS DISTINCT FROM $2::text`,
      [pairId, until === undefined ? null : new Date(until).toISOString()],
    );
  }

  /** Ends an operation that has not ended yet. */
  async finish(id: string, state: 'completed' | 'failed' | 'cancelled', error?: TerraFusionError): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = $2, error = $3, finished_at = clock_timestamp()
        WHERE id = $1 AND state IN ${open}`,
      [id, state, error ? problemOf(error, new Date()) : null],
    );
  }

  /** Ends one that has not ended, a stopped one too: nobody waits for it any more. */
  async cancel(id: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'cancelled', finished_at = clock_timestamp()
        WHERE id = $1 AND (state IN ${open} OR state = 'stopped')`,
      [id],
    );
  }

  /** Ends those of a pair that have not ended, stopped ones too: another one takes their place, or the pair goes. */
  async cancelOpen(pairId: string, types?: readonly OperationType[]): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'cancelled', finished_at = clock_timestamp()
        WHERE pair_id = $1 AND (state IN ${open} OR state = 'stopped') AND ($2::text[] IS NULL OR type = ANY ($2))`,
      [pairId, types ?? null],
    );
  }

  /** Whether one of the pair's has not ended and is not stopped. */
  async hasOpen(pairId: string, types: readonly OperationType[], exceptId?: string): Promise<boolean> {
    const row = await this.#db.one(
      `SELECT FROM terrafusion.sync_operations
        WHERE pair_id = $1 AND state IN ${open} AND type = ANY ($2) AND id IS DISTINCT FROM $3 LIMIT 1`,
      [pairId, types, exceptId ?? null],
    );
    return row !== undefined;
  }

  /** The pair is being paused: its operations stop once nothing of it runs any more. */
  async stop(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'stopping' WHERE pair_id = $1 AND state IN ('pending', 'running')`,
      [pairId],
    );
  }

  /** Of which pairs operations wait for {@link stopped}. */
  async stoppingPairs(): Promise<Set<string>> {
    const rows = await this.#db.query<{ pair_id: string }>(
      `SELECT DISTINCT pair_id FROM terrafusion.sync_operations WHERE state = 'stopping'`,
    );
    return new Set(rows.map((row) => row.pair_id));
  }

  /** Nothing of the paused pair runs any more. */
  async stopped(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations o SET state = 'stopped' FROM terrafusion.sync_pairs p
        WHERE p.id = $1 AND o.pair_id = p.id AND p.desired = 'paused' AND o.state = 'stopping'`,
      [pairId],
    );
  }

  /** The pair goes on, and with it what was stopped. */
  async reopen(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = CASE WHEN type = 'incremental' THEN 'running' ELSE 'pending' END
        WHERE pair_id = $1 AND state IN ('stopping', 'stopped')`,
      [pairId],
    );
  }

  /** Moves one operation, whatever it was; an end that it had is forgotten. */
  async moveTo(id: string, state: 'pending' | 'running' | 'stopping' | 'stopped'): Promise<void> {
    await this.#db.run(
      'UPDATE terrafusion.sync_operations SET state = $2, error = NULL, finished_at = NULL WHERE id = $1',
      [id, state],
    );
  }

  /** An operator wants the pair to run: none of its operations pauses it at its end. */
  async keepRunning(pairId: string): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET parameters = parameters - 'pause_after'
        WHERE pair_id = $1 AND parameters ? 'pause_after' AND state NOT IN ('completed', 'cancelled')`,
      [pairId],
    );
  }

  /** Whether the pair's latest operation is to pause it, and has not come to that yet. */
  async latestPauses(pairId: string): Promise<boolean> {
    const row = await this.#db.one<{ pauses: boolean }>(
      `SELECT parameters ? 'pause_after' AND (state IN ${open} OR state = 'failed') AS pauses
         FROM terrafusion.sync_operations WHERE pair_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1`,
      [pairId],
    );
    return row?.pauses ?? false;
  }

  /** Changes that the pair's stream has applied since the last call: they are counted with whatever is under way. */
  async addChanges(
    pairId: string,
    { inserted, updated, deleted }: Pick<OperationCounts, 'inserted' | 'updated' | 'deleted'>,
  ): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET counts = counts || jsonb_build_object(
           'inserted', coalesce((counts->>'inserted')::bigint, 0) + $2,
           'updated', coalesce((counts->>'updated')::bigint, 0) + $3,
           'deleted', coalesce((counts->>'deleted')::bigint, 0) + $4)
        WHERE pair_id = $1 AND state IN ('running', 'stopping')`,
      [pairId, inserted, updated, deleted],
    );
  }

  /** Whether {@link completeUpTo} would find something to do. */
  async reaches(pairId: string, lsn: Lsn): Promise<boolean> {
    const row = await this.#db.one(
      `SELECT FROM terrafusion.sync_operations WHERE pair_id = $1 AND ${waitsFor} LIMIT 1`,
      [pairId, formatLsn(lsn)],
    );
    return row !== undefined;
  }

  /**
   * Incremental operations of the pair that wait for nothing beyond `lsn` are done. To be called with the pair held by `lock`, in one
   * transaction: an operation that begins in this moment must not find its pair paused.
   */
  async completeUpTo(pairId: string, lsn: Lsn): Promise<void> {
    await this.#complete(pairId, waitsFor, [formatLsn(lsn)]);
  }

  /** Loads of the pair are done: what they have copied is consistent, and the stream goes on from it. As {@link completeUpTo}. */
  async completeLoads(pairId: string): Promise<void> {
    await this.#complete(
      pairId,
      `type IN ('full', 'resync') AND state IN ${open} AND ${isLoaded} AND ${noTableSync}`,
      [],
    );
  }

  async #complete(pairId: string, which: string, values: readonly unknown[]): Promise<void> {
    await this.#db.run(
      `WITH done AS (
         UPDATE terrafusion.sync_operations o SET state = 'completed', finished_at = clock_timestamp(), error = NULL,
             counts = counts || jsonb_build_object('dead_letters', (
               SELECT count(*) FROM terrafusion.dead_letters d WHERE d.pair_id = o.pair_id AND d.created_at >= o.started_at))
          WHERE pair_id = $1 AND ${which} RETURNING id, parameters
       )
       -- It ran for them, and nobody else wants it to.
       UPDATE terrafusion.sync_pairs SET desired = 'paused'
        WHERE id = $1 AND EXISTS (SELECT FROM done WHERE parameters ? 'pause_after') AND NOT EXISTS (
          SELECT FROM terrafusion.sync_operations
           WHERE pair_id = $1 AND state IN ${open} AND id NOT IN (SELECT id FROM done))`,
      [pairId, ...values],
    );
  }

  /** Those of the pair that have not ended. */
  async openOf(pairId: string): Promise<string[]> {
    const rows = await this.#db.query<{ id: string }>(
      `SELECT id FROM terrafusion.sync_operations WHERE pair_id = $1 AND state IN ${open} ORDER BY created_at`,
      [pairId],
    );
    return rows.map(({ id }) => id);
  }

  /** Of these, those that are at an end or at rest now. */
  async endedOf(ids: readonly string[]): Promise<OperationRecord[]> {
    if (ids.length === 0) return [];
    const rows = await this.#db.query<Row>(
      `${select} WHERE o.id = ANY ($1) AND o.state NOT IN ${open} ORDER BY o.created_at`,
      [ids],
    );
    return rows.map(toOperation);
  }

  /** Figures for the status and metrics: running now, and ended within the last so many hours. */
  async counts(hours: number): Promise<{ running: number; completed: number; failed: number }> {
    const row = await this.#db.one<{ running: number; completed: number; failed: number }>(
      `SELECT (count(*) FILTER (WHERE state IN ${open}))::int AS running,
              (count(*) FILTER (WHERE state = 'completed'))::int AS completed,
              (count(*) FILTER (WHERE state = 'failed'))::int AS failed
         FROM terrafusion.sync_operations o
        WHERE (state IN ${open} OR finished_at > clock_timestamp() - make_interval(hours => $1))
          AND EXISTS (SELECT FROM terrafusion.sync_pairs p WHERE p.id = o.pair_id AND ${pairWithin('p', '$2')})`,
      [hours, this.#scope],
    );
    return row!;
  }
}

function secondsLeft({ rows_copied: copied, rows_total: total, rows_per_second: rate }: Row): number | null {
  return copied === null || total === null || rate === null || rate <= 0 ? null : Number(total - copied) / rate;
}

function toOperation(row: Row): OperationRecord {
  const live: { readonly rows_copied?: number } & Record<string, unknown> =
    row.tables === 0
      ? {}
      : {
          tables_total: row.tables,
          tables_done: row.tables_done,
          rows_copied: Number(row.rows_copied ?? 0n),
          rows_total: row.rows_total === null ? null : Number(row.rows_total),
          bytes_copied: Number(row.bytes_copied ?? 0n),
          rows_per_second: row.rows_per_second,
          seconds_left: secondsLeft(row),
        };
  return {
    id: row.id,
    pair: { id: row.pair_id, name: row.pair_name },
    type: row.type,
    state: row.state,
    parameters: row.parameters,
    requestedBy: row.requested_by,
    progress: { ...row.progress, ...live },
    counts: {
      rows_copied: live.rows_copied ?? row.counts.rows_copied ?? 0,
      inserted: row.counts.inserted ?? 0,
      updated: row.counts.updated ?? 0,
      deleted: row.counts.deleted ?? 0,
      dead_letters: row.letters ?? row.counts.dead_letters ?? 0,
    },
    error: row.error ?? undefined,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
  };
}
