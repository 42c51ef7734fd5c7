import { z } from 'zod';
import { alertCodes, severities } from '../alerts.ts';
import { known, moment } from './common.ts';
import { pairSummary } from './pairs.ts';

export const componentStates = ['up', 'degraded', 'down', 'unknown'] as const;
export type ComponentState = (typeof componentStates)[number];

export const componentView = z.object({
  name: z.string().describe('gateway, sync-service, control-database, bus, or a stage with the process it runs in.'),
  state: z.enum(componentStates),
  message: z.string().describe('One sentence: what is, or what is missing.'),
  since: moment.nullable(),
  details: z.record(z.string(), z.unknown()),
});
export type ComponentView = z.output<typeof componentView>;

export const alertView = z.object({
  id: z
    .string()
    .nullable()
    .describe('For acknowledging; null until it is kept, a few seconds after it was first seen.'),
  code: z.enum(alertCodes),
  severity: z.enum(severities),
  state: z.enum(['pending', 'firing']).describe('pending: seen, but not for long enough to be sent.'),
  message: z.string(),
  pair: z.string().nullable(),
  subject: z.string().nullable(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
  since: moment.nullable(),
  acknowledged_by: z.string().nullable(),
  silenced_until: moment.nullable(),
  runbook: z.string(),
});
export type AlertView = z.output<typeof alertView>;

/** GET /api/status */
export const statusView = z
  .object({
    name: z.literal('terrafusion-sync'),
    version: z.string(),
    state: z
      .enum(['up', 'degraded', 'down'])
      .describe('up: all well. degraded: something needs a look. down: nothing moves.'),
    at: moment,
    components: z.array(componentView),
    pairs: z
      .array(pairSummary)
      .describe('At most 1000; as they were known last while the control database is down, see `known`.'),
    pairs_by_state: z.record(z.string(), z.number()),
    alerts: z.array(alertView),
    known,
  })
  .meta({
    example: {
      name: 'terrafusion-sync',
      version: '0.1.0',
      state: 'up',
      at: '2026-01-31T08:15:30.123Z',
      components: [
        {
          name: 'gateway',
          state: 'up',
          message: 'Running',
          since: '2026-01-31T08:00:00.000Z',
          details: { restarts: 0 },
        },
      ],
      pairs: [],
      pairs_by_state: { streaming: 1 },
      alerts: [],
    },
  });
export type StatusView = z.output<typeof statusView>;

/** GET / */
export const welcome = z
  .object({ name: z.string(), version: z.string(), links: z.record(z.string(), z.string()) })
  .meta({
    example: {
      name: 'TerraFusion Sync',
      version: '0.1.0',
      links: { dashboard: '/dashboard', docs: '/docs', openapi: '/openapi.json', status: '/api/status' },
    },
  });

/** GET /health, /health/live, /health/ready */
export const healthView = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    checks: z.record(z.string(), z.string()).describe('By part: "ok", or the code of what is wrong.'),
  })
  .meta({ example: { status: 'ok', checks: { control_database: 'ok', sync_service: 'ok' } } });
export type HealthView = z.output<typeof healthView>;
