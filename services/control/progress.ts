import type { Queryable } from '#services/kernel/database/index.ts';
import { pairWithin, type Scope } from './scope.ts';

/** What the sync-service tells of a pair's stream. */
export interface PairProgress {
  /** What the target holds. */
  readonly position: string;
  /** As PostgreSQL prints it. */
  readonly commitLsn: string;
  /** From where it needs the source's topic; left as it is when undefined (a stage before tells it: `recordNeeded`). */
  readonly nextOffset: bigint | undefined;
  readonly lagBytes: number | undefined;
  /** 0 when nothing waits. */
  readonly lagSeconds: number;
  /** In all since the pair was made. */
  readonly changesApplied: number;
}

/** How far each pair is, for people and for trimming topics; about a second old. The targets hold the truth. */
export class Progress {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /** Call it about once a second and at the end, not for every batch. */
  async record(pairId: string, progress: PairProgress): Promise<void> {
    const { position, commitLsn, nextOffset, lagBytes, lagSeconds, changesApplied } = progress;
    await this.#db.run(
      `INSERT INTO terrafusion.pair_progress AS g
         (pair_id, position, commit_lsn, next_offset, lag_bytes, lag_seconds, changes_applied, applied_at)
       SELECT id, $2, $3, $4, $5, $6, $7, clock_timestamp() FROM terrafusion.sync_pairs WHERE id = $1
       ON CONFLICT (pair_id) DO UPDATE SET
         applied_at = CASE WHEN g.position IS DISTINCT FROM EXCLUDED.position THEN clock_timestamp() ELSE g.applied_at END,
         position = EXCLUDED.position, commit_lsn = EXCLUDED.commit_lsn, next_offset = coalesce(EXCLUDED.next_offset, g.next_offset),
         lag_bytes = EXCLUDED.lag_bytes, lag_seconds = EXCLUDED.lag_seconds, changes_applied = EXCLUDED.changes_applied,
         updated_at = clock_timestamp()`,
      [pairId, position, commitLsn, nextOffset ?? null, lagBytes ?? null, lagSeconds, changesApplied],
    );
  }

  /** From where the pair needs the source's topic, told by its stream processor when that has a topic of its own behind it. */
  async recordNeeded(pairId: string, nextOffset: bigint): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.pair_progress (pair_id, next_offset) SELECT id, $2 FROM terrafusion.sync_pairs WHERE id = $1
       ON CONFLICT (pair_id) DO UPDATE SET next_offset = EXCLUDED.next_offset`,
      [pairId, nextOffset],
    );
  }

  /** From which position on the pair's ready topic is written by a version of its definition. */
  async recordProcessor(pairId: string, version: number, position: string): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.pair_progress (pair_id, processor_version, processor_position)
       SELECT id, $2, $3 FROM terrafusion.sync_pairs WHERE id = $1
       ON CONFLICT (pair_id) DO UPDATE SET processor_version = EXCLUDED.processor_version,
         processor_position = EXCLUDED.processor_position`,
      [pairId, version, position],
    );
  }

  /** As last told by {@link recordProcessor}. */
  async processorOf(pairId: string): Promise<{ readonly version: number; readonly position: string } | undefined> {
    const row = await this.#db.one<{ version: number | null; position: string | null }>(
      'SELECT processor_version AS version, processor_position AS position FROM terrafusion.pair_progress WHERE pair_id = $1',
      [pairId],
    );
    if (row === undefined || row.version === null || row.position === null) return undefined;
    return { version: row.version, position: row.position };
  }

  /**
   * One entry a pair of the source that is not deleted, and a table sync: the offset from which it needs the source's topic, by its
   * stream or by the load under way; undefined when it will choose its start at the topic's end.
   */
  async neededOffsets(sourceId: string): Promise<(bigint | undefined)[]> {
    const rows = await this.#db.query<{ needed: bigint | null }>(
      // While a load is asked for or under way, what an earlier stream had reached means nothing.
      `SELECT CASE WHEN p.load->>'state' = 'done' THEN coalesce(g.next_offset, p.start_offset) ELSE p.start_offset END AS needed
         FROM terrafusion.sync_pairs p LEFT JOIN terrafusion.pair_progress g ON g.pair_id = p.id
        WHERE p.source_id = $1 AND p.deleted_at IS NULL
       UNION ALL
       SELECT s.needed_offset FROM terrafusion.table_syncs s JOIN terrafusion.sync_pairs p ON p.id = s.pair_id
        WHERE p.source_id = $1 AND p.deleted_at IS NULL AND s.needed_offset IS NOT NULL
          AND s.state IN ('requested', 'loading', 'catching_up', 'rejoining')`,
      [sourceId],
    );
    return rows.map(({ needed }) => needed ?? undefined);
  }

  /** Over all pairs: changes applied, rows copied, the worst lag. */
  async totals(): Promise<{ changesApplied: number; rowsCopied: number; lagSecondsMax: number | undefined }> {
    const row = await this.#db.one<{ changes: bigint; rows: bigint; lag: number | null }>(
      `WITH p AS (SELECT * FROM terrafusion.sync_pairs p WHERE ${pairWithin('p', '$1')})
       SELECT coalesce((SELECT sum(changes_applied) FROM terrafusion.pair_progress JOIN p ON p.id = pair_id), 0)::bigint AS changes,
              coalesce((SELECT sum(rows_copied) FROM terrafusion.pair_tables JOIN p ON p.id = pair_id), 0)::bigint AS rows,
              (SELECT max(g.lag_seconds) FROM terrafusion.pair_progress g JOIN p ON p.id = g.pair_id
                WHERE p.deleted_at IS NULL AND p.desired = 'running') AS lag`,
      [this.#scope],
    );
    return {
      changesApplied: Number(row!.changes),
      rowsCopied: Number(row!.rows),
      lagSecondsMax: row!.lag ?? undefined,
    };
  }
}
