import { z } from 'zod';
import { historyNames } from '../metric-history.ts';
import { moment, momentInput, wholeInQuery } from './common.ts';

/** Series, and points of each, that one answer holds at most. */
export const HISTORY_SERIES = 50;
export const HISTORY_POINTS = 1000;

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

/** Query of GET /api/metrics; all but `since` count with it only. */
export const metricsQuery = z.strictObject({
  since: momentInput.optional().describe('Where the history begins. Without it the latest figures are answered.'),
  until: momentInput.optional().describe('Where it ends; now when left out.'),
  step: wholeInQuery(10, 31_536_000)
    .optional()
    .describe('Seconds that a point stands for; it is made longer where that would be too many points.'),
  series: z
    .string()
    .max(1000)
    .optional()
    .describe(
      `Names separated by commas, of ${historyNames.join(', ')}. Without it applied changes, lag and open dead letters.`,
    ),
  pair: z.string().max(100).optional().describe('Only series of the pair of this name.'),
  source: z.string().max(100).optional().describe('Only series of the source of this name.'),
  component: z.string().max(100).optional().describe('Only what this component has measured.'),
});
export type MetricsQuery = z.output<typeof metricsQuery>;

/** GET /api/metrics?since= */
export const metricsHistory = z
  .object({
    since: moment,
    until: moment,
    step_s: z.number().describe('Seconds that one point stands for.'),
    resolution_s: z.number().describe('Seconds that what it was made of stands for.'),
    series: z.array(
      z.object({
        component: z.string().describe('Who has measured it.'),
        name: z.string(),
        labels: z.record(z.string(), z.string()),
        points: z
          .array(z.tuple([z.number(), z.number(), z.number()]))
          .describe(
            'Each where its step begins (seconds since 1970), the mean and the peak. Steps without a measurement are left out.',
          ),
      }),
    ),
    truncated: z.boolean().describe('There are more series: ask for fewer names, or for one pair.'),
  })
  .meta({
    example: {
      since: '2026-01-31T08:00:00.000Z',
      until: '2026-01-31T08:01:00.000Z',
      step_s: 10,
      resolution_s: 10,
      series: [
        {
          component: 'sync-service',
          name: 'lag_seconds',
          labels: { pair: 'pacs-to-cama' },
          points: [[1_769_846_400, 0.2, 0.4]],
        },
      ],
      truncated: false,
    },
  });
export type MetricsHistory = z.output<typeof metricsHistory>;

export const metricsReply = z.union([metricsView, metricsHistory]);
