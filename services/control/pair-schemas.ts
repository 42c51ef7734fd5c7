import type { Queryable } from '#services/kernel/database/index.ts';

/** Something that is not at the target, or not as it is at the source. */
export interface SchemaGap {
  readonly object: string;
  readonly reason: string;
  readonly fix: string;
}

export interface PairSchemaReport {
  readonly made: readonly string[];
  readonly found: readonly string[];
  readonly skipped: readonly SchemaGap[];
}

/** What was made of the source's schema at a pair's target. */
export interface PairSchemaRecord extends PairSchemaReport {
  /** False while the rows are being loaded: indexes and constraints are still to come. */
  readonly complete: boolean;
  readonly updatedAt: Date;
}

interface Row {
  readonly prepared: PairSchemaReport;
  readonly completed: PairSchemaReport | null;
  readonly updated_at: Date;
}

export class PairSchemas {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** A load begins with `before`, which replaces what was told of an earlier one; `after` belongs to it. */
  async record(pairId: string, phase: 'before' | 'after', report: PairSchemaReport): Promise<void> {
    const text = JSON.stringify(report);
    const set = phase === 'before' ? 'prepared = EXCLUDED.prepared, completed = NULL' : 'completed = $2::jsonb';
    await this.#db.run(
      `INSERT INTO terrafusion.pair_schemas (pair_id, prepared, completed)
       SELECT p.id, CASE $3 WHEN 'before' THEN $2::jsonb ELSE '{"made": [], "found": [], "skipped": []}' END,
              CASE $3 WHEN 'after' THEN $2::jsonb END
         FROM terrafusion.sync_pairs p WHERE p.id = $1
       ON CONFLICT (pair_id) DO UPDATE SET ${set}, updated_at = clock_timestamp()`,
      [pairId, text, phase],
    );
    // People look at the operation first.
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET progress = progress || jsonb_build_object('schema_objects_skipped', (
           SELECT jsonb_array_length(prepared -> 'skipped') + coalesce(jsonb_array_length(completed -> 'skipped'), 0)
             FROM terrafusion.pair_schemas WHERE pair_id = $1))
        WHERE pair_id = $1 AND type IN ('full', 'resync') AND state = 'running'`,
      [pairId],
    );
  }

  /** A table has come: what is made once its rows are there is to come again. */
  async reopen(pairId: string): Promise<void> {
    await this.#db.run('UPDATE terrafusion.pair_schemas SET completed = NULL WHERE pair_id = $1', [pairId]);
  }

  /** Undefined before the first load has looked at the target. */
  async find(pairId: string): Promise<PairSchemaRecord | undefined> {
    const row = await this.#db.one<Row>(
      'SELECT prepared, completed, updated_at FROM terrafusion.pair_schemas WHERE pair_id = $1',
      [pairId],
    );
    if (!row) return undefined;
    const { prepared, completed } = row;
    const there = new Set([...(completed?.made ?? []), ...(completed?.found ?? [])]);
    const skipped = new Map([...prepared.skipped, ...(completed?.skipped ?? [])].map((gap) => [gap.object, gap]));
    return {
      made: [...new Set([...prepared.made, ...(completed?.made ?? [])])],
      found: [...new Set([...prepared.found, ...(completed?.found ?? [])])],
      skipped: [...skipped.values()].filter(({ object }) => !there.has(object)),
      complete: completed !== null,
      updatedAt: row.updated_at,
    };
  }
}
