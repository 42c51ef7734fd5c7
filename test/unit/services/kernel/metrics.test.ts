import { expect, test } from 'vitest';
import { createMetrics } from '#services/kernel/metrics.ts';

test('metrics carry prefix and component, and two processes of a test do not meet', async () => {
  const reader = createMetrics({ component: 'reader', processMetrics: false });
  const writer = createMetrics({ component: 'writer' });
  reader.counter({ name: 'changes_read_total', help: 'Changes read.', labels: ['source'] }).inc({ source: 'pacs' }, 3);
  writer.counter({ name: 'changes_read_total', help: 'Changes read.' }).inc();
  reader.gauge({ name: 'lag_seconds', help: 'Lag in seconds.' }, (gauge) => {
    gauge.set(1.5);
  });
  reader.histogram({ name: 'append_seconds', help: 'Duration of an append.' }).observe(0.003);
  const { text, contentType } = await reader.render();
  expect(contentType).toContain('text/plain');
  expect(text).toContain('terrafusion_changes_read_total{source="pacs",component="reader"} 3');
  expect(text).toContain('terrafusion_lag_seconds{component="reader"} 1.5');
  expect(text).toContain('terrafusion_append_seconds_bucket{le="0.005",component="reader"} 1');
  expect(text).not.toContain('process_cpu');
  expect((await writer.render()).text).toContain('terrafusion_process_cpu_seconds_total');
});
