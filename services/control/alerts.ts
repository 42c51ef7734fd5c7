import type { AlertCode, AlertState, Condition, Severity } from '#schemas/alerts.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { pairWithin, systemWithin, type Scope } from './scope.ts';
import { Conditions, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

/** What is to be told of an alert. */
export const notices = ['raised', 'worse', 'again', 'resolved'] as const;
export type Notice = (typeof notices)[number];

export interface AlertRecord {
  readonly id: string;
  readonly key: string;
  readonly code: AlertCode;
  readonly pair: string | null;
  readonly subject: string | null;
  readonly severity: Severity;
  readonly state: AlertState;
  readonly message: string;
  readonly value: number | null;
  readonly since: Date;
  readonly firedAt: Date | undefined;
  readonly seenAt: Date;
  readonly resolvedAt: Date | undefined;
  readonly acknowledgedAt: Date | undefined;
  readonly acknowledgedBy: string | undefined;
  readonly silencedUntil: Date | undefined;
  readonly silencedBy: string | undefined;
  readonly comment: string | undefined;
  readonly notice: Notice | undefined;
  readonly toldAt: Date | undefined;
}

/** One that is pending or firing. */
export type OpenAlert = AlertRecord;

export type AlertChange =
  | {
      readonly kind: 'seen';
      /** undefined: it is new. */
      readonly id: string | undefined;
      readonly key: string;
      readonly condition: Condition;
      readonly state: AlertState;
      readonly notice: Notice | undefined;
    }
  | { readonly kind: 'dropped'; readonly id: string }
  | { readonly kind: 'resolved'; readonly id: string; readonly notice: Notice | undefined };

export interface AlertFilter {
  readonly state?: AlertState | undefined;
  readonly open?: boolean | undefined;
  readonly code?: AlertCode | undefined;
  readonly severity?: Severity | undefined;
  readonly pair?: string | undefined;
}

interface Row {
  readonly id: bigint;
  readonly key: string;
  readonly code: AlertCode;
  readonly pair: string | null;
  readonly subject: string | null;
  readonly severity: Severity;
  readonly state: AlertState;
  readonly message: string;
  readonly value: number | null;
  readonly since: Date;
  readonly fired_at: Date | null;
  readonly seen_at: Date;
  readonly resolved_at: Date | null;
  readonly acknowledged_at: Date | null;
  readonly acknowledged_by: string | null;
  readonly silenced_until: Date | null;
  readonly silenced_by: string | null;
  readonly comment: string | null;
  readonly notice: Notice | null;
  readonly told_at: Date | null;
}

const columns = `id, key, code, pair, subject, severity, state, message, value, since, fired_at, seen_at, resolved_at, acknowledged_at,
  acknowledged_by, silenced_until, silenced_by, comment, notice, told_at`;
const select = `SELECT ${columns} FROM terrafusion.alerts`;
/** How long what has been is kept. */
const KEPT = '90 days';

/** What is and was wrong. Whoever changes it takes `lock` first, so that two processes see one after the other. */
export class Alerts {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /** Until the transaction ends. */
  async lock(): Promise<void> {
    await this.#db.query(`SELECT pg_advisory_xact_lock(hashtextextended('terrafusion.alerts', 0))`);
  }

  async open(): Promise<OpenAlert[]> {
    return (
      await this.#db.query<Row>(`${select} WHERE state <> 'resolved' AND ${within('$1')} ORDER BY id`, [this.#scope])
    ).map(toAlert);
  }

  async apply(changes: readonly AlertChange[], now: Date): Promise<void> {
    for (const change of changes) {
      if (change.kind === 'dropped') await this.#db.run('DELETE FROM terrafusion.alerts WHERE id = $1', [change.id]);
      else if (change.kind === 'resolved') {
        await this.#db.run(
          `UPDATE terrafusion.alerts SET state = 'resolved', resolved_at = $2::timestamptz, notice = $3::text,
             notice_at = CASE WHEN $3::text IS NOT NULL THEN $2::timestamptz END
            WHERE id = $1`,
          [change.id, now, change.notice ?? null],
        );
      } else await this.#seen(change, now);
    }
  }

  async #seen(
    { id, key, condition, state, notice: told }: Extract<AlertChange, { kind: 'seen' }>,
    now: Date,
  ): Promise<void> {
    const { code, pair, subject, severity, message, value } = condition;
    const notice = told ?? null;
    if (id === undefined) {
      await this.#db.run(
        `INSERT INTO terrafusion.alerts (key, code, pair, subject, severity, state, message, value, since, seen_at, fired_at, notice, notice_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, CASE WHEN $6 = 'firing' THEN $9::timestamptz END, $10,
                 CASE WHEN $10::text IS NOT NULL THEN $9::timestamptz END)`,
        [key, code, pair, subject, severity, state, message, value, now, notice],
      );
      return;
    }
    await this.#db.run(
      `UPDATE terrafusion.alerts SET severity = $2, state = $3, message = $4, value = $5, seen_at = $6::timestamptz,
         fired_at = CASE WHEN $3 = 'firing' THEN coalesce(fired_at, $6::timestamptz) END, notice = $7,
         notice_at = CASE WHEN $7::text IS NOT NULL THEN coalesce(notice_at, $6::timestamptz) END
        WHERE id = $1`,
      [id, severity, state, message, value, now, notice],
    );
  }

  /** Those of which something is to be told; since when the oldest waits. */
  async toTell(): Promise<{ readonly alerts: AlertRecord[]; readonly since: Date | undefined }> {
    const rows = await this.#db.query<Row & { readonly notice_at: Date }>(
      `SELECT ${columns}, notice_at FROM terrafusion.alerts WHERE notice IS NOT NULL ORDER BY notice_at, id`,
    );
    return { alerts: rows.map(toAlert), since: rows[0]?.notice_at };
  }

  /** What `toTell` gave is in messages now. */
  async told(ids: readonly string[], now: Date): Promise<void> {
    await this.#db.run(
      'UPDATE terrafusion.alerts SET notice = NULL, notice_at = NULL, told_at = $2 WHERE id = ANY($1::bigint[])',
      [ids, now],
    );
  }

  /** @throws NOT_FOUND; CONFLICTING_STATE when it is over */
  async acknowledge(id: string, by: string, comment: string | undefined, now: Date): Promise<AlertRecord> {
    return await this.#change(id, 'acknowledged_at = $2, acknowledged_by = $3, comment = coalesce($4, comment)', [
      now,
      by,
      comment ?? null,
    ]);
  }

  /** @param until undefined: no longer. @throws NOT_FOUND; CONFLICTING_STATE when it is over */
  async silence(id: string, by: string, until: Date | undefined, comment: string | undefined): Promise<AlertRecord> {
    return await this.#change(
      id,
      `silenced_until = $2, silenced_by = CASE WHEN $2::timestamptz IS NOT NULL THEN $3 END, comment = coalesce($4, comment),
       notice = CASE WHEN $2::timestamptz IS NULL THEN notice END, notice_at = CASE WHEN $2::timestamptz IS NULL THEN notice_at END`,
      [until ?? null, by, comment ?? null],
    );
  }

  async #change(id: string, set: string, values: readonly unknown[]): Promise<AlertRecord> {
    const before = await this.get(id);
    const row = await this.#db.one<Row>(
      `UPDATE terrafusion.alerts SET ${set} WHERE id = $1 AND state <> 'resolved' RETURNING ${columns}`,
      [id, ...values],
    );
    if (!row) {
      throw new TerraFusionError('CONFLICTING_STATE', `Alert ${id} is ${before.state} already`, { details: { id } });
    }
    return toAlert(row);
  }

  /** @throws NOT_FOUND */
  async get(id: string): Promise<AlertRecord> {
    const row = isId(id)
      ? await this.#db.one<Row>(`${select} WHERE id = $1 AND ${within('$2')}`, [id, this.#scope])
      : undefined;
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no alert "${id}"`);
    return toAlert(row);
  }

  /** Latest first. */
  async list(filter: AlertFilter, { limit, cursor }: PageRequest): Promise<Page<AlertRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'number')[0];
    const where = new Conditions()
      .add('state = ?', filter.state)
      .add(`(state <> 'resolved') = ?`, filter.open)
      .add('code = ?', filter.code)
      .add('severity = ?', filter.severity)
      .add('pair = ?', filter.pair)
      .add('id < ?::bigint', after);
    const rows = await this.#db.query<Row>(
      `${select} WHERE ${where.toString()} AND ${within(where.bind(this.#scope))} ORDER BY id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ id }) => [id.toString()], toAlert);
  }

  async purge(): Promise<void> {
    await this.#db.run(
      `DELETE FROM terrafusion.alerts WHERE state = 'resolved' AND notice IS NULL AND resolved_at < clock_timestamp() - $1::interval`,
      [KEPT],
    );
  }
}

/** Of a pair, a source or neither: the machine and the parts of the product are everybody's. */
function within(placeholder: string): string {
  return `(${placeholder}::uuid[] IS NULL OR CASE
    WHEN pair IS NOT NULL THEN pair IN (
      SELECT p.name FROM terrafusion.sync_pairs p WHERE p.deleted_at IS NULL AND ${pairWithin('p', placeholder)})
    WHEN code IN ('slot_wal_budget', 'source_waiting') THEN subject IN (
      SELECT s.name FROM terrafusion.systems s WHERE ${systemWithin('s.id', placeholder)})
    WHEN code = 'removal_waiting' THEN subject IN (
      SELECT p.id::text FROM terrafusion.sync_pairs p WHERE ${pairWithin('p', placeholder)})
    ELSE true END)`;
}

const isId = (text: string): boolean => /^\d{1,18}$/.test(text);

function toAlert(row: Row): AlertRecord {
  return {
    id: row.id.toString(),
    key: row.key,
    code: row.code,
    pair: row.pair,
    subject: row.subject,
    severity: row.severity,
    state: row.state,
    message: row.message,
    value: row.value,
    since: row.since,
    firedAt: row.fired_at ?? undefined,
    seenAt: row.seen_at,
    resolvedAt: row.resolved_at ?? undefined,
    acknowledgedAt: row.acknowledged_at ?? undefined,
    acknowledgedBy: row.acknowledged_by ?? undefined,
    silencedUntil: row.silenced_until ?? undefined,
    silencedBy: row.silenced_by ?? undefined,
    comment: row.comment ?? undefined,
    notice: row.notice ?? undefined,
    toldAt: row.told_at ?? undefined,
  };
}
