import { appendAudit, type AuditEntry } from '#services/kernel/audit.ts';
import { noteAudit, tellBursts, type AuditEvent } from '#services/kernel/audit-bursts.ts';
import { pruneAudit, type Checkpoint, type Pruned, type Signer } from '#services/kernel/audit-checkpoint.ts';
import { verifyAudit, type AuditMark, type AuditVerdict } from '#services/kernel/audit-verify.ts';
import type { Database, Queryable } from '#services/kernel/database/index.ts';
import { auditEvents, keeps, type AuditEventName } from './audit-events.ts';
import { entryWithin, type Scope } from './scope.ts';
import { Conditions, containing, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

export type { AuditEntry, AuditEvent, AuditMark, AuditVerdict, Checkpoint };

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
  readonly requestId?: string | undefined;
  /** Anywhere in the entry, upper or lower case. */
  readonly text?: string | undefined;
}

/** What the pipeline has seen. */
export interface PipelineEvent {
  readonly name: AuditEventName;
  /** Id of the pair, operation or system; name of the component. */
  readonly entityId: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The pair's `audit_level`; left out for what belongs to no pair. */
  readonly level?: string | undefined;
  /** The same event with another value here is another one. */
  readonly distinct?: string | undefined;
  /** Who tells it; the sync-service when left out. */
  readonly actor?: string;
}

export interface Counted {
  readonly value: string;
  readonly count: number;
}

/** The trail in figures. */
export interface AuditSummary {
  readonly entries: number;
  readonly firstAt: Date | undefined;
  readonly lastAt: Date | undefined;
  /** The most frequent ones, most first. */
  readonly actions: readonly Counted[];
  readonly actors: readonly Counted[];
  readonly outcomes: readonly Counted[];
  /** By UTC day, "2026-01-31", latest first. */
  readonly days: readonly (Counted & { readonly failures: number })[];
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

/** Values of each kind that a summary names. */
const NAMED = 100;
const DAYS = 400;

/** Who did what. Entries are only ever added, each chained to the one before. */
export class AuditTrail {
  readonly #db: Queryable;
  readonly #signer: Signer;
  readonly #scope: Scope;

  /**
   * @param db the database itself, or the transaction of what the entries tell about
   * @param signer signs what cuts the trail
   */
  constructor(db: Queryable, signer: Signer, scope: Scope = null) {
    this.#db = db;
    this.#signer = signer;
    this.#scope = scope;
  }

  /** Adds an entry: in our transaction if we are in one, else in one of its own. Secrets are masked. */
  async append(entry: AuditEntry): Promise<void> {
    await this.#within(async (transaction) => {
      await appendAudit(transaction, entry);
    });
  }

  /** Adds an event; repeats of it within a while are counted, and become one entry. As {@link append} else. */
  async note(event: AuditEvent): Promise<void> {
    await this.#within((transaction) => noteAudit(transaction, event));
  }

  /** Notes what the pipeline has seen, if the pair's `audit_level` keeps it. */
  async event({ name, entityId, details, level, distinct, actor = 'sync-service' }: PipelineEvent): Promise<void> {
    const { entity, outcome } = auditEvents[name];
    const isOfPair = entity === 'sync_pair' || entity === 'sync_operation';
    if (isOfPair && !keeps(level, name)) return;
    await this.note({ actor, action: name, entityKind: entity, entityId, outcome, after: details, distinct });
  }

  /** Latest first. */
  async list(filter: AuditFilter, { limit, cursor }: PageRequest): Promise<Page<AuditRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'number')[0];
    const where = conditions(filter).add(
      'id < ?::bigint',
      after !== undefined && !/^\d{1,18}$/.test(after) ? '0' : after,
    );
    const rows = await this.#db.query<Row>(
      `SELECT id, at, actor, action, entity_kind, entity_id, outcome, request_id, before, after, hash
         FROM terrafusion.audit_entries WHERE ${where.toString()}
          AND ${entryWithin(where.bind(this.#scope))} ORDER BY id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ id }) => [id.toString()], toRecord);
  }

  /** Counted by action, actor, outcome and day, in one look at the table. */
  async summary(filter: AuditFilter): Promise<AuditSummary> {
    const where = conditions(filter);
    const rows = await this.#db.query<{
      kind: number;
      action: string | null;
      actor: string | null;
      outcome: string | null;
      day: string | null;
      count: number;
      failures: number;
      first_at: Date | null;
      last_at: Date | null;
    }>(
      `WITH counted AS (
         SELECT grouping(action, actor, outcome, day) AS kind, action, actor, outcome, day, count(*)::int AS count,
                (count(*) FILTER (WHERE outcome = 'failure'))::int AS failures, min(at) AS first_at, max(at) AS last_at
           FROM (SELECT action, actor, outcome, at, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day
                   FROM terrafusion.audit_entries
                  WHERE ${where.toString()} AND ${entryWithin(where.bind(this.#scope))}) AS e
          GROUP BY GROUPING SETS ((action), (actor), (outcome), (day), ())
       )
       SELECT * FROM (SELECT *, row_number() OVER (
           PARTITION BY kind ORDER BY day DESC, count DESC, action, actor, outcome) AS nth FROM counted) AS ranked
        WHERE nth <= CASE WHEN kind = 14 THEN ${DAYS} ELSE ${NAMED} END ORDER BY kind, nth`,
      where.values,
    );
    const of = (kind: number) => rows.filter((row) => row.kind === kind);
    const [total] = of(15);
    const counts = (kind: number, name: 'action' | 'actor' | 'outcome') =>
      of(kind).map((row) => ({ value: row[name]!, count: row.count }));
    return {
      entries: total?.count ?? 0,
      firstAt: total?.first_at ?? undefined,
      lastAt: total?.last_at ?? undefined,
      actions: counts(7, 'action'),
      actors: counts(11, 'actor'),
      outcomes: counts(13, 'outcome'),
      days: of(14).map(({ day, count, failures }) => ({ value: day!, count, failures })),
    };
  }

  /** Walks the whole chain. Not within a transaction: it is long. */
  async verify(known?: AuditMark): Promise<AuditVerdict> {
    return verifyAudit(this.#database, this.#signer, known);
  }

  /** The last entry. */
  async head(): Promise<AuditMark | undefined> {
    return this.#db.one<AuditMark>('SELECT id, hash FROM terrafusion.audit_entries ORDER BY id DESC LIMIT 1');
  }

  /** Writes what has been counted of events that repeat themselves, once their time is up. */
  async tellRepeated(): Promise<number> {
    return tellBursts(this.#database);
  }

  /** Removes entries that are older than so many days; what is left verifies. */
  async prune(keepDays: number, actor: string): Promise<Pruned> {
    return pruneAudit(this.#database, this.#signer, { keepDays, actor });
  }

  get #database(): Database {
    if (isDatabase(this.#db)) return this.#db;
    throw new TypeError('this is done to the trail outside of transactions');
  }

  async #within(work: (transaction: Queryable) => Promise<void>): Promise<void> {
    if (isDatabase(this.#db)) await this.#db.transaction(work);
    else await work(this.#db);
  }
}

function conditions(filter: AuditFilter): Conditions {
  return new Conditions()
    .add('at >= ?', filter.since)
    .add('at < ?', filter.until)
    .add('actor = ?', filter.actor)
    .add('action = ?', filter.action)
    .add('entity_kind = ?', filter.entityKind)
    .add('entity_id = ?', filter.entityId)
    .add('entity_id = ANY (?)', filter.entityIds)
    .add('outcome = ?', filter.outcome)
    .add('request_id = ?', filter.requestId)
    .add(
      `concat_ws(' ', actor, action, entity_kind, entity_id, request_id, before::text, after::text) ILIKE ?`,
      containing(filter.text),
    );
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
