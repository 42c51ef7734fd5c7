import { expect, test } from 'vitest';
import { MetricSampler, quantileOf } from '#services/control/metric-sampler.ts';
import { createMetrics } from '#services/kernel/metrics.ts';

const made = () => {
  const metrics = createMetrics({ component: 'sync-service', processMetrics: false });
  return { metrics, sampler: new MetricSampler(metrics.registry) };
};

test('counters become rates between two samples, over labels that are not kept', async () => {
  const { metrics, sampler } = made();
  const applied = metrics.counter({ name: 'changes_applied_total', help: 'x', labels: ['pair', 'op', 'stage'] });
  applied.inc({ pair: 'a', op: 'insert', stage: '1' }, 100);
  expect(await sampler.sample(10)).toEqual({});
  applied.inc({ pair: 'a', op: 'insert', stage: '1' }, 30);
  applied.inc({ pair: 'a', op: 'insert', stage: '2' }, 20);
  // One that comes to be between two samples began at nothing.
  applied.inc({ pair: 'b', op: 'update', stage: '1' }, 5);
  expect(await sampler.sample(20)).toEqual({
    changes_applied_per_second: { '{"pair":"a","op":"insert"}': 5, '{"pair":"b","op":"update"}': 0.5 },
  });
  // Forgotten and begun anew: what is there now has come since.
  applied.reset();
  applied.inc({ pair: 'a', op: 'insert', stage: '1' }, 40);
  expect(await sampler.sample(30)).toEqual({ changes_applied_per_second: { '{"pair":"a","op":"insert"}': 4 } });
});

test('gauges are taken as they stand', async () => {
  const { metrics, sampler } = made();
  const lag = metrics.gauge({ name: 'lag_seconds', help: 'x', labels: ['pair'] });
  lag.set({ pair: 'a' }, 1.23456789);
  expect(await sampler.sample(1)).toEqual({ lag_seconds: { '{"pair":"a"}': 1.23457 } });
  lag.remove({ pair: 'a' });
  expect(await sampler.sample(2)).toEqual({});
});

test('of a histogram the quantiles of what came in between are kept', async () => {
  const { metrics, sampler } = made();
  const requests = metrics.histogram({ name: 'http_request_seconds', help: 'x', labels: ['route'] }, [0.1, 0.2, 0.4]);
  requests.observe({ route: '/a' }, 0.39);
  await sampler.sample(0);
  for (let n = 0; n < 50; n++) requests.observe({ route: '/a' }, 0.05);
  for (let n = 0; n < 50; n++) requests.observe({ route: '/b' }, 0.15);
  const sample = await sampler.sample(10);
  expect(sample['http_requests_per_second']).toEqual({ '{}': 10 });
  expect(sample['http_request_seconds']).toEqual({
    '{"quantile":"0.5"}': 0.1,
    '{"quantile":"0.95"}': 0.19,
    '{"quantile":"0.99"}': 0.198,
  });
  // Nothing came: there is nothing to say.
  expect((await sampler.sample(20))['http_request_seconds']).toBeUndefined();
});

test('a quantile beyond the last bound is that bound', () => {
  const buckets = [
    { upTo: 1, count: 1 },
    { upTo: Infinity, count: 10 },
  ];
  expect(quantileOf(buckets, 0.99)).toBe(1);
  expect(quantileOf(buckets, 0.05)).toBe(0.5);
  expect(quantileOf([], 0.5)).toBeUndefined();
});
