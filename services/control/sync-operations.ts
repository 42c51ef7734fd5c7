import { TerraFusionError } from '#schemas/errors.ts';
import type { OperationState, OperationType } from '#schemas/http/operations.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { Conditions, cutPage, decodeCursor, isUuid, type Page, type PageRequest } from './pages.ts';
import { problemOf, type Problem } from './pair-records.ts';

/** One run that an operator can see. */
export interface OperationRecord {
  readonly id: string;
  readonly pair: { readonly id: string; readonly name: string };
  readonly type: OperationType;
  readonly state: OperationState;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly requestedBy: string;
  readonly progress: Readonly<Record<string, unknown>>;
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
}

// Progress of a load under way is that of the pair's tables; what has ended keeps what was noted at its end.
const select = `SELECT o.id, o.pair_id, p.name AS pair_name, o.type, o.state, o.parameters, o.requested_by, o.progress, o.error,
    o.created_at, o.created_at::text AS created_at_text, o.started_at, o.finished_at,
    t.tables, t.tables_done, t.rows_copied, t.rows_total
  FROM terrafusion.sync_operations o
  JOIN terrafusion.sync_pairs p ON p.id = o.pair_id
  LEFT JOIN LATERAL (
    SELECT count(*)::int AS tables, (count(*) FILTER (WHERE state IN ('loaded', 'streaming')))::int AS tables_done,
           sum(rows_copied)::bigint AS rows_copied, sum(rows_total)::bigint AS rows_total
      FROM terrafusion.pair_tables WHERE pair_id = o.pair_id AND o.state = 'running' AND o.type IN ('full', 'resync')
  ) t ON true`;

/** History of the runs. */
export class SyncOperations {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
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
    const row = isUuid(id) ? await this.#db.one<Row>(`${select} WHERE o.id = $1`, [id]) : undefined;
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no sync operation "${id}"`, { details: { id } });
    return toOperation(row);
  }

  /** Latest first. */
  async list(filter: OperationFilter, { limit, cursor }: PageRequest): Promise<Page<OperationRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 2);
    const where = new Conditions()
      .add('o.pair_id = ?', filter.pairId)
      .add('o.type = ?', filter.type)
      .add('o.state = ?', filter.state)
      .add('o.created_at >= ?', filter.since)
      .add('o.created_at < ?', filter.until)
      .add('(o.created_at, o.id) < (?::timestamptz, ?::uuid)', after?.[0], after?.[1]);
    const rows = await this.#db.query<Row>(
      `${select} WHERE ${where.toString()} ORDER BY o.created_at DESC, o.id DESC LIMIT ${where.bind(limit + 1)}`,
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

  /** Ends an operation that has not ended yet. */
  async finish(id: string, state: 'completed' | 'failed' | 'stopped', error?: TerraFusionError): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = $2, error = $3, finished_at = clock_timestamp()
        WHERE id = $1 AND state IN ('pending', 'running')`,
      [id, state, error ? problemOf(error, new Date()) : null],
    );
  }

  /** Ends those of a pair that have not ended: another one takes their place, or the pair goes. */
  async stopOpen(pairId: string, types?: readonly OperationType[]): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'stopped', finished_at = clock_timestamp()
        WHERE pair_id = $1 AND state IN ('pending', 'running') AND ($2::text[] IS NULL OR type = ANY ($2))`,
      [pairId, types ?? null],
    );
  }

  /** Incremental operations of the pair that wait for nothing beyond `lsn` are done. */
  async completeUpTo(pairId: string, lsn: Lsn): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'completed', finished_at = clock_timestamp()
        WHERE pair_id = $1 AND type = 'incremental' AND state IN ('pending', 'running')
          AND (parameters->>'until_lsn')::pg_lsn <= $2::pg_lsn`,
      [pairId, formatLsn(lsn)],
    );
  }

  /** Figures for the status and metrics: running now, and ended within the last so many hours. */
  async counts(hours: number): Promise<{ running: number; completed: number; failed: number }> {
    const row = await this.#db.one<{ running: number; completed: number; failed: number }>(
      `SELECT (count(*) FILTER (WHERE state IN ('pending', 'running')))::int AS running,
              (count(*) FILTER (WHERE state = 'completed'))::int AS completed,
              (count(*) FILTER (WHERE state = 'failed'))::int AS failed
         FROM terrafusion.sync_operations
        WHERE state IN ('pending', 'running') OR finished_at > clock_timestamp() - make_interval(hours => $1)`,
      [hours],
    );
    return row!;
  }
}

function toOperation(row: Row): OperationRecord {
  const live =
    row.tables === 0
      ? {}
      : {
          tables_total: row.tables,
          tables_done: row.tables_done,
          rows_copied: Number(row.rows_copied ?? 0n),
          rows_total: row.rows_total === null ? null : Number(row.rows_total),
        };
  return {
    id: row.id,
    pair: { id: row.pair_id, name: row.pair_name },
    type: row.type,
    state: row.state,
    parameters: row.parameters,
    requestedBy: row.requested_by,
    progress: { ...row.progress, ...live },
    error: row.error ?? undefined,
    createdAt: row.created_at,
    startedAt: row.started_at ?? undefined,
    finishedAt: row.finished_at ?? undefined,
  };
}
