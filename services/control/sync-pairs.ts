import { TerraFusionError } from '#schemas/errors.ts';
import type { DesiredState, PairConfig, PairState, TableInput } from '#schemas/pairs.ts';
import { isUniqueViolation } from '#services/kernel/database/index.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { Conditions, containing, cutPage, decodeCursor, isUuid, type Page, type PageRequest } from './pages.ts';
import {
  overviewColumns,
  overviewTables,
  pairColumns,
  pairTables,
  toOverview,
  toPair,
  type OverviewRow,
  type PairOverview,
  type PairRecord,
  type PairRow,
} from './pair-records.ts';
import { pairWithin, type Scope } from './scope.ts';

export interface NewPair {
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  /** undefined: every table, same names. */
  readonly tables: readonly TableInput[] | undefined;
  readonly config: PairConfig;
  readonly desired: DesiredState;
}

export interface PairChange {
  readonly name?: string | undefined;
  /** Tables and config as a whole; when they differ from the stored ones, the version grows by one. */
  readonly definition?: { readonly tables: readonly TableInput[] | undefined; readonly config: PairConfig } | undefined;
  /** Source tables that a pair without a list of tables takes from now on. */
  readonly members?: readonly string[] | undefined;
}

export interface PairFilter {
  readonly state?: PairState | undefined;
  readonly desired?: DesiredState | undefined;
  /** Id of a system that is source or target. */
  readonly systemId?: string | undefined;
  /** Part of the name. */
  readonly text?: string | undefined;
}

/** Key of an advisory lock, so that it meets nobody else's. */
const MAKING_LOCK = 0x74664a6f;

/** The pairs: what should be synchronised. How they run is in `pair-runs.ts`. */
export class SyncPairs {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /** @throws CONFLICTING_STATE when the name is taken */
  async create({ name, sourceId, targetId, tables, config, desired }: NewPair): Promise<PairOverview> {
    const row = await this.#named(name, () =>
      this.#db.one<{ id: string }>(
        `INSERT INTO terrafusion.sync_pairs (name, source_id, target_id, definition, desired) VALUES ($1, $2, $3, $4, $5)
         RETURNING id`,
        [name, sourceId, targetId, { tables: tables ?? null, config }, desired],
      ),
    );
    return await this.get(row!.id);
  }

  /** By id or name; deleted ones are not found. */
  async find(idOrName: string): Promise<PairOverview | undefined> {
    const row = await this.#db.one<OverviewRow>(
      `SELECT ${overviewColumns} FROM ${overviewTables}
        WHERE p.deleted_at IS NULL AND (p.id = $1 OR p.name = $2) AND ${pairWithin('p', '$3')}
        ORDER BY p.id = $1 DESC NULLS LAST LIMIT 1`,
      [isUuid(idOrName) ? idOrName : null, idOrName, this.#scope],
    );
    return row && toOverview(row);
  }

  /** @throws NOT_FOUND */
  async get(idOrName: string): Promise<PairOverview> {
    const pair = await this.find(idOrName);
    if (!pair) throw noSuchPair(idOrName);
    return pair;
  }

  /** Holds the pair until the transaction's end, so that two commands for it come one after the other. @throws NOT_FOUND */
  async lock(idOrName: string): Promise<PairOverview> {
    const row = await this.#db.one<{ id: string }>(
      `SELECT id FROM terrafusion.sync_pairs p WHERE deleted_at IS NULL AND (id = $1 OR name = $2) AND ${pairWithin('p', '$3')}
        ORDER BY id = $1 DESC NULLS LAST LIMIT 1 FOR UPDATE`,
      [isUuid(idOrName) ? idOrName : null, idOrName, this.#scope],
    );
    if (!row) throw noSuchPair(idOrName);
    return await this.get(row.id);
  }

  /** As {@link lock}, for who needs nothing of the pair; false when it is deleted. */
  async hold(id: string): Promise<boolean> {
    const row = await this.#db.one(
      'SELECT FROM terrafusion.sync_pairs WHERE id = $1 AND deleted_at IS NULL FOR UPDATE',
      [id],
    );
    return row !== undefined;
  }

  /** Looking for a pair and making it when there is none: one at a time, until the transaction's end. */
  async holdMaking(): Promise<void> {
    await this.#db.query('SELECT pg_advisory_xact_lock($1)', [MAKING_LOCK]);
  }

  /** By name, deleted ones left out. */
  async list(filter: PairFilter, { limit, cursor }: PageRequest): Promise<Page<PairOverview>> {
    const where = new Conditions()
      .add('p.state = ?', filter.state)
      .add('p.desired = ?', filter.desired)
      .add('? IN (p.source_id, p.target_id)', filter.systemId)
      .add('p.name LIKE ?', containing(filter.text))
      .add('p.name > ?', cursor === undefined ? undefined : decodeCursor(cursor, 'text')[0]);
    const rows = await this.#db.query<OverviewRow>(
      `SELECT ${overviewColumns} FROM ${overviewTables} WHERE p.deleted_at IS NULL AND ${where.toString()}
          AND ${pairWithin('p', where.bind(this.#scope))} ORDER BY p.name LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ name }) => [name], toOverview);
  }

  /** Every pair, deleted ones until they are purged: for reconciliation. */
  async all(): Promise<PairRecord[]> {
    const rows = await this.#db.query<PairRow>(
      `SELECT ${pairColumns} FROM ${pairTables} WHERE ${pairWithin('p', '$1')} ORDER BY p.created_at, p.id`,
      [this.#scope],
    );
    return rows.map(toPair);
  }

  /** How many there are in each state, deleted ones left out. */
  async countByState(): Promise<Record<string, number>> {
    const rows = await this.#db.query<{ state: string; count: number }>(
      `SELECT state, count(*)::int AS count FROM terrafusion.sync_pairs p
        WHERE deleted_at IS NULL AND ${pairWithin('p', '$1')} GROUP BY state ORDER BY state`,
      [this.#scope],
    );
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  }

  /** @throws NOT_FOUND; CONFLICTING_STATE when the name is taken */
  async change(id: string, { name, definition, members }: PairChange): Promise<PairOverview> {
    const stored = definition && { tables: definition.tables ?? null, config: definition.config };
    const touched = await this.#named(name ?? '', () =>
      this.#db.run(
        `UPDATE terrafusion.sync_pairs SET name = coalesce($2, name), definition = coalesce($3, definition),
           members = coalesce($4, members)
          WHERE id = $1 AND deleted_at IS NULL`,
        [id, name ?? null, stored ?? null, members ? JSON.stringify(members) : null],
      ),
    );
    if (touched === 0) throw noSuchPair(id);
    return await this.get(id);
  }

  /** Marks the pair as deleted: its name is free at once, what it left elsewhere is removed by the sync-service, then the row. @throws NOT_FOUND */
  async delete(id: string): Promise<void> {
    const touched = await this.#db.run(
      `UPDATE terrafusion.sync_pairs SET deleted_at = clock_timestamp(), desired = 'paused'
        WHERE id = $1 AND deleted_at IS NULL`,
      [id],
    );
    if (touched === 0) throw noSuchPair(id);
  }

  /**
   * Of a pair that is deleted already: what cannot be reached is to be left where it is.
   * @throws NOT_FOUND when there is none, or nothing of it is left
   */
  async forceRemoval(id: string): Promise<{ readonly id: string; readonly name: string }> {
    const row = await this.#db.one<{ id: string; name: string }>(
      `UPDATE terrafusion.sync_pairs p SET removal_forced = true
        WHERE id = $1 AND deleted_at IS NOT NULL AND ${pairWithin('p', '$2')} RETURNING id, name`,
      [isUuid(id) ? id : null, this.#scope],
    );
    if (!row) throw noSuchPair(id);
    return row;
  }

  /** Deleted pairs whose leftovers could not be removed yet. */
  async stuckRemovals(): Promise<{ id: string; name: string; code: string; message: string; fix: string }[]> {
    return await this.#db.query(
      `SELECT id, name, removal_error->>'code' AS code, removal_error->>'message' AS message, removal_error->>'fix' AS fix
         FROM terrafusion.sync_pairs p WHERE deleted_at IS NOT NULL AND removal_error IS NOT NULL AND ${pairWithin('p', '$1')}
        ORDER BY deleted_at LIMIT 100`,
      [this.#scope],
    );
  }

  /** Removes a deleted pair's row and everything that hangs on it, inline systems that nobody else uses included. */
  async purge(id: string): Promise<boolean> {
    const gone = await this.#db.run('DELETE FROM terrafusion.sync_pairs WHERE id = $1 AND deleted_at IS NOT NULL', [
      id,
    ]);
    await this.#db.run(
      `DELETE FROM terrafusion.systems s WHERE inline AND NOT EXISTS (
         SELECT FROM terrafusion.sync_pairs p WHERE s.id IN (p.source_id, p.target_id))`,
    );
    return gone > 0;
  }

  async #named<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!isUniqueViolation(cause, 'sync_pairs_name_key')) throw cause;
      throw new TerraFusionError('CONFLICTING_STATE', `There is a sync pair "${name}" already`, {
        cause,
        details: { field: 'name', name },
      });
    }
  }
}

export function noSuchPair(idOrName: string): TerraFusionError {
  return new TerraFusionError('NOT_FOUND', `There is no sync pair "${idOrName}"`, { details: { id: idOrName } });
}
