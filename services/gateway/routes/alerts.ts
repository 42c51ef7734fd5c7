import { idParams } from '#schemas/http/common.ts';
import { alertRule, alertCodes, defaultThresholds, type Thresholds } from '#schemas/alerts.ts';
import {
  acknowledgeRequest,
  alertRecordView,
  alertRulesView,
  alertsPage,
  alertsQuery,
  silenceRequest,
  type AlertRecordView,
} from '#schemas/http/alerts.ts';
import type { AlertRecord } from '#services/control/alerts.ts';
import { runbookOf } from '../alerts/message.ts';
import { invalidFields } from '../fields.ts';
import { actorOf, alertOptions, type App, type GatewayDeps } from '../gateway.ts';
import { change } from '../mutations.ts';
import { replies, words } from '../schema.ts';

/** An alert is silenced no longer than this, in ms: what is silenced for ever should have another threshold. */
const LONGEST_SILENCE = 30 * 86_400_000;

export function alertRoutes(app: App, deps: GatewayDeps): void {
  const { clock, options } = deps;
  const { thresholds, channels, repeatMs, groupMs } = alertOptions(options);
  const shown = (record: AlertRecord): AlertRecordView => viewOf(record, thresholds);

  app.get(
    '/api/alerts',
    {
      schema: {
        ...words('Alerts', 'List alerts', 'Those that are open, and what was: kept for 90 days. Latest first.'),
        querystring: alertsQuery,
        response: replies({ 200: alertsPage }),
      },
    },
    async ({ query: { state, limit, cursor, ...filter }, control }) => {
      const found = await control.alerts.list(
        { ...filter, ...(state === 'open' ? { open: true } : { state }) },
        { limit, cursor },
      );
      return { items: found.items.map(shown), next_cursor: found.nextCursor ?? null };
    },
  );

  app.get(
    '/api/alerts/rules',
    {
      schema: {
        ...words('Alerts', 'What raises alerts', 'Thresholds in force, and where alerts are sent to.'),
        response: replies({ 200: alertRulesView }),
      },
    },
    () => ({
      rules: alertCodes.map((code) => {
        const { severity, what, setting, forSeconds, sent } = alertRule(code);
        return {
          code,
          severity,
          what,
          threshold: thresholds[code] ?? null,
          default_threshold: defaultThresholds[code] ?? null,
          setting: setting ?? null,
          for_s: forSeconds,
          sent: sent ?? true,
          runbook: runbookOf(code),
        };
      }),
      channels: channels.map(({ name, to }) => ({ channel: name, to })),
      repeat_minutes: repeatMs / 60_000,
      group_s: groupMs / 1000,
    }),
  );

  app.get(
    '/api/alerts/:id',
    {
      schema: {
        ...words('Alerts', 'Show an alert'),
        params: idParams,
        response: replies({ 200: alertRecordView }),
      },
    },
    async ({ params, control }) => shown(await control.alerts.get(params.id)),
  );

  app.post(
    '/api/alerts/:id/acknowledge',
    {
      schema: {
        ...words('Alerts', 'Acknowledge an alert', 'Somebody sees to it: it is not sent again until it has gone.'),
        params: idParams,
        body: acknowledgeRequest.optional(),
        response: replies({ 200: alertRecordView }),
      },
    },
    (request) =>
      change(deps, request, { entityKind: 'alert', verb: 'acknowledge' }, async ({ alerts }) => {
        const { id } = request.params;
        await alerts.lock();
        const before = shown(await alerts.get(id));
        const by = actorOf(request.principal!);
        const after = shown(await alerts.acknowledge(id, by, request.body?.comment, new Date(clock.now())));
        return { entityId: id, before, after, result: after };
      }),
  );

  app.post(
    '/api/alerts/:id/silence',
    {
      schema: {
        ...words('Alerts', 'Silence an alert', 'Nothing is sent of it until the given time. It is still shown.'),
        params: idParams,
        body: silenceRequest,
        response: replies({ 200: alertRecordView }),
      },
    },
    (request) =>
      change(deps, request, { entityKind: 'alert', verb: 'silence' }, async ({ alerts }) => {
        const { id } = request.params;
        const until = endOf(request.body.until, clock.now());
        await alerts.lock();
        const before = shown(await alerts.get(id));
        const after = shown(await alerts.silence(id, actorOf(request.principal!), until, request.body.comment));
        return { entityId: id, before, after, result: after };
      }),
  );
}

/** @throws {TerraFusionError} REQUEST_INVALID */
function endOf(until: string | null, now: number): Date | undefined {
  if (until === null) return undefined;
  const at = new Date(until);
  const ahead = at.getTime() - now;
  if (ahead > 0 && ahead <= LONGEST_SILENCE) return at;
  throw invalidFields([
    {
      path: 'until',
      code: 'REQUEST_INVALID',
      message: ahead <= 0 ? 'has passed already' : 'is more than 30 days ahead',
      fix: 'Name a time within the next 30 days, or null to end a silence.',
    },
  ]);
}

function viewOf(alert: AlertRecord, thresholds: Thresholds): AlertRecordView {
  return {
    id: alert.id,
    code: alert.code,
    severity: alert.severity,
    state: alert.state,
    message: alert.message,
    pair: alert.pair,
    subject: alert.subject,
    value: alert.value,
    threshold: thresholds[alert.code] ?? null,
    runbook: runbookOf(alert.code),
    since: alert.since.toISOString(),
    fired_at: alert.firedAt?.toISOString() ?? null,
    resolved_at: alert.resolvedAt?.toISOString() ?? null,
    acknowledged_at: alert.acknowledgedAt?.toISOString() ?? null,
    acknowledged_by: alert.acknowledgedBy ?? null,
    silenced_until: alert.silencedUntil?.toISOString() ?? null,
    silenced_by: alert.silencedBy ?? null,
    comment: alert.comment ?? null,
    told_at: alert.toldAt?.toISOString() ?? null,
  };
}
