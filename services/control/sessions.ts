import { createHash, randomBytes } from 'node:crypto';
import { Secret } from '#schemas/secret.ts';
import type { Role } from '#schemas/http/common.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import type { Verified } from './api-keys.ts';
import { Conditions, cutPage, decodeCursor, isUuid, type Page, type PageRequest } from './pages.ts';

/** A browser that has logged in, without what opens. */
export interface SessionRecord {
  readonly id: string;
  /** When it ends if nothing more is heard of it. */
  readonly expiresAt: Date;
  /** When it ends in any case. */
  readonly endsAt: Date;
}

/** A session as an administrator sees it. */
export interface OpenSessionRecord extends SessionRecord {
  readonly key: { readonly id: string; readonly name: string; readonly role: Role };
  readonly createdAt: Date;
  readonly lastSeenAt: Date;
}

/** How long sessions live, in seconds. */
export interface SessionLife {
  /** Left alone. */
  readonly idleS: number;
  /** In any case. */
  readonly longestS: number;
}

interface Row {
  readonly id: string;
  readonly expires_at: Date;
  readonly ends_at: Date;
  readonly touched: boolean;
  readonly key_id: string;
  readonly name: string;
  readonly role: Role;
  readonly systems: string[] | null;
}

/** Open sessions that one key may have; beyond, the one that was used least lately ends. */
const OF_ONE_KEY = 50;
const EXPIRES = 'least(s.last_seen_at + s.idle, s.ends_at, k.expires_at)';
const LIVE = `k.revoked_at IS NULL AND ${EXPIRES} > clock_timestamp()`;

interface OpenRow extends Omit<Row, 'touched' | 'systems'> {
  readonly created_at: Date;
  /** With microseconds, which a Date would lose. */
  readonly created_at_text: string;
  readonly last_seen_at: Date;
}

const selectOpen = `SELECT s.id, s.ends_at, ${EXPIRES} AS expires_at, s.created_at, s.created_at::text AS created_at_text, s.last_seen_at,
    k.id AS key_id, k.name, k.role FROM terrafusion.sessions s JOIN terrafusion.api_keys k ON k.id = s.key_id`;

/** Logged-in browsers. Only a hash of what the cookie holds is stored. (Promise 8) */
export class Sessions {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Begins a session of a key; what opens it is given back this once and stored nowhere. */
  async begin(keyId: string, { idleS, longestS }: SessionLife): Promise<{ session: SessionRecord; token: Secret }> {
    const token = new Secret(randomBytes(32).toString('base64url'));
    await this.#db.run(
      `DELETE FROM terrafusion.sessions WHERE id IN (
         SELECT id FROM terrafusion.sessions WHERE key_id = $1 ORDER BY last_seen_at DESC OFFSET $2)`,
      [keyId, OF_ONE_KEY - 1],
    );
    const row = await this.#db.one<Row>(
      `WITH s AS (
         INSERT INTO terrafusion.sessions (key_id, token_sha256, idle, ends_at)
         VALUES ($1, $2, make_interval(secs => $3), clock_timestamp() + make_interval(secs => $4)) RETURNING *)
       SELECT s.id, s.ends_at, ${EXPIRES} AS expires_at FROM s JOIN terrafusion.api_keys k ON k.id = s.key_id`,
      [keyId, hashOf(token.reveal()), idleS, longestS],
    );
    return { session: toRecord(row!), token };
  }

  /** Whose session it is; undefined for one that is unknown, has ended, or whose key opens nothing any more. Being asked keeps it open. */
  async verify(token: string): Promise<{ session: SessionRecord; holder: Verified } | undefined> {
    const row = await this.#db.one<Row>(
      `SELECT s.id, s.ends_at, ${EXPIRES} AS expires_at, k.id AS key_id, k.name, k.role, k.systems,
              clock_timestamp() - s.last_seen_at < least(s.idle / 10, interval '1 minute') AS touched
         FROM terrafusion.sessions s JOIN terrafusion.api_keys k ON k.id = s.key_id
        WHERE s.token_sha256 = $1 AND ${LIVE}`,
      [hashOf(token)],
    );
    if (!row) return undefined;
    const holder: Verified = { id: row.key_id, name: row.name, role: row.role, systems: row.systems ?? undefined };
    if (row.touched) return { session: toRecord(row), holder };
    // Now and then is enough, and spares a write for every request.
    const touched = await this.#db.one<Row>(
      `WITH s AS (UPDATE terrafusion.sessions SET last_seen_at = clock_timestamp() WHERE id = $1 RETURNING *),
            k AS (UPDATE terrafusion.api_keys SET last_used_at = clock_timestamp() WHERE id = $2 RETURNING *)
       SELECT s.id, s.ends_at, ${EXPIRES} AS expires_at FROM s, k`,
      [row.id, row.key_id],
    );
    return { session: toRecord(touched ?? row), holder };
  }

  /** Those that are open, the latest first. */
  async list(
    { keyId }: { readonly keyId?: string | undefined },
    { limit, cursor }: PageRequest,
  ): Promise<Page<OpenSessionRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'moment', 'uuid');
    const where = new Conditions()
      .add('s.key_id = ?', keyId)
      .add('(s.created_at, s.id) < (?::timestamptz, ?::uuid)', after?.[0], after?.[1]);
    const rows = await this.#db.query<OpenRow>(
      `${selectOpen} WHERE ${LIVE} AND ${where.toString()} ORDER BY s.created_at DESC, s.id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, (row) => [row.created_at_text, row.id], toOpen);
  }

  /** @throws NOT_FOUND */
  async get(id: string): Promise<OpenSessionRecord> {
    const row = isUuid(id) ? await this.#db.one<OpenRow>(`${selectOpen} WHERE ${LIVE} AND s.id = $1`, [id]) : undefined;
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no session "${id}"`, { details: { id } });
    return toOpen(row);
  }

  async end(id: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.sessions WHERE id = $1', [id]);
  }

  /** Ends the one that this token opens, whoever's it is. */
  async endByToken(token: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.sessions WHERE token_sha256 = $1', [hashOf(token)]);
  }

  /** Ends all of a key, but for the one that asks for it. */
  async endOfKey(keyId: string, exceptId?: string): Promise<void> {
    await this.#db.run('DELETE FROM terrafusion.sessions WHERE key_id = $1 AND id IS DISTINCT FROM $2', [
      keyId,
      exceptId ?? null,
    ]);
  }

  /** Forgets those that have ended. */
  async purge(): Promise<number> {
    return await this.#db.run(
      `DELETE FROM terrafusion.sessions s USING terrafusion.api_keys k WHERE k.id = s.key_id AND NOT (${LIVE})`,
    );
  }
}

// The token is random: there is nothing to guess, and nothing to learn from how long its hash is looked for.
const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

function toRecord({
  id,
  expires_at: expiresAt,
  ends_at: endsAt,
}: Pick<Row, 'id' | 'expires_at' | 'ends_at'>): SessionRecord {
  return { id, expiresAt, endsAt };
}

function toOpen(row: OpenRow): OpenSessionRecord {
  return {
    ...toRecord(row),
    key: { id: row.key_id, name: row.name, role: row.role },
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
  };
}
