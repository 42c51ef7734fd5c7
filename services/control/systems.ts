import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { sourcePart } from '#schemas/stream-names.ts';
import type { CheckView } from '#schemas/http/common.ts';
import type { SystemInput, WalBudgetAction } from '#schemas/systems.ts';
import { isUniqueViolation, type Queryable } from '#services/kernel/database/index.ts';
import { isEncrypted, type SecretBox } from '#services/kernel/secrets.ts';
import { MASK } from '#services/kernel/masking.ts';
import { pairWithin, systemWithin, type Scope } from './scope.ts';
import { Conditions, containing, cutPage, decodeCursor, isUuid, type Page, type PageRequest } from './pages.ts';

/** A registered system. Its connection's secrets are masked: only `connectionOf` opens them. */
export interface SystemRecord {
  readonly id: string;
  readonly name: string;
  readonly kind: SystemInput['kind'];
  readonly environment: SystemInput['environment'];
  readonly connector: string;
  readonly connection: Readonly<Record<string, unknown>>;
  /** Made for a pair whose end was given inline. */
  readonly inline: boolean;
  /** WAL that it may keep for us as a source; undefined: as the settings say. */
  readonly walBudgetBytes: number | undefined;
  readonly onWalBudget: WalBudgetAction;
  /** What the last check found, in each role that it was looked at. Gone when the connection changes. */
  readonly lastChecks: Partial<Record<SystemRole, SystemCheck>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type SystemRole = 'source' | 'target';

export interface SystemCheck {
  /** ISO 8601. */
  readonly at: string;
  /** Every required check was good. */
  readonly ok: boolean;
  /** What was not good, advice included. */
  readonly failed: CheckView[];
}

export interface NewSystem {
  readonly name: string;
  readonly kind?: SystemInput['kind'];
  readonly environment?: SystemInput['environment'];
  readonly connector: string;
  /** As its connector wants it stored, secrets in clear: they are encrypted here. */
  readonly connection: Readonly<Record<string, unknown>>;
  /** Which fields of it are secrets. */
  readonly secretFields: readonly string[];
  readonly inline?: boolean;
  readonly walBudgetBytes?: number | undefined;
  readonly onWalBudget?: WalBudgetAction;
}

export interface SystemChange {
  readonly name?: string | undefined;
  readonly kind?: SystemInput['kind'] | undefined;
  readonly environment?: SystemInput['environment'] | undefined;
  readonly connection?:
    { readonly settings: Readonly<Record<string, unknown>>; readonly secretFields: readonly string[] } | undefined;
  /** null: as the settings say. */
  readonly walBudgetBytes?: number | null | undefined;
  readonly onWalBudget?: WalBudgetAction | undefined;
}

export interface SystemFilter {
  readonly kind?: string | undefined;
  readonly environment?: string | undefined;
  readonly connector?: string | undefined;
  /** Part of the name. */
  readonly text?: string | undefined;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly kind: SystemInput['kind'];
  readonly environment: SystemInput['environment'];
  readonly connector: string;
  readonly connection: Record<string, unknown>;
  readonly inline: boolean;
  readonly wal_budget_bytes: bigint | null;
  readonly on_wal_budget: WalBudgetAction;
  readonly checks: SystemRecord['lastChecks'] | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const columns = `id, name, kind, environment, connector, connection, inline, wal_budget_bytes, on_wal_budget, created_at, updated_at,
  (SELECT jsonb_object_agg(role, jsonb_build_object(
            'at', to_char(checked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'ok', ok, 'failed', failed))
     FROM terrafusion.system_checks WHERE system_id = systems.id) AS checks`;

/** The registered ends. (Promise 8: secrets are encrypted before they are stored, and leave only through `connectionOf`.) */
export class Systems {
  readonly #db: Queryable;
  readonly #secrets: SecretBox;
  readonly #scope: Scope;

  constructor(db: Queryable, secrets: SecretBox, scope: Scope = null) {
    this.#db = db;
    this.#secrets = secrets;
    this.#scope = scope;
  }

  /** @throws CONFLICTING_STATE when the name is taken; FORBIDDEN within a scope, which it would not be in */
  async create(system: NewSystem): Promise<SystemRecord> {
    if (this.#scope) throw new TerraFusionError('FORBIDDEN', 'A key that is limited to systems can register none');
    const { name, kind = 'Other', environment = 'production', connector, inline = false } = system;
    const { walBudgetBytes = null, onWalBudget = 'alarm' } = system;
    const row = await this.#named(name, () =>
      this.#db.one<Row>(
        `INSERT INTO terrafusion.systems (name, kind, environment, connector, connection, inline, wal_budget_bytes, on_wal_budget)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${columns}`,
        [
          name,
          kind,
          environment,
          connector,
          this.#seal(system.connection, system.secretFields),
          inline,
          walBudgetBytes,
          onWalBudget,
        ],
      ),
    );
    return toRecord(row!);
  }

  /** By id or name. */
  async find(idOrName: string): Promise<SystemRecord | undefined> {
    const row = await this.#row(idOrName);
    return row && toRecord(row);
  }

  /** @throws NOT_FOUND */
  async get(idOrName: string): Promise<SystemRecord> {
    const system = await this.find(idOrName);
    if (!system) throw noSuchSystem(idOrName);
    return system;
  }

  /** By name; those that were made for a pair are left out. */
  async list(filter: SystemFilter, { limit, cursor }: PageRequest): Promise<Page<SystemRecord>> {
    const where = new Conditions()
      .add('kind = ?', filter.kind)
      .add('environment = ?', filter.environment)
      .add('connector = ?', filter.connector)
      .add('name LIKE ?', containing(filter.text))
      .add('name > ?', cursor === undefined ? undefined : decodeCursor(cursor, 'text')[0]);
    const rows = await this.#db.query<Row>(
      `SELECT ${columns} FROM terrafusion.systems WHERE NOT inline AND ${where.toString()}
          AND ${systemWithin('id', where.bind(this.#scope))} ORDER BY name LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ name }) => [name], toRecord);
  }

  /** @throws NOT_FOUND; CONFLICTING_STATE when the name is taken */
  async change(id: string, wanted: SystemChange): Promise<SystemRecord> {
    const { name, kind, environment, connection, walBudgetBytes, onWalBudget } = wanted;
    const sealed = connection && this.#seal(connection.settings, connection.secretFields);
    // What was found at another place says nothing of this one.
    if (sealed !== undefined) {
      await this.#db.run(
        `DELETE FROM terrafusion.system_checks WHERE system_id = $1 AND ${systemWithin('system_id', '$2')}`,
        [id, this.#scope],
      );
    }
    const row = await this.#named(name ?? '', () =>
      this.#db.one<Row>(
        `UPDATE terrafusion.systems SET name = coalesce($2, name), kind = coalesce($3, kind),
                environment = coalesce($4, environment), connection = coalesce($5, connection),
                wal_budget_bytes = CASE WHEN $6 THEN $7 ELSE wal_budget_bytes END, on_wal_budget = coalesce($8, on_wal_budget)
          WHERE id = $1 AND ${systemWithin('id', '$9')} RETURNING ${columns}`,
        [
          id,
          name ?? null,
          kind ?? null,
          environment ?? null,
          sealed ?? null,
          walBudgetBytes !== undefined,
          walBudgetBytes ?? null,
          onWalBudget ?? null,
          this.#scope,
        ],
      ),
    );
    if (!row) throw noSuchSystem(id);
    return toRecord(row);
  }

  /** Keeps what a check has found; a system that has gone meanwhile is no error. */
  async noteCheck(id: string, role: SystemRole, { ok, failed }: Pick<SystemCheck, 'ok' | 'failed'>): Promise<void> {
    await this.#db.run(
      `INSERT INTO terrafusion.system_checks (system_id, role, ok, failed)
       SELECT id, $2, $3, $4 FROM terrafusion.systems WHERE id = $1 AND ${systemWithin('id', '$5')}
       ON CONFLICT (system_id, role) DO UPDATE
         SET checked_at = excluded.checked_at, ok = excluded.ok, failed = excluded.failed`,
      [id, role, ok, JSON.stringify(failed), this.#scope],
    );
  }

  /** @throws NOT_FOUND; CONFLICTING_STATE while pairs use it */
  async delete(id: string): Promise<void> {
    const pairs = await this.#db.query<{ name: string; deleted: boolean; within: boolean }>(
      `SELECT name, deleted_at IS NOT NULL AS deleted, ${pairWithin('p', '$2')} AS within FROM terrafusion.sync_pairs p
        WHERE $1 IN (source_id, target_id) ORDER BY deleted_at NULLS FIRST, name LIMIT 5`,
      [id, this.#scope],
    );
    if (pairs.length > 0) {
      const names = pairs.map(({ name, deleted, within }) =>
        !within ? 'a pair outside of what the key is limited to' : deleted ? `${name} (being removed)` : name,
      );
      throw new TerraFusionError('CONFLICTING_STATE', `The system is still used by: ${names.join(', ')}`, {
        details: { pairs: names },
      });
    }
    // A pair that is made in this moment meets the foreign key, or this statement does.
    const touched = await this.#db.run(
      `DELETE FROM terrafusion.systems WHERE id = $1 AND ${systemWithin('id', '$2')}`,
      [id, this.#scope],
    );
    if (touched === 0) throw noSuchSystem(id);
  }

  /**
   * How to reach the system, secrets in clear: for handing to its connector, and to nobody else.
   * @throws NOT_FOUND; MASTER_KEY_WRONG
   */
  async connectionOf(idOrName: string): Promise<{ connector: string; settings: Readonly<Record<string, unknown>> }> {
    const row = await this.#row(idOrName);
    if (!row) throw noSuchSystem(idOrName);
    const opened = this.#secrets.unseal(row.connection) as Record<string, unknown>;
    const settings = Object.fromEntries(
      Object.entries(opened).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]),
    );
    return { connector: row.connector, settings };
  }

  /** Ids of systems whose secrets are encrypted with another master key than that of now, deleted pairs' inline ones included. */
  async outdated(): Promise<string[]> {
    const rows = await this.#db.query<Pick<Row, 'id' | 'connection'>>(
      'SELECT id, connection FROM terrafusion.systems ORDER BY created_at, id',
    );
    return rows.filter(({ connection }) => this.#secrets.isOutdated(connection)).map(({ id }) => id);
  }

  /**
   * Encrypts a system's secrets with the master key of now; what they say stays. False when there was nothing to do any more.
   * @throws MASTER_KEY_WRONG when neither key opens them
   */
  async encryptAnew(id: string): Promise<boolean> {
    const row = await this.#db.one<Pick<Row, 'connection'>>(
      'SELECT connection FROM terrafusion.systems WHERE id = $1 FOR UPDATE',
      [id],
    );
    if (!row || !this.#secrets.isOutdated(row.connection)) return false;
    const sealed = this.#secrets.seal(this.#secrets.unseal(row.connection));
    await this.#db.run('UPDATE terrafusion.systems SET connection = $2 WHERE id = $1', [id, sealed]);
    return true;
  }

  /** What names of streams tell of each system's id. */
  async sourceParts(): Promise<ReadonlySet<string>> {
    const rows = await this.#db.query<{ id: string }>('SELECT id FROM terrafusion.systems');
    return new Set(rows.map(({ id }) => sourcePart(id)));
  }

  #row(idOrName: string): Promise<Row | undefined> {
    return this.#db.one<Row>(
      `SELECT ${columns} FROM terrafusion.systems WHERE (id = $1 OR name = $2) AND ${systemWithin('id', '$3')}
        ORDER BY id = $1 DESC NULLS LAST LIMIT 1`,
      [isUuid(idOrName) ? idOrName : null, idOrName, this.#scope],
    );
  }

  #seal(settings: Readonly<Record<string, unknown>>, secretFields: readonly string[]): unknown {
    const marked = Object.entries(settings).map(([name, value]) => [
      name,
      secretFields.includes(name) && typeof value === 'string' ? new Secret(value) : value,
    ]);
    return this.#secrets.seal(Object.fromEntries(marked));
  }

  async #named<T>(name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (!isUniqueViolation(cause, 'systems_name_key')) throw cause;
      throw new TerraFusionError('CONFLICTING_STATE', `There is a system "${name}" already`, {
        cause,
        details: { field: 'name', name },
      });
    }
  }
}

export function noSuchSystem(idOrName: string): TerraFusionError {
  return new TerraFusionError('NOT_FOUND', `There is no system "${idOrName}"`, { details: { id: idOrName } });
}

function toRecord({
  created_at: createdAt,
  updated_at: updatedAt,
  wal_budget_bytes: walBudget,
  on_wal_budget: onWalBudget,
  connection,
  checks,
  ...row
}: Row): SystemRecord {
  const shown = Object.entries(connection).map(([name, value]) => [name, isEncrypted(value) ? MASK : value]);
  return {
    ...row,
    connection: Object.fromEntries(shown) as Record<string, unknown>,
    walBudgetBytes: walBudget === null ? undefined : Number(walBudget),
    onWalBudget,
    lastChecks: checks ?? {},
    createdAt,
    updatedAt,
  };
}
