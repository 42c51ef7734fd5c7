import type { Queryable } from '#services/kernel/database/index.ts';
import { systemWithin, type Scope } from './scope.ts';

/** What the reader of a source last saw. LSNs as PostgreSQL prints them. */
export interface SourceStatusRecord {
  readonly state: string;
  readonly generation?: number | undefined;
  readonly source_lsn?: string | undefined;
  readonly received_lsn?: string | undefined;
  readonly acknowledged_lsn?: string | undefined;
  readonly error?: { readonly code: string; readonly message: string; readonly fix: string } | undefined;
  /** Code of the trouble that it has not got over yet, which `error` alone does not tell: while it connects again there is none. */
  readonly trouble?: string | undefined;
}

export interface SourceStatusSeen extends SourceStatusRecord {
  readonly updatedAt: Date;
}

/** How the readers are doing, for people: the latest word of each. */
export class SourceStatuses {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  async record(sourceId: string, status: SourceStatusRecord): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.source_status (source_id, status) SELECT id, $2 FROM terrafusion.systems WHERE id = $1
       ON CONFLICT (source_id) DO UPDATE SET status = EXCLUDED.status, updated_at = clock_timestamp()`,
      [sourceId, status],
    );
  }

  /** Sources whose reading waits or has halted, by the word of a reader that was heard within the last quarter minute. */
  async waiting(): Promise<
    { readonly source: string; readonly code: string; readonly message: string; readonly fix: string }[]
  > {
    return await this.#db.query(
      `SELECT s.name AS source, t.status->'error'->>'code' AS code, t.status->'error'->>'message' AS message, t.status->'error'->>'fix' AS fix
         FROM terrafusion.source_status t JOIN terrafusion.systems s ON s.id = t.source_id
        WHERE t.status ? 'error' AND t.status->>'state' = 'waiting' AND t.updated_at > clock_timestamp() - interval '15 seconds'
          AND EXISTS (SELECT FROM terrafusion.sync_pairs p WHERE p.source_id = s.id AND p.deleted_at IS NULL)
          AND ${systemWithin('s.id', '$1')}
        ORDER BY s.name LIMIT 100`,
      [this.#scope],
    );
  }

  /** The trouble that its reader has not got over; its word is held until the transaction's end. */
  async holdTrouble(sourceId: string): Promise<string | undefined> {
    const row = await this.#db.one<{ code: string | null }>(
      `SELECT status->>'trouble' AS code FROM terrafusion.source_status WHERE source_id = $1 FOR UPDATE`,
      [sourceId],
    );
    return row?.code ?? undefined;
  }

  async of(sourceId: string): Promise<SourceStatusSeen | undefined> {
    const row = await this.#db.one<{ status: SourceStatusRecord; updated_at: Date }>(
      'SELECT status, updated_at FROM terrafusion.source_status WHERE source_id = $1',
      [sourceId],
    );
    return row && { ...row.status, updatedAt: row.updated_at };
  }
}
