import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { historySeries } from '#schemas/metric-history.ts';
import { everyMetric } from '#test/support/every-metric.ts';
import { page, PAGE } from './metrics-page.ts';

test('the page of metrics is what the registries hold (else: node test/unit/infra/write-metrics-page.ts)', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(await page());
});

test('names and labels are as in the field, and no label could hold a key of a row', async () => {
  const allowed = new Set([
    'pair', 'source', 'table', 'stage', 'op', 'outcome', 'state', 'code', // of the pipeline
    'method', 'route', 'status', 'mode', 'direction', // of HTTP and the machine
    'rule', 'severity', 'channel', // of alerts
    'peer', // of circuits
    'action', // of what heals by itself
  ]); // prettier-ignore
  for (const { name, type, labels, help } of [...(await everyMetric()).values()].flat()) {
    expect(name).toMatch(/^terrafusion_[a-z0-9_]+$/);
    expect(help, name).not.toBe('');
    // What the runtime's own metrics are called is its business.
    if (/^terrafusion_(nodejs|process)_/.test(name)) continue;
    if (type === 'counter') expect(name).toMatch(/_total$/);
    else expect(name).not.toMatch(/_total$/);
    expect(help, name).toMatch(/\.$/);
    for (const label of labels) expect(allowed, `${name} {${label}}`).toContain(label);
  }
});

test('the history is made of metrics that there are, by labels that they have', async () => {
  const known = new Map([...(await everyMetric()).values()].flat().map((metric) => [metric.name, metric]));
  for (const [name, { metric, kind, by }] of Object.entries(historySeries)) {
    const of = known.get(`terrafusion_${metric}`) ?? known.get(`terrafusion_${metric.replace(/_count$/, '')}`);
    expect(of, name).toBeDefined();
    for (const label of by) expect(of!.labels, name).toContain(label);
    if (kind === 'quantiles') expect(of!.type, name).toBe('histogram');
    if (kind === 'value') expect(of!.type, name).toBe('gauge');
  }
});
