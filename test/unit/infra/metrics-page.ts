import { historyResolutions, historySeries, type HistorySeries } from '#schemas/metric-history.ts';
import { everyMetric, type KnownMetric } from '#test/support/every-metric.ts';

export const PAGE = new URL('../../../infra/docs/metrics.md', import.meta.url);

/** `infra/docs/metrics.md`, of what the registries hold. */
export async function page(): Promise<string> {
  const sections = [...(await everyMetric())].map(([title, metrics]) => `## ${title}\n\n${tableOf(metrics)}`);
  return [
    head.trim(),
    ...sections,
    `## History\n\n${history.trim()}\n\n${historyTable()}`,
    `## What it costs\n\n${cost.trim()}`,
  ]
    .join('\n\n')
    .concat('\n');
}

const head = `
# Metrics

Written by \`node test/unit/infra/write-metrics-page.ts\` from the registries; do not edit by hand.

Every process answers \`GET /metrics\` for Prometheus: gateway :5000 (with a key, or from this machine), sync-service :8080, and stages that are processes of
their own on STAGE_PORT. All series carry \`component\`: gateway, sync-service, reader, stream-processor, writer. \`pair\` and \`source\` are names,
\`table\` is schema.table at the target. No label ever holds a key or a value of a row. What is told of a pair or source that is deleted or renamed is
forgotten with it.

\`_seconds\` and \`_bytes\` are seconds and bytes; \`_total\` counts since the process began, so ask for \`rate()\` or \`increase()\`.`;

const history = `
Each process writes a choice of its metrics to \`system_metrics\` of the control database every ${historyResolutions[0].seconds} seconds: what
\`GET /api/metrics?since=&until=&step=&series=&pair=&source=&component=\` answers. Kept: ${historyResolutions
  .map(({ seconds, days }) => `${spanOf(seconds)} for ${days === 1 ? 'a day' : `${days} days`}`)
  .join(', ')}. A point is the mean of its step and
the peak within it. Of a histogram the quantiles 0.5, 0.95 and 0.99 of what came since the sample before are kept; brought together
to longer steps, their mean is a mean of quantiles, and their peak is exact.`;

const cost = `
Nothing is counted per row. A block costs about ten calls of some 0.3 µs (reader, processor and writer together), a target transaction another ten;
\`end_to_end_latency_seconds\` is observed once a block, for its last transaction, when the target has committed. What the machine uses, what the bus
holds and what only the control database knows is read when somebody looks. \`infra/decisions/0032-metrics-and-their-history.md\` has the figures.`;

function tableOf(metrics: readonly KnownMetric[]): string {
  const rows = metrics.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`,
  );
  return ['| name | type | labels | what it tells |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function historyTable(): string {
  const rows = Object.entries<HistorySeries>(historySeries).map(([name, { metric, kind, by, help }]) => {
    const labels = [...by, ...(kind === 'quantiles' ? ['quantile'] : [])].map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${kind} of \`terrafusion_${metric}\` | ${labels} | ${help} |`;
  });
  return ['| series | made of | labels | what it tells |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function spanOf(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}
