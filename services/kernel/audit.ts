import { createHash } from 'node:crypto';
import type { Queryable } from './database/index.ts';
import { maskFields } from './masking.ts';

/** What somebody did. */
export interface AuditEntry {
  /** Name of the key, or of the process that acted by itself. */
  readonly actor: string;
  /** "<entity>.<verb>": "sync_pair.pause". */
  readonly action: string;
  readonly entityKind?: string | undefined;
  readonly entityId?: string | undefined;
  readonly outcome: 'success' | 'failure';
  readonly requestId?: string | undefined;
  /** What was, and what is since; secrets in it are masked. */
  readonly before?: unknown;
  readonly after?: unknown;
}

/** An entry as it is stored; exactly this is what its hash covers. */
export interface AuditRow {
  readonly id: bigint;
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly entity_kind: string | null;
  readonly entity_id: string | null;
  readonly outcome: string;
  readonly request_id: string | null;
  readonly before: unknown;
  readonly after: unknown;
}

/** "terrafusion audit", as a number: whoever appends waits for the one before to commit, so there is one chain. */
const LOCK = '7310571648237091914';
/** What the first entry is chained to. */
export const ROOT = Buffer.alloc(32);
/** When an entry was made, with all its microseconds. */
export const AT = `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** Holds the chain's end until the transaction's end. To be taken once rows are locked, never before: everybody does so. */
export async function lockTrail(transaction: Queryable): Promise<void> {
  await transaction.run(`SELECT pg_advisory_xact_lock(${LOCK})`);
}

/**
 * Adds an entry in the transaction of what it tells about: both happen, or neither does. (Promise 9)
 * Others who append wait for that transaction, so let it be short, and append last. Returns the entry's number.
 */
export async function appendAudit(transaction: Queryable, entry: AuditEntry): Promise<bigint> {
  await lockTrail(transaction);
  // Numbers have gaps where a transaction was rolled back; under the lock they grow all the same.
  const last = await transaction.one<{ hash: Buffer }>(
    'SELECT hash FROM terrafusion.audit_entries ORDER BY id DESC LIMIT 1',
  );
  const next = await transaction.one<{ id: bigint; at: string }>(
    `SELECT nextval('terrafusion.audit_entries_id_seq') AS id, ${AT} AS at FROM clock_timestamp() AS at`,
  );
  const row: AuditRow = {
    id: next!.id,
    at: next!.at,
    actor: storable(entry.actor) as string,
    action: storable(entry.action) as string,
    entity_kind: orNull(entry.entityKind),
    entity_id: orNull(entry.entityId),
    outcome: entry.outcome,
    request_id: orNull(entry.requestId),
    before: storable(maskFields(entry.before)),
    after: storable(maskFields(entry.after)),
  };
  const previous = last?.hash ?? ROOT;
  await transaction.run(
    `INSERT INTO terrafusion.audit_entries
       (id, at, actor, action, entity_kind, entity_id, outcome, request_id, before, after, previous_hash, hash)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      ...[row.id, row.at, row.actor, row.action, row.entity_kind, row.entity_id, row.outcome, row.request_id],
      ...[jsonOrNull(row.before), jsonOrNull(row.after), previous, auditHash(previous, row)],
    ],
  );
  return row.id;
}

/** The hash of an entry that follows one with the hash `previous`. */
export function auditHash(previous: Buffer, row: AuditRow): Buffer {
  const { id, at, actor, action, entity_kind, entity_id, outcome, request_id, before, after } = row;
  const content = canonicalJson({
    id: id.toString(),
    at,
    actor,
    action,
    entity_kind,
    entity_id,
    outcome,
    request_id,
    before,
    after,
  });
  return createHash('sha256').update(previous).update(content).digest();
}

/** JSON with the names of every object in order, so that equal data has equal text: jsonb keeps its own order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}

/** As jsonb will give it back: no undefined, no NUL and no half of a surrogate pair, which PostgreSQL does not take. */
export function storable(value: unknown): unknown {
  if (value === undefined) return null;
  return JSON.parse(JSON.stringify(value), (_, part: unknown) => {
    if (typeof part === 'string') return clean(part);
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, field]) => [clean(name), field]));
  }) as unknown;
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\u{fffd}');
}

function orNull(text: string | undefined): string | null {
  return text === undefined ? null : clean(text);
}

function jsonOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}
