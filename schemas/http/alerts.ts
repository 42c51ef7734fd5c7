import { z } from 'zod';
import { alertCodes, alertStates, severities } from '../alerts.ts';
import { moment, momentInput, pageOf, pageQuery } from './common.ts';

/** An alert as it stands, open or gone. */
export const alertRecordView = z
  .object({
    id: z.string(),
    code: z.enum(alertCodes),
    severity: z.enum(severities),
    state: z
      .enum(alertStates)
      .describe('pending: seen, but not for long enough to be told. firing: told. resolved: gone.'),
    message: z.string().describe('What is, and what to do.'),
    pair: z.string().nullable(),
    subject: z.string().nullable().describe('Of several at one place: the source, component or channel.'),
    value: z.number().nullable().describe('What was measured last.'),
    threshold: z.number().nullable().describe('Above which it is raised.'),
    runbook: z.string().describe('Page of the gateway that says what to do; no key is needed for it.'),
    since: moment.describe('First seen.'),
    fired_at: moment.nullable(),
    resolved_at: moment.nullable(),
    acknowledged_at: moment.nullable(),
    acknowledged_by: z.string().nullable(),
    silenced_until: moment.nullable(),
    silenced_by: z.string().nullable(),
    comment: z.string().nullable(),
    told_at: moment.nullable().describe('When it was last sent; null when it was not.'),
  })
  .meta({
    example: {
      id: '17',
      code: 'replication_lag',
      severity: 'warning',
      state: 'firing',
      message: '90 seconds behind its source',
      pair: 'pacs-to-cama',
      subject: null,
      value: 90,
      threshold: 60,
      runbook: '/runbooks/lag',
      since: '2026-01-31T08:15:30.123Z',
      fired_at: '2026-01-31T08:16:30.123Z',
      resolved_at: null,
      acknowledged_at: null,
      acknowledged_by: null,
      silenced_until: null,
      silenced_by: null,
      comment: null,
      told_at: '2026-01-31T08:17:00.123Z',
    },
  });
export type AlertRecordView = z.output<typeof alertRecordView>;

export const alertsPage = pageOf(alertRecordView);

/** GET /api/alerts */
export const alertsQuery = z.strictObject({
  ...pageQuery,
  state: z
    .enum([...alertStates, 'open'])
    .optional()
    .describe('open: pending or firing. Without it the history too.'),
  code: z.enum(alertCodes).optional(),
  severity: z.enum(severities).optional(),
  pair: z.string().max(100).optional().describe('Name of a pair.'),
});

/** GET /api/alerts/rules */
export const alertRulesView = z
  .object({
    rules: z.array(
      z.object({
        code: z.enum(alertCodes),
        severity: z.enum(severities),
        what: z.string(),
        threshold: z.number().nullable().describe('In force now.'),
        default_threshold: z.number().nullable(),
        setting: z.string().nullable().describe('The environment variable that changes it.'),
        for_s: z.number().describe('How long it must have been so.'),
        sent: z.boolean().describe('false: it is shown, never sent.'),
        runbook: z.string(),
      }),
    ),
    channels: z
      .array(z.object({ channel: z.enum(['webhook', 'email']), to: z.string() }))
      .describe('Where alerts are sent; empty: they are shown only.'),
    repeat_minutes: z.number().describe('A firing alert that nobody has acknowledged is sent again after this.'),
    group_s: z.number().describe('How long alerts gather for one message.'),
  })
  .meta({
    example: {
      rules: [
        {
          code: 'replication_lag',
          severity: 'warning',
          what: 'age of the oldest change that waits for a target, in seconds',
          threshold: 120,
          default_threshold: 60,
          setting: 'ALERT_LAG_SECONDS',
          for_s: 60,
          sent: true,
          runbook: '/runbooks/lag',
        },
      ],
      channels: [{ channel: 'webhook', to: 'https://hooks.example.org' }],
      repeat_minutes: 240,
      group_s: 30,
    },
  });
export type AlertRulesView = z.output<typeof alertRulesView>;

/** POST /api/alerts/<id>/acknowledge */
export const acknowledgeRequest = z
  .strictObject({
    comment: z.string().trim().min(1).max(500).optional().describe('For whoever looks next.'),
  })
  .meta({ example: { comment: 'The target is being moved; back by six' } });

/** POST /api/alerts/<id>/silence */
export const silenceRequest = z
  .strictObject({
    until: momentInput
      .nullable()
      .describe('Nothing is sent of it until then, at most 30 days ahead; null: it is sent again from now on.'),
    comment: z.string().trim().min(1).max(500).optional(),
  })
  .meta({ example: { until: '2026-02-01T06:00:00Z', comment: 'PACS is being moved tonight' } });

/** What a webhook is sent, as JSON; e-mails say the same in words. */
export const alertMessage = z.object({
  version: z.literal(1),
  id: z.string().describe('Of this message. It is sent again after a failure, so the same one may come twice.'),
  at: moment,
  product: z.literal('terrafusion-sync'),
  status: z.enum(['firing', 'resolved']).describe('resolved: everything in it has gone.'),
  alerts: z.array(
    z.object({
      id: z.string().nullable().describe('null: the control database, which counts them, is down.'),
      what: z.enum(['raised', 'worse', 'again', 'resolved']).describe('Why it is in this message.'),
      code: z.enum(alertCodes),
      severity: z.enum(severities),
      message: z.string(),
      pair: z.string().nullable(),
      subject: z.string().nullable(),
      value: z.number().nullable(),
      threshold: z.number().nullable(),
      runbook: z.string(),
      since: moment,
      resolved_at: moment.nullable(),
    }),
  ),
});
export type AlertMessage = z.output<typeof alertMessage>;
