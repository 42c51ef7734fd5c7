import type { Registry } from 'prom-client';
import { historyQuantiles, historySeries, type HistorySeries, type MetricSample } from '#schemas/metric-history.ts';

type Values = readonly {
  readonly value: number;
  readonly labels: Readonly<Partial<Record<string, string | number>>>;
  readonly metricName?: string;
}[];

const PREFIX = 'terrafusion_';

/**
 * Makes samples for the history of a process's registry. Rates and quantiles are over what came since the sample before, taken here and not in the
 * database: a process that starts anew begins at zero, and nobody needs to know.
 */
export class MetricSampler {
  readonly #registry: Registry;
  /** Counters as of the sample before, by series and labels; undefined before the first. */
  #before: ReadonlyMap<string, number> | undefined;
  #at = 0;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** @param at seconds on a clock that never runs backwards */
  async sample(at: number): Promise<MetricSample> {
    const found = new Map<string, Values>();
    for (const { name, values } of await this.#registry.getMetricsAsJSON()) {
      found.set(name.slice(PREFIX.length), values);
    }
    const seconds = at - this.#at;
    const counters = new Map<string, number>();
    const sample: Record<string, Record<string, number>> = {};
    for (const [name, series] of Object.entries<HistorySeries>(historySeries)) {
      const values = valuesOf(found, series.metric);
      if (values === undefined) continue;
      const points =
        series.kind === 'value'
          ? summed(values, series.by)
          : series.kind === 'rate'
            ? this.#rates(name, summed(values, series.by), seconds, counters)
            : this.#quantiles(name, series, values, counters);
      if (points.size > 0) sample[name] = Object.fromEntries([...points].map(([key, value]) => [key, rounded(value)]));
    }
    this.#before = counters;
    this.#at = at;
    return sample;
  }

  #rates(
    name: string,
    sums: ReadonlyMap<string, number>,
    seconds: number,
    counters: Map<string, number>,
  ): Map<string, number> {
    const rates = new Map<string, number>();
    for (const [key, sum] of sums) {
      const since = this.#since(`${name} ${key}`, sum, counters);
      if (since !== undefined && seconds > 0) rates.set(key, since / seconds);
    }
    return rates;
  }

  #quantiles(name: string, { by }: HistorySeries, values: Values, counters: Map<string, number>): Map<string, number> {
    const buckets = new Map<string, { readonly upTo: number; readonly count: number }[]>();
    const only = values.filter(({ metricName }) => metricName?.endsWith('_bucket'));
    const kept = [...by, 'le'];
    for (const [key, sum] of summed(only, kept)) {
      const since = this.#since(`${name} ${key}`, sum, counters);
      if (since === undefined) continue;
      const { le, ...labels } = JSON.parse(key) as Record<string, string>;
      const series = JSON.stringify(labels);
      const list = buckets.get(series) ?? buckets.set(series, []).get(series)!;
      list.push({ upTo: le === '+Inf' ? Infinity : Number(le), count: since });
    }
    const points = new Map<string, number>();
    for (const [key, list] of buckets) {
      list.sort((a, b) => a.upTo - b.upTo);
      for (const quantile of historyQuantiles) {
        const at = quantileOf(list, quantile);
        const labels = { ...(JSON.parse(key) as object), quantile: String(quantile) };
        if (at !== undefined) points.set(JSON.stringify(labels), at);
      }
    }
    return points;
  }

  /** What a counter has gained since the sample before; all of it when it was not there then, or has begun anew. */
  #since(key: string, now: number, counters: Map<string, number>): number | undefined {
    counters.set(key, now);
    if (this.#before === undefined) return undefined;
    const before = this.#before.get(key) ?? 0;
    return now >= before ? now - before : now;
  }
}

/** A metric's values; "…_count" is a histogram's. */
function valuesOf(found: ReadonlyMap<string, Values>, metric: string): Values | undefined {
  if (!metric.endsWith('_count')) return found.get(metric);
  return found.get(metric.slice(0, -'_count'.length))?.filter(({ metricName }) => metricName === `${PREFIX}${metric}`);
}

function summed(values: Values, by: readonly string[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { value, labels } of values) {
    const kept: Record<string, string> = {};
    for (const label of by) if (labels[label] !== undefined) kept[label] = String(labels[label]);
    const key = JSON.stringify(kept);
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}

/** As Prometheus has it: linear within a bucket; beyond the last bound that bound. */
export function quantileOf(
  buckets: readonly { readonly upTo: number; readonly count: number }[],
  quantile: number,
): number | undefined {
  const all = buckets.at(-1)?.count ?? 0;
  if (all === 0) return undefined;
  const rank = quantile * all;
  const index = buckets.findIndex(({ count }) => count >= rank);
  const bucket = buckets[index]!;
  const below = buckets[index - 1] ?? { upTo: 0, count: 0 };
  if (bucket.upTo === Infinity) return below.upTo;
  const within = bucket.count - below.count;
  return within === 0 ? bucket.upTo : below.upTo + ((bucket.upTo - below.upTo) * (rank - below.count)) / within;
}

/** Six digits are more than a plot shows. */
const rounded = (value: number): number => Number(value.toPrecision(6));
