import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, parsePosition } from '#schemas/position.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { Conditions, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

export type SchemaChangeState = 'waiting' | 'approved' | 'applied';

export interface SchemaChangeStep {
  readonly kind: 'additive' | 'destructive' | 'unknown';
  readonly what: string;
  readonly sql: readonly string[];
}

export interface NewSchemaChange {
  readonly id: string;
  readonly position: string;
  readonly steps: readonly SchemaChangeStep[];
}

/** What a source's changed tables mean for a pair's target. */
export interface SchemaChangeRecord extends NewSchemaChange {
  readonly state: SchemaChangeState;
  readonly createdAt: Date;
  readonly decidedBy: string | undefined;
  readonly decidedAt: Date | undefined;
  readonly appliedAt: Date | undefined;
}

interface Row {
  readonly id: string;
  readonly position: string;
  readonly steps: readonly SchemaChangeStep[];
  readonly state: SchemaChangeState;
  readonly created_at: Date;
  readonly decided_by: string | null;
  readonly decided_at: Date | null;
  readonly applied_at: Date | null;
}

const columns = 'id, position, steps, state, created_at, decided_by, decided_at, applied_at';
/** Who has decided what the pair's settings allow. */
const POLICY = 'policy';

export class SchemaChanges {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /**
   * Notes a change that the stream stands before; one that is noted already stays as it is. What waited before is of the past then.
   * @returns its state
   */
  async note(pairId: string, { id, position, steps }: NewSchemaChange, allowed: boolean): Promise<SchemaChangeState> {
    await this.#db.run(`DELETE FROM terrafusion.schema_changes WHERE pair_id = $1 AND state = 'waiting' AND id <> $2`, [
      pairId,
      id,
    ]);
    const row = await this.#db.one<{ state: SchemaChangeState }>(
      `INSERT INTO terrafusion.schema_changes AS c (pair_id, id, position, steps, state, decided_by, decided_at)
       SELECT p.id, $2, $3, $4::jsonb, CASE WHEN $5 THEN 'approved' ELSE 'waiting' END, CASE WHEN $5 THEN '${POLICY}' END,
              CASE WHEN $5 THEN clock_timestamp() END
         FROM terrafusion.sync_pairs p WHERE p.id = $1
       ON CONFLICT (pair_id, id) DO UPDATE SET
         state = CASE WHEN $5 AND c.state = 'waiting' THEN 'approved' ELSE c.state END,
         decided_by = CASE WHEN $5 THEN coalesce(c.decided_by, '${POLICY}') ELSE c.decided_by END,
         decided_at = CASE WHEN $5 THEN coalesce(c.decided_at, clock_timestamp()) ELSE c.decided_at END
       RETURNING state`,
      [pairId, id, position, JSON.stringify(steps), allowed],
    );
    return row?.state ?? 'waiting';
  }

  /** Whether {@link settle} may find something. */
  async hasApproved(pairId: string): Promise<boolean> {
    const row = await this.#db.one(
      `SELECT FROM terrafusion.schema_changes WHERE pair_id = $1 AND state = 'approved' LIMIT 1`,
      [pairId],
    );
    return row !== undefined;
  }

  /** What the target holds has passed these changes. @returns those that were not known to be applied */
  async settle(pairId: string, position: string): Promise<SchemaChangeRecord[]> {
    const held = parsePosition(position);
    const open = await this.#db.query<Row>(
      `SELECT ${columns} FROM terrafusion.schema_changes WHERE pair_id = $1 AND state = 'approved' ORDER BY created_at`,
      [pairId],
    );
    const passed = open.filter((row) => comparePositions(parsePosition(row.position), held) <= 0);
    if (passed.length === 0) return [];
    const rows = await this.#db.query<Row>(
      `UPDATE terrafusion.schema_changes SET state = 'applied', applied_at = clock_timestamp()
        WHERE pair_id = $1 AND id = ANY ($2) AND state = 'approved' RETURNING ${columns}`,
      [pairId, passed.map(({ id }) => id)],
    );
    return rows.map(toRecord);
  }

  /** The change that waits for somebody. */
  async waiting(pairId: string): Promise<SchemaChangeRecord | undefined> {
    const row = await this.#db.one<Row>(
      `SELECT ${columns} FROM terrafusion.schema_changes WHERE pair_id = $1 AND state = 'waiting' ORDER BY created_at DESC LIMIT 1`,
      [pairId],
    );
    return row && toRecord(row);
  }

  /** The latest ones first. */
  async list(pairId: string, { limit, cursor }: PageRequest): Promise<Page<SchemaChangeRecord>> {
    const before = cursor === undefined ? undefined : decodeCursor(cursor, 'moment', 'text');
    const where = new Conditions()
      .add('pair_id = ?', pairId)
      .add('(created_at, id) < (?::timestamptz, ?)', before?.[0], before?.[1]);
    const rows = await this.#db.query<Row & { readonly created_at_text: string }>(
      `SELECT ${columns}, created_at::text AS created_at_text FROM terrafusion.schema_changes WHERE ${where.toString()}
        ORDER BY created_at DESC, id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, (row) => [row.created_at_text, row.id], toRecord);
  }

  /** Lets the waiting change through. @throws CONFLICTING_STATE when none waits, or another one than the named */
  async approve(pairId: string, id: string | undefined, by: string): Promise<SchemaChangeRecord> {
    const waiting = await this.waiting(pairId);
    if (!waiting) throw new TerraFusionError('CONFLICTING_STATE', 'No schema change of this pair waits for approval');
    if (id !== undefined && id !== waiting.id) {
      throw new TerraFusionError('CONFLICTING_STATE', `Schema change "${id}" does not wait; "${waiting.id}" does`, {
        details: { change: waiting.id },
      });
    }
    const row = await this.#db.one<Row>(
      `UPDATE terrafusion.schema_changes SET state = 'approved', decided_by = $3, decided_at = clock_timestamp()
        WHERE pair_id = $1 AND id = $2 AND state = 'waiting' RETURNING ${columns}`,
      [pairId, waiting.id, by],
    );
    if (!row) throw new TerraFusionError('CONFLICTING_STATE', 'The schema change was decided meanwhile');
    return toRecord(row);
  }
}

function toRecord(row: Row): SchemaChangeRecord {
  return {
    id: row.id,
    position: row.position,
    steps: row.steps,
    state: row.state,
    createdAt: row.created_at,
    decidedBy: row.decided_by ?? undefined,
    decidedAt: row.decided_at ?? undefined,
    appliedAt: row.applied_at ?? undefined,
  };
}
