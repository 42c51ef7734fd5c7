import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Every metric of the product begins so. */
const PREFIX = 'terrafusion_';

/** What is said of a metric; `name` without the prefix, in the words of Prometheus: `changes_read_total`, `lag_seconds`. */
export interface MetricOptions<Label extends string> {
  readonly name: string;
  /** One sentence with the unit. */
  readonly help: string;
  readonly labels?: readonly Label[];
}

/** The metrics of one process, or of one test: there is no global registry. */
export interface Metrics {
  readonly registry: Registry;
  /** `collect` as for gauges: for what the system counts, not we. */
  counter<Label extends string = never>(
    options: MetricOptions<Label>,
    collect?: (counter: Counter<Label>) => void | Promise<void>,
  ): Counter<Label>;
  /** `collect` is called when somebody looks, to set what is cheaper to ask for than to keep up to date. */
  gauge<Label extends string = never>(
    options: MetricOptions<Label>,
    collect?: (gauge: Gauge<Label>) => void | Promise<void>,
  ): Gauge<Label>;
  /** Durations in seconds, unless `buckets` says otherwise. */
  histogram<Label extends string = never>(options: MetricOptions<Label>, buckets?: readonly number[]): Histogram<Label>;
  /** The text that Prometheus reads, and its content type. */
  render(): Promise<{ readonly contentType: string; readonly text: string }>;
}

/** From one to ten thousand milliseconds: what a change needs from end to end, and what a request needs. */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Metrics with the label `component` on all of them; `processMetrics` adds CPU, memory, event loop and garbage collection. */
export function createMetrics({
  component,
  processMetrics = true,
}: {
  readonly component: string;
  readonly processMetrics?: boolean;
}): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ component });
  if (processMetrics) collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const common = <Label extends string>({ name, help, labels = [] }: MetricOptions<Label>) => ({
    name: `${PREFIX}${name}`,
    help,
    labelNames: labels,
    registers: [registry],
  });
  return {
    registry,
    counter: <Label extends string>(
      options: MetricOptions<Label>,
      collect?: (counter: Counter<Label>) => void | Promise<void>,
    ) =>
      new Counter<Label>({
        ...common(options),
        ...(collect && {
          async collect(this: Counter<Label>) {
            await collect(this);
          },
        }),
      }),
    gauge: <Label extends string>(
      options: MetricOptions<Label>,
      collect?: (gauge: Gauge<Label>) => void | Promise<void>,
    ) =>
      new Gauge<Label>({
        ...common(options),
        ...(collect && {
          async collect(this: Gauge<Label>) {
            await collect(this);
          },
        }),
      }),
    histogram: (options, buckets = durationBuckets) => new Histogram({ ...common(options), buckets: [...buckets] }),
    render: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  };
}
