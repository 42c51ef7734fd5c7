import { z } from 'zod';
import { moment } from './common.ts';

/** What the machine and a process use at this moment. */
export const systemMetrics = z.object({
  cpu_percent: z.number().describe('Of all cores of the machine, over the last seconds.'),
  load_average_1m: z.number(),
  memory_used_bytes: z.number(),
  memory_total_bytes: z.number(),
  disk_used_bytes: z.number().nullable().describe('Of the file system that holds the data folder.'),
  disk_total_bytes: z.number().nullable(),
  process_rss_bytes: z.number(),
  process_uptime_s: z.number(),
});
export type SystemMetrics = z.output<typeof systemMetrics>;

/** GET /api/metrics */
export const metricsView = z
  .object({
    at: moment,
    system: systemMetrics,
    operations: z.object({
      running: z.number(),
      completed_24h: z.number(),
      failed_24h: z.number(),
    }),
    api: z.object({
      requests: z.number().describe('Since the gateway started.'),
      errors: z.number().describe('Of these, answered with 500 or above.'),
      mean_ms: z.number(),
    }),
    business: z.object({
      pairs: z.number(),
      pairs_by_state: z.record(z.string(), z.number()),
      changes_applied: z.number(),
      rows_copied: z.number(),
      dead_letters_open: z.number(),
      lag_seconds_max: z.number().nullable(),
    }),
  })
  .meta({
    example: {
      at: '2026-01-31T08:15:30.123Z',
      system: {
        cpu_percent: 12.5,
        load_average_1m: 0.4,
        memory_used_bytes: 2_147_483_648,
        memory_total_bytes: 8_589_934_592,
        disk_used_bytes: 53_687_091_200,
        disk_total_bytes: 214_748_364_800,
        process_rss_bytes: 125_829_120,
        process_uptime_s: 3600,
      },
      operations: { running: 1, completed_24h: 4, failed_24h: 0 },
      api: { requests: 1200, errors: 0, mean_ms: 3.2 },
      business: {
        pairs: 1,
        pairs_by_state: { streaming: 1 },
        changes_applied: 20_418,
        rows_copied: 20_000,
        dead_letters_open: 3,
        lag_seconds_max: 0,
      },
    },
  });
export type MetricsView = z.output<typeof metricsView>;
