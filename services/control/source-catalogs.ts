import type { Queryable } from '#services/kernel/database/index.ts';

/** What the last look at a source's catalog has seen, by the tables' oids. */
export class SourceCatalogs {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Empty before the first look. */
  async of(sourceId: string): Promise<Readonly<Record<string, string>>> {
    const row = await this.#db.one<{ known: Record<string, string> }>(
      'SELECT known FROM terrafusion.source_catalogs WHERE source_id = $1',
      [sourceId],
    );
    return row?.known ?? {};
  }

  async record(sourceId: string, known: Readonly<Record<string, string>>): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.source_catalogs (source_id, known) SELECT id, $2 FROM terrafusion.systems WHERE id = $1
       ON CONFLICT (source_id) DO UPDATE SET known = EXCLUDED.known, looked_at = clock_timestamp()`,
      [sourceId, known],
    );
  }

  /** Nothing is read from the source any more: the next look tells of every table. */
  async forget(sourceId: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.source_catalogs WHERE source_id = $1', [sourceId]);
  }
}
