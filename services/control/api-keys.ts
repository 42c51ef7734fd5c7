import { TerraFusionError } from '#schemas/errors.ts';
import type { Role } from '#schemas/http/common.ts';
import type { Secret } from '#schemas/secret.ts';
import {
  formatApiKey,
  generateApiKey,
  hashApiKeySecret,
  matchesApiKeySecret,
  parseApiKey,
} from '#services/kernel/api-keys.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import type { Scope } from './scope.ts';
import { Conditions, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

/** A key, without what opens. */
export interface ApiKeyRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly createdBy: string | undefined;
  readonly expiresAt: Date | undefined;
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
  readonly rotatedAt: Date | undefined;
  /** What it is limited to; undefined: to nothing. Of systems that are gone only the id is left. */
  readonly systems: readonly { readonly id: string; readonly name: string }[] | undefined;
}

export interface NewApiKey {
  readonly name: string;
  readonly role: Role;
  readonly createdBy?: string | undefined;
  /** ISO 8601. */
  readonly expiresAt?: string | undefined;
  /** Ids of the systems that it is limited to. */
  readonly systems?: Scope | undefined;
}

/** What a good key opens. */
export interface Verified {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly expiresAt?: Date | undefined;
  /** Ids of the systems that it is limited to; undefined: to none. */
  readonly systems?: readonly string[] | undefined;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly secret_sha256: Buffer;
  readonly created_at: Date;
  readonly created_at_text: string;
  readonly created_by: string | null;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
  readonly rotated_at: Date | null;
  readonly previous_sha256: Buffer | null;
  readonly systems: string[] | null;
  readonly system_names: { id: string; name: string }[] | null;
  readonly live: boolean;
}

const columns = `id, name, role, secret_sha256, created_at, created_at::text AS created_at_text, created_by, expires_at, last_used_at,
  revoked_at, rotated_at, systems, CASE WHEN previous_until > clock_timestamp() THEN previous_sha256 END AS previous_sha256,
  CASE WHEN systems IS NOT NULL THEN (
    SELECT jsonb_agg(jsonb_build_object('id', g.id, 'name', coalesce(s.name, g.id::text)) ORDER BY s.name, g.id)
      FROM unnest(systems) AS g (id) LEFT JOIN terrafusion.systems s ON s.id = g.id) END AS system_names,
  revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()) AS live`;

/** Compared against when there is no such key, so that an unknown id takes as long as a wrong secret. */
const nothing = Buffer.alloc(32);

/** Keys and their roles. Only a hash of the secret is stored. (Promise 8) */
export class ApiKeys {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Makes a key; its text is given back this once and stored nowhere. */
  async create(key: NewApiKey): Promise<{ record: ApiKeyRecord; key: Secret }> {
    const made = generateApiKey();
    const record = await this.#insert(made.id, made.secret, key);
    return { record: record!, key: formatApiKey(made) };
  }

  /** Takes over a key that was made elsewhere. One with its id that is there already stays as it is: undefined. */
  async adopt(text: Secret, key: NewApiKey): Promise<ApiKeyRecord | undefined> {
    const parsed = parseApiKey(text.reveal());
    if (!parsed) throw new TerraFusionError('CONFIG_INVALID', 'The key has not the form tfk_<id>_<secret>');
    return await this.#insert(parsed.id, parsed.secret, key);
  }

  /**
   * Gives the key another secret, which is given back this once and stored nowhere. The one before opens for `overlapS` seconds more, so
   * that whoever uses it can change over; sessions that it has opened end at once, but for the one that asks.
   * @throws NOT_FOUND; CONFLICTING_STATE when it opens nothing any more
   */
  async rotate(
    id: string,
    { overlapS, keepSession }: { readonly overlapS: number; readonly keepSession?: string | undefined },
  ): Promise<{ record: ApiKeyRecord; key: Secret }> {
    const made = { id, secret: generateApiKey().secret };
    const row = await this.#db.one<Row>(
      `WITH ended AS (DELETE FROM terrafusion.sessions WHERE key_id = $1 AND id IS DISTINCT FROM $4)
       UPDATE terrafusion.api_keys SET previous_sha256 = secret_sha256, previous_until = clock_timestamp() + make_interval(secs => $3),
              secret_sha256 = $2, rotated_at = clock_timestamp()
        WHERE id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()) RETURNING ${columns}`,
      [id, hashApiKeySecret(made.secret), overlapS, keepSession ?? null],
    );
    if (row) return { record: toRecord(row), key: formatApiKey(made) };
    await this.get(id);
    throw new TerraFusionError('CONFLICTING_STATE', `The API key "${id}" is revoked or expired: make another one`, {
      details: { id },
    });
  }

  /** Gives the key with this id another secret. Who has come in with the old one is out. */
  async replaceSecret(id: string, secret: Secret): Promise<void> {
    await this.#db.run(
      `WITH changed AS (UPDATE terrafusion.api_keys SET secret_sha256 = $2, previous_until = NULL WHERE id = $1 RETURNING id)
       DELETE FROM terrafusion.sessions WHERE key_id IN (SELECT id FROM changed)`,
      [id, hashApiKeySecret(secret)],
    );
  }

  /** Whom a key belongs to; undefined for one that is unknown, wrong, expired or revoked. Takes the same time for all of these. */
  async verify(text: string): Promise<Verified | undefined> {
    const parsed = parseApiKey(text);
    if (!parsed) return undefined;
    const row = await this.#row(parsed.id);
    // Both are compared, whatever the first one says.
    const matches = [row?.secret_sha256, row?.previous_sha256].map((hash) =>
      matchesApiKeySecret(parsed.secret, hash ?? nothing),
    );
    if (!row?.live || !matches.includes(true)) return undefined;
    // To the minute is enough, and spares a write for every request.
    if (row.last_used_at === null || Date.now() - row.last_used_at.getTime() > 60_000) {
      await this.#db.run('UPDATE terrafusion.api_keys SET last_used_at = clock_timestamp() WHERE id = $1', [row.id]);
    }
    return {
      id: row.id,
      name: row.name,
      role: row.role,
      expiresAt: row.expires_at ?? undefined,
      systems: row.systems ?? undefined,
    };
  }

  /** Whether the secret of an existing key is this one, whatever else is the matter with the key. */
  async matches(id: string, secret: Secret): Promise<boolean> {
    const row = await this.#row(id);
    return row !== undefined && matchesApiKeySecret(secret, row.secret_sha256);
  }

  /** @throws NOT_FOUND */
  async get(id: string): Promise<ApiKeyRecord> {
    const row = await this.#row(id);
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no API key "${id}"`, { details: { id } });
    return toRecord(row);
  }

  async find(id: string): Promise<ApiKeyRecord | undefined> {
    const row = await this.#row(id);
    return row && toRecord(row);
  }

  /** Oldest first, revoked ones included. */
  async list(
    filter: { readonly role?: Role | undefined },
    { limit, cursor }: PageRequest,
  ): Promise<Page<ApiKeyRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'moment', 'text');
    const where = new Conditions()
      .add('role = ?', filter.role)
      .add('(created_at, id) > (?::timestamptz, ?)', after?.[0], after?.[1]);
    const rows = await this.#db.query<Row>(
      `SELECT ${columns} FROM terrafusion.api_keys WHERE ${where.toString()}
        ORDER BY created_at, id LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, (row) => [row.created_at_text, row.id], toRecord);
  }

  /** How many administrator keys open something. Within a transaction they are held, so that none can be revoked meanwhile. */
  async countAdmins(): Promise<number> {
    const rows = await this.#db.query(
      `SELECT id FROM terrafusion.api_keys WHERE role = 'admin' AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY id FOR UPDATE`,
    );
    return rows.length;
  }

  /** From now on the key opens nothing. @throws NOT_FOUND; CONFLICTING_STATE when it was revoked before */
  async revoke(id: string): Promise<ApiKeyRecord> {
    const row = await this.#db.one<Row>(
      `UPDATE terrafusion.api_keys SET revoked_at = clock_timestamp() WHERE id = $1 AND revoked_at IS NULL RETURNING ${columns}`,
      [id],
    );
    if (row) return toRecord(row);
    await this.get(id);
    throw new TerraFusionError('CONFLICTING_STATE', `The API key "${id}" is revoked already`, { details: { id } });
  }

  #row(id: string): Promise<Row | undefined> {
    return this.#db.one<Row>(`SELECT ${columns} FROM terrafusion.api_keys WHERE id = $1`, [id]);
  }

  async #insert(
    id: string,
    secret: Secret,
    { name, role, createdBy, expiresAt, systems }: NewApiKey,
  ): Promise<ApiKeyRecord | undefined> {
    const row = await this.#db.one<Row>(
      `INSERT INTO terrafusion.api_keys (id, name, role, secret_sha256, created_by, expires_at, systems) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (id) DO NOTHING RETURNING ${columns}`,
      [id, name, role, hashApiKeySecret(secret), createdBy ?? null, expiresAt ?? null, systems ?? null],
    );
    return row && toRecord(row);
  }
}

function toRecord(row: Row): ApiKeyRecord {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    createdAt: row.created_at,
    createdBy: row.created_by ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
    rotatedAt: row.rotated_at ?? undefined,
    systems: row.system_names ?? undefined,
  };
}
