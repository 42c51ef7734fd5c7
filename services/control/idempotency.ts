import { createHash } from 'node:crypto';
import { Secret } from '#schemas/secret.ts';
import { isEncrypted, type SecretBox } from '#services/kernel/secrets.ts';
import type { Queryable } from '#services/kernel/database/index.ts';

/** What was answered to a request. */
export interface StoredReply {
  readonly status: number;
  readonly body: unknown;
}

/** A request that carries an Idempotency-Key. */
export interface KeyedRequest {
  /** Whose key it is: two callers may choose the same text. */
  readonly actor: string;
  readonly key: string;
  /** SHA-256 over what was asked for. */
  readonly hash: Buffer;
}

export type Begun =
  | { readonly kind: 'new' }
  | { readonly kind: 'answered'; readonly reply: StoredReply }
  /** The key was used for another request. */
  | { readonly kind: 'other' };

/** How long an answer is kept. */
const KEEP = '24 hours';

/** @param limits names what the caller is limited to: tokens of one holder may differ in that, and the answer to one is not for the other */
export function hashRequest(method: string, path: string, body: unknown, limits = ''): Buffer {
  return createHash('sha256')
    .update(`${method} ${path}\n${limits}`)
    .update(JSON.stringify(body ?? null))
    .digest();
}

/** Answers to requests that carried an Idempotency-Key: sent again, they are answered again and not done again. */
export class IdempotencyKeys {
  readonly #db: Queryable;
  readonly #secrets: SecretBox;

  constructor(db: Queryable, secrets: SecretBox) {
    this.#db = db;
    this.#secrets = secrets;
  }

  /**
   * Takes the key for this request. To be called first in the transaction that does the work: a second request with the same key
   * waits here until that one has committed, and then finds its answer; was it rolled back, the second one is the first.
   */
  async begin({ actor, key, hash }: KeyedRequest): Promise<Begun> {
    const taken = await this.#db.run(
      `INSERT INTO terrafusion.idempotency_keys AS k (actor, key, request_hash, expires_at)
       VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
       ON CONFLICT (actor, key) DO UPDATE SET request_hash = EXCLUDED.request_hash, status = NULL, response = NULL,
         created_at = clock_timestamp(), expires_at = EXCLUDED.expires_at
       WHERE k.expires_at <= clock_timestamp()`,
      [actor, key, hash, KEEP],
    );
    return taken > 0 ? { kind: 'new' } : ((await this.look({ actor, key, hash })) ?? { kind: 'new' });
  }

  /** What is known of the request so far; undefined: nothing. */
  async look({ actor, key, hash }: KeyedRequest): Promise<Begun | undefined> {
    const row = await this.#db.one<{ request_hash: Buffer; status: number | null; response: unknown }>(
      `SELECT request_hash, status, response FROM terrafusion.idempotency_keys
        WHERE actor = $1 AND key = $2 AND expires_at > clock_timestamp()`,
      [actor, key],
    );
    if (!row) return undefined;
    if (!row.request_hash.equals(hash)) return { kind: 'other' };
    if (row.status === null) return undefined;
    return { kind: 'answered', reply: { status: row.status, body: this.#opened(row.response) } };
  }

  #opened(response: unknown): unknown {
    return isEncrypted(response) ? JSON.parse(this.#secrets.decrypt(response).reveal()) : response;
  }

  /** Keeps the answer, in the transaction of the work; encrypted when it holds a secret. (Promise 8) */
  async answer(
    { actor, key }: KeyedRequest,
    { status, body }: StoredReply,
    { secret = false }: { readonly secret?: boolean } = {},
  ): Promise<void> {
    const text = JSON.stringify(body ?? null);
    await this.#db.run(
      'UPDATE terrafusion.idempotency_keys SET status = $3, response = $4 WHERE actor = $1 AND key = $2',
      [actor, key, status, secret ? JSON.stringify(this.#secrets.encrypt(new Secret(text))) : text],
    );
  }

  /** Forgets what is too old to be asked for again. */
  async purge(): Promise<number> {
    return await this.#db.run('DELETE FROM terrafusion.idempotency_keys WHERE expires_at <= clock_timestamp()');
  }
}
