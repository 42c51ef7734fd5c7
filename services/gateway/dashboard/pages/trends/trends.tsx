import type { MetricsHistory } from '#schemas/http/metrics.ts';
import { readHistory } from '../../api/metrics.ts';
import { lineOf, type HistoryLine } from '../../app/history.ts';
import { useLoaded } from '../../app/hooks.ts';
import { useTick } from '../../app/live.ts';
import { place, setQuery } from '../../app/router.ts';
import { POINTS, type Series } from '../../app/series.ts';
import { duration, rate } from '../../format.ts';
import { Card } from '../../ui/page.tsx';
import { Plot } from '../../ui/plot.tsx';
import { Failure } from '../../ui/problem.tsx';

export interface TrendsProps {
  /** What the event stream has told since the page was opened. */
  readonly live: () => Series;
  /** Name of the pair; left out: all of them. */
  readonly pair?: string;
}

/** Seconds back from now; live: what the event stream tells, in steps of a second. */
const periods = [
  { name: 'live', label: 'Live', seconds: POINTS },
  { name: '1h', label: '1 hour', seconds: 3600 },
  { name: '24h', label: '24 hours', seconds: 86_400 },
  { name: '7d', label: '7 days', seconds: 7 * 86_400 },
] as const;
type Period = (typeof periods)[number];

/** Rate and lag over time: live, or out of the history. The period is in the address. */
export function Trends(props: TrendsProps) {
  const wanted = place.value.query.get('period');
  const period = periods.find(({ name }) => name === wanted) ?? periods[0];
  return (
    <>
      <div class="segments" role="group" aria-label="Period of the plots">
        {periods.map(({ name, label }) => (
          <button
            key={name}
            type="button"
            aria-pressed={period.name === name}
            onClick={() => {
              setQuery({ period: name === 'live' ? undefined : name });
            }}
          >
            {label}
          </button>
        ))}
      </div>
      {period.name === 'live' ? <Live {...props} /> : <History key={period.name} {...props} period={period} />}
    </>
  );
}

function Live({ live, pair }: TrendsProps) {
  useTick();
  // What was before the page was opened; there may be nothing of it, and the line begins now.
  const { data } = useLoaded(`trends ${pair ?? ''} live`, (signal) => readTrends(pair, POINTS, signal));
  const { points } = live();
  const begun = points[0]?.at ?? Infinity;
  const line = (name: string, how: 'sum' | 'worst', values: readonly (number | null)[]): HistoryLine => {
    const before = data === undefined ? nothing : lineOf(data, name, how);
    const kept = before.times.filter((at) => at < begun).length;
    return {
      times: [...before.times.slice(0, kept), ...points.map(({ at }) => at)],
      values: [...before.values.slice(0, kept), ...values],
    };
  };
  return (
    <Plots
      pair={pair}
      span={POINTS}
      rates={line(
        names.rate,
        'sum',
        points.map((point) => point.rate),
      )}
      lags={line(
        names.lag,
        'worst',
        points.map(({ lag }) => lag),
      )}
      waiting="Collecting figures …"
    />
  );
}

const names = { rate: 'changes_applied_per_second', lag: 'lag_seconds' };
const nothing: HistoryLine = { times: [], values: [] };

const readTrends = (pair: string | undefined, seconds: number, signal: AbortSignal): Promise<MetricsHistory> =>
  readHistory(
    { since: new Date(Date.now() - seconds * 1000).toISOString(), series: Object.values(names), pair },
    { signal },
  );

function History({ pair, period }: TrendsProps & { readonly period: Period }) {
  const { data, error } = useLoaded(
    `trends ${pair ?? ''} ${period.name}`,
    (signal) => readTrends(pair, period.seconds, signal),
    { every: 30_000 },
  );
  return (
    <>
      <Failure error={error} />
      <Plots
        pair={pair}
        span={period.seconds}
        rates={data === undefined ? nothing : lineOf(data, names.rate, 'sum')}
        lags={data === undefined ? nothing : lineOf(data, names.lag, 'worst')}
        waiting={data === undefined ? 'Loading …' : 'Nothing was measured in this time.'}
      />
    </>
  );
}

function Plots({
  pair,
  span,
  rates,
  lags,
  waiting,
}: {
  readonly pair: string | undefined;
  readonly span: number;
  readonly rates: HistoryLine;
  readonly lags: HistoryLine;
  readonly waiting: string;
}) {
  return (
    <div class="columns">
      <Card>
        <Plot
          title="Changes applied a second"
          times={rates.times}
          lines={[{ label: pair ?? 'all pairs', colour: 'plot-1', values: rates.values }]}
          format={rate}
          span={span}
          waiting={waiting}
        />
      </Card>
      <Card>
        <Plot
          title={pair === undefined ? 'Worst lag of a pair' : 'Lag'}
          times={lags.times}
          lines={[{ label: pair ?? 'worst', colour: 'plot-2', values: lags.values }]}
          format={duration}
          span={span}
          waiting={waiting}
        />
      </Card>
    </div>
  );
}
