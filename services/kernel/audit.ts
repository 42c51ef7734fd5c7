import { createHash } from 'node:crypto';
import type { Database, Queryable } from './database/index.ts';
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

/** Whether the chain holds. */
export interface AuditVerdict {
  readonly ok: boolean;
  /** Entries that were looked at. */
  readonly entries: number;
  /** The first entry at which the chain does not hold. */
  readonly brokenAt?: bigint;
  readonly reason?: string;
}

interface Row {
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
const ROOT = Buffer.alloc(32);
const AT = `to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const PAGE = 1000;

/**
 * Adds an entry in the transaction of what it tells about: both happen, or neither does. (Promise 9)
 * Others who append wait for that transaction, so let it be short, and append last. Returns the entry's number.
 */
export async function appendAudit(transaction: Queryable, entry: AuditEntry): Promise<bigint> {
  await transaction.run(`SELECT pg_advisory_xact_lock(${LOCK})`);
  // Numbers have gaps where a transaction was rolled back; under the lock they grow all the same.
  const last = await transaction.one<{ hash: Buffer }>(
    'SELECT hash FROM terrafusion.audit_entries ORDER BY id DESC LIMIT 1',
  );
  const next = await transaction.one<{ id: bigint; at: string }>(
    `SELECT nextval('terrafusion.audit_entries_id_seq') AS id, ${AT} AS at FROM clock_timestamp() AS at`,
  );
  const row: Row = {
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
      ...[jsonOrNull(row.before), jsonOrNull(row.after), previous, hashOf(previous, row)],
    ],
  );
  return row.id;
}

/**
 * Walks the whole chain in pages. Names the first entry that was changed, put in, or follows one that was taken out. Entries cut off
 * at the end cannot be seen from the chain alone: keep its last number and hash elsewhere for that.
 */
export async function verifyAudit(database: Database): Promise<AuditVerdict> {
  let previous: Buffer = ROOT;
  let after = 0n;
  let entries = 0;
  for (;;) {
    const rows = await database.query<Row & { previous_hash: Buffer; hash: Buffer }>(
      `SELECT id, ${AT} AS at, actor, action, entity_kind, entity_id, outcome, request_id, before, after, previous_hash, hash
       FROM terrafusion.audit_entries WHERE id > $1 ORDER BY id LIMIT ${PAGE}`,
      [after],
    );
    for (const row of rows) {
      entries += 1;
      if (!row.previous_hash.equals(previous)) {
        return {
          ok: false,
          entries,
          brokenAt: row.id,
          reason: 'It does not follow the entry before it: entries were taken out, put in or put in another order.',
        };
      }
      if (!row.hash.equals(hashOf(previous, row))) {
        return { ok: false, entries, brokenAt: row.id, reason: 'Its content is not what was written.' };
      }
      previous = row.hash;
      after = row.id;
    }
    if (rows.length < PAGE) return { ok: true, entries };
  }
}

function hashOf(previous: Buffer, row: Row): Buffer {
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
