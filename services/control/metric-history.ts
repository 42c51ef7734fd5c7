import type { Queryable } from '#services/kernel/database/index.ts';
import { pairWithin, systemWithin, type Scope } from './scope.ts';
import { historyResolutions, type HistoryName, type MetricSample } from '#schemas/metric-history.ts';

/** Which part of the history is wanted. */
export interface HistoryRequest {
  readonly since: Date;
  readonly until: Date;
  /** Seconds that one point stands for. */
  readonly stepSeconds: number;
  readonly names: readonly HistoryName[];
  readonly pair?: string | undefined;
  readonly source?: string | undefined;
  readonly component?: string | undefined;
  /** At most so many points in all. */
  readonly limit: number;
}

export interface HistoryPoint {
  readonly component: string;
  readonly name: HistoryName;
  /** As JSON. */
  readonly labels: string;
  /** Where its interval begins, seconds since 1970. */
  readonly at: number;
  readonly mean: number;
  readonly peak: number;
}

/** A row of the finest resolution may come this late and still be part of its minute, in seconds. */
const LATE = 15;

/** What the processes measured: rows of ten seconds, brought together to longer ones that are kept longer. */
export class MetricHistory {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /** One row of a process, at the moment that the database has now. A second one of the same ten seconds changes nothing. */
  async record(component: string, instance: string, sample: MetricSample): Promise<void> {
    const [{ seconds }] = historyResolutions;
    await this.#db.run(
      `INSERT INTO terrafusion.system_metrics (resolution_s, at, component, instance, metrics)
       VALUES ($1::int, date_bin(make_interval(secs => $1::int), clock_timestamp(), 'epoch'), $2, $3, $4) ON CONFLICT DO NOTHING`,
      [seconds, component, instance, sample],
    );
  }

  /** Brings complete intervals together, from each resolution to the next one. Done twice, or by two at a time, it changes nothing. */
  async rollUp(): Promise<void> {
    for (const [index, { seconds: upper }] of historyResolutions.entries()) {
      const lower = historyResolutions[index - 1]?.seconds;
      if (lower === undefined) continue;
      await this.#db.run(
        `WITH span AS (
           SELECT coalesce(
                    (SELECT max(at) + make_interval(secs => $2::int) FROM terrafusion.system_metrics WHERE resolution_s = $2::int),
                    (SELECT min(at) FROM terrafusion.system_metrics WHERE resolution_s = $1::int)) AS since,
                  date_bin(make_interval(secs => $2::int), clock_timestamp() - make_interval(secs => $3::int), 'epoch') AS until
         ), figures AS (
           SELECT date_bin(make_interval(secs => $2::int), m.at, 'epoch') AS at, m.component, m.instance, n.key AS name, l.key,
                  round(avg(l.value::numeric), 6) AS mean, max((coalesce(m.peaks, m.metrics)->n.key->>l.key)::numeric) AS peak
             FROM span, terrafusion.system_metrics m, jsonb_each(m.metrics) n, jsonb_each_text(n.value) l
            WHERE m.resolution_s = $1::int AND m.at >= span.since AND m.at < span.until
            GROUP BY 1, 2, 3, 4, 5
         ), series AS (
           SELECT at, component, instance, name, jsonb_object_agg(key, mean) AS means, jsonb_object_agg(key, peak) AS peaks
             FROM figures GROUP BY 1, 2, 3, 4
         )
         INSERT INTO terrafusion.system_metrics (resolution_s, at, component, instance, metrics, peaks)
         SELECT $2::int, at, component, instance, jsonb_object_agg(name, means), jsonb_object_agg(name, peaks)
           FROM series GROUP BY 2, 3, 4 ON CONFLICT DO NOTHING`,
        [lower, upper, LATE],
      );
    }
  }

  /** Removes what is older than its resolution is kept. */
  async purge(): Promise<void> {
    for (const { seconds, days } of historyResolutions) {
      await this.#db.run(
        `DELETE FROM terrafusion.system_metrics WHERE resolution_s = $1 AND at < clock_timestamp() - make_interval(days => $2)`,
        [seconds, days],
      );
    }
  }

  /** By component, name, labels and time. Of several processes of one component the mean, and the highest peak. */
  async read(request: HistoryRequest): Promise<HistoryPoint[]> {
    const { since, until, stepSeconds, names, pair, source, component, limit } = request;
    return await this.#db.query<HistoryPoint & Record<string, unknown>>(
      `SELECT m.component, n.name, l.key AS labels,
              extract(epoch FROM date_bin(make_interval(secs => $4::int), m.at, 'epoch'))::float8 AS at,
              avg(l.value::float8) AS mean, max((coalesce(m.peaks, m.metrics)->n.name->>l.key)::float8) AS peak
         FROM terrafusion.system_metrics m, unnest($5::text[]) n(name), jsonb_each_text(m.metrics->n.name) l
        WHERE m.resolution_s = $1 AND m.at >= $2 AND m.at < $3
          AND ($6::text IS NULL OR l.key::jsonb->>'pair' = $6)
          AND ($7::text IS NULL OR l.key::jsonb->>'source' = $7)
          AND ($8::text IS NULL OR m.component = $8)
          AND ($10::uuid[] IS NULL OR CASE
            WHEN l.key::jsonb ? 'pair' THEN l.key::jsonb->>'pair' IN (
              SELECT p.name FROM terrafusion.sync_pairs p WHERE p.deleted_at IS NULL AND ${pairWithin('p', '$10')})
            WHEN l.key::jsonb ? 'source' THEN l.key::jsonb->>'source' IN (
              SELECT s.name FROM terrafusion.systems s WHERE ${systemWithin('s.id', '$10')})
            ELSE true END)
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT $9`,
      [
        resolutionFor(since, stepSeconds),
        since,
        until,
        stepSeconds,
        names,
        pair ?? null,
        source ?? null,
        component ?? null,
        limit,
        this.#scope,
      ],
    );
  }
}

/** The coarsest rows that are no longer than a step; of what is older than they are kept, the finest that are still there. */
export function resolutionFor(since: Date, stepSeconds: number, now = Date.now()): number {
  const ageDays = (now - since.getTime()) / 86_400_000;
  const kept = historyResolutions.filter(({ days }) => ageDays <= days);
  const [finest = historyResolutions.at(-1)!] = kept;
  return (kept.findLast(({ seconds }) => seconds <= stepSeconds) ?? finest).seconds;
}
