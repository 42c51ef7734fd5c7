import type { TerraFusionError } from '#schemas/errors.ts';
import {
  HISTORY_POINTS,
  HISTORY_SERIES,
  metricsQuery,
  metricsReply,
  type MetricsHistory,
} from '#schemas/http/metrics.ts';
import { historyNames, historyResolutions, historySeries } from '#schemas/metric-history.ts';
import { resolutionFor, type HistoryPoint } from '#services/control/metric-history.ts';
import { systemMetrics } from '#services/sync-service/system-metrics.ts';
import type { MetricsQuery, MetricsView } from '#schemas/http/metrics.ts';
import { controlMetrics } from '../control-metrics.ts';
import { invalidFields } from '../fields.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { replies, words } from '../schema.ts';
import { metricsWithin, type SeenNames } from '../scoped-metrics.ts';

export function metricRoutes(app: App, deps: GatewayDeps): void {
  const { metrics } = deps;
  controlMetrics(metrics, deps);

  app.get(
    '/api/metrics',
    {
      schema: {
        ...words(
          'Status',
          'Metrics, now or over time',
          'Without `since` the latest figures. With it the history of `series`, for plots: means and peaks of steps of equal length, at most ' +
            `${HISTORY_SERIES} series of ${HISTORY_POINTS} points. What is older is kept less exactly: ` +
            historyResolutions
              .map(({ seconds, days }) => `${seconds} s for ${days === 1 ? 'a day' : `${days} days`}`)
              .join(', ') +
            '.',
        ),
        querystring: metricsQuery,
        response: replies({ 200: metricsReply }),
      },
    },
    ({ query, control }) => {
      // What somebody may not see is not counted for him.
      const within = { ...deps, control };
      return query.since === undefined ? latest(app, within) : history(query, query.since, within);
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        ...words(
          'Status',
          'Metrics for Prometheus',
          'Without a key from this machine. A key that is limited to some systems is given the series of its pairs and sources only.',
        ),
      },
    },
    async ({ principal, control }, reply) => {
      const { contentType, text } = await metrics.render();
      const shown = principal?.systems ? metricsWithin(text, await seenNames(control, principal.systems)) : text;
      return reply.type(contentType).send(shown);
    },
  );
}

async function seenNames({ pairs, systems }: GatewayDeps['control'], ids: readonly string[]): Promise<SeenNames> {
  const ends = await Promise.all(ids.map((id) => systems.find(id)));
  return {
    pairs: new Set((await pairs.all()).map(({ name }) => name)),
    sources: new Set(ends.flatMap((system) => system?.name ?? [])),
  };
}

async function latest(app: App, { control, clock, options }: GatewayDeps): Promise<MetricsView> {
  const [system, operations, byState, totals, letters] = await Promise.all([
    systemMetrics(options.dataFolder),
    control.operations.counts(24),
    control.pairs.countByState(),
    control.progress.totals(),
    control.deadLetters.countOpen(),
  ]);
  const { requests, errors, seconds } = app.requestTotals;
  return {
    at: new Date(clock.now()).toISOString(),
    system,
    operations: { running: operations.running, completed_24h: operations.completed, failed_24h: operations.failed },
    api: { requests, errors, mean_ms: requests === 0 ? 0 : Math.round((seconds / requests) * 1e5) / 100 },
    business: {
      pairs: Object.values(byState).reduce((sum, count) => sum + count, 0),
      pairs_by_state: byState,
      changes_applied: totals.changesApplied,
      rows_copied: totals.rowsCopied,
      dead_letters_open: letters,
      lag_seconds_max: totals.lagSecondsMax ?? null,
    },
  };
}

/** Points that a plot shows when nobody says how many. */
const USUAL_POINTS = 300;

async function history(query: MetricsQuery, from: string, { control, clock }: GatewayDeps): Promise<MetricsHistory> {
  const since = new Date(from);
  const until = query.until === undefined ? new Date(clock.now()) : new Date(query.until);
  const seconds = (until.getTime() - since.getTime()) / 1000;
  if (seconds <= 0) throw notBefore();
  const names = seriesOf(query);
  const wanted = Math.max(query.step ?? seconds / USUAL_POINTS, seconds / HISTORY_POINTS);
  const resolution = resolutionFor(since, wanted, clock.now());
  // Whole rows go into a step, so that none stands for more of the time than another.
  const step = Math.ceil(wanted / resolution) * resolution;
  const limit = HISTORY_SERIES * (HISTORY_POINTS + 2) + 1;
  const points = await control.metricHistory.read({
    since,
    until,
    stepSeconds: step,
    names,
    pair: query.pair,
    source: query.source,
    component: query.component,
    limit,
  });
  const series = grouped(points);
  return {
    since: since.toISOString(),
    until: until.toISOString(),
    step_s: step,
    resolution_s: resolution,
    series: series.slice(0, HISTORY_SERIES),
    truncated: series.length > HISTORY_SERIES || points.length === limit,
  };
}

function seriesOf({ series }: MetricsQuery): (typeof historyNames)[number][] {
  if (series === undefined) return ['changes_applied_per_second', 'lag_seconds', 'dead_letters_open'];
  const given = series.split(',').map((name) => name.trim());
  const unknown = given.filter((name) => !(name in historySeries));
  if (unknown.length > 0) {
    throw invalidFields(
      [
        {
          path: 'series',
          code: 'REQUEST_INVALID',
          message: `there is no ${unknown[0]!}; there are ${historyNames.join(', ')}`,
          fix: 'Name series of this list, separated by commas.',
        },
      ],
      'query',
    );
  }
  return given as (typeof historyNames)[number][];
}

function notBefore(): TerraFusionError {
  const message = 'must be before until';
  return invalidFields(
    [
      {
        path: 'since',
        code: 'REQUEST_INVALID',
        message,
        fix: 'Name a time before `until`, which is now when left out.',
      },
    ],
    'query',
  );
}

/** Points come ordered by series. */
function grouped(points: readonly HistoryPoint[]): MetricsHistory['series'] {
  const series: MetricsHistory['series'] = [];
  let last: HistoryPoint | undefined;
  for (const point of points) {
    const { component, name, labels, at, mean, peak } = point;
    if (last?.component !== component || last.name !== name || last.labels !== labels) {
      series.push({ component, name, labels: JSON.parse(labels) as Record<string, string>, points: [] });
    }
    series.at(-1)!.points.push([at, mean, peak]);
    last = point;
  }
  return series;
}
