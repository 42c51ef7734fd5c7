import { appendAudit, verifyAudit, type AuditEntry, type AuditVerdict } from '#services/kernel/audit.ts';
import type { Database, Queryable } from '#services/kernel/database/index.ts';
import { entryWithin, type Scope } from './scope.ts';
import { Conditions, containing, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

export type { AuditEntry, AuditVerdict };

/** An entry of the trail as it is shown. */
export interface AuditRecord {
  /** Number in the chain; grows, with gaps. */
  readonly seq: string;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly entityKind: string | undefined;
  readonly entityId: string | undefined;
  readonly outcome: 'success' | 'failure';
  readonly requestId: string | undefined;
  readonly before: unknown;
  readonly after: unknown;
  /** In hexadecimal. */
  readonly hash: string;
}

export interface AuditFilter {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly entityKind?: string | undefined;
  readonly entityId?: string | undefined;
  /** Of one of these. */
  readonly entityIds?: readonly string[] | undefined;
  readonly outcome?: 'success' | 'failure' | undefined;
  /** Anywhere in the entry, upper or lower case. */
  readonly text?: string | undefined;
}

interface Row {
  readonly id: bigint;
  readonly at: Date;
  readonly actor: string;
  readonly action: string;
  readonly entity_kind: string | null;
  readonly entity_id: string | null;
  readonly outcome: 'success' | 'failure';
  readonly request_id: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly hash: Buffer;
}

/** Who did what. Entries are only ever added, each chained to the one before. */
export class AuditTrail {
  readonly #db: Queryable;
  readonly #scope: Scope;

  /** @param db the database itself, or the transaction of what the entries tell about */
  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /** Adds an entry: in our transaction if we are in one, else in one of its own. Secrets are masked. */
  async append(entry: AuditEntry): Promise<void> {
    if (isDatabase(this.#db)) await this.#db.transaction((transaction) => appendAudit(transaction, entry));
    else await appendAudit(this.#db, entry);
  }

  /** Latest first. */
  async list(filter: AuditFilter, { limit, cursor }: PageRequest): Promise<Page<AuditRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 1)[0];
    const where = new Conditions()
      .add('at >= ?', filter.since)
      .add('at < ?', filter.until)
      .add('actor = ?', filter.actor)
      .add('action = ?', filter.action)
      .add('entity_kind = ?', filter.entityKind)
      .add('entity_id = ?', filter.entityId)
      .add('entity_id = ANY (?)', filter.entityIds)
      .add('outcome = ?', filter.outcome)
      .add(
        `concat_ws(' ', actor, action, entity_kind, entity_id, request_id, before::text, after::text) ILIKE ?`,
        containing(filter.text),
      )
      .add('id < ?::bigint', after !== undefined && !/^\d{1,18}$/.test(after) ? '0' : after);
    const rows = await this.#db.query<Row>(
      `SELECT id, at, actor, action, entity_kind, entity_id, outcome, request_id, before, after, hash
         FROM terrafusion.audit_entries WHERE ${where.toString()}
          AND ${entryWithin(where.bind(this.#scope))} ORDER BY id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ id }) => [id.toString()], toRecord);
  }

  /** Walks the whole chain. Not within a transaction: it is long. */
  async verify(): Promise<AuditVerdict> {
    if (!isDatabase(this.#db)) throw new TypeError('the trail is verified outside of transactions');
    return await verifyAudit(this.#db);
  }
}

function isDatabase(db: Queryable): db is Database {
  return 'transaction' in db;
}

function toRecord(row: Row): AuditRecord {
  return {
    seq: row.id.toString(),
    at: row.at,
    actor: row.actor,
    action: row.action,
    entityKind: row.entity_kind ?? undefined,
    entityId: row.entity_id ?? undefined,
    outcome: row.outcome,
    requestId: row.request_id ?? undefined,
    before: row.before,
    after: row.after,
    hash: row.hash.toString('hex'),
  };
}
