import { alertRules, type AlertRule } from '#schemas/alerts.ts';
import type { AlertMessage } from '#schemas/http/alerts.ts';

export const PAGE = new URL('../../../infra/docs/alerts.md', import.meta.url);

/** A message as a webhook gets it. */
export const example: AlertMessage = {
  version: 1,
  id: '0198a1f2-6c1e-4c55-b7d1-0f8f3a2e7f10',
  at: '2026-01-31T08:17:00.123Z',
  product: 'terrafusion-sync',
  status: 'firing',
  alerts: [
    {
      id: '17',
      what: 'raised',
      code: 'replication_lag',
      severity: 'warning',
      message: '90 seconds behind its source',
      pair: 'pacs-to-cama',
      subject: null,
      value: 90,
      threshold: 60,
      runbook: '/runbooks/lag',
      since: '2026-01-31T08:15:30.123Z',
      resolved_at: null,
    },
  ],
};

/** `infra/docs/alerts.md`, of the rules in the code. */
export function page(): string {
  const rows = Object.entries<AlertRule>(alertRules).map(
    ([code, { severity, what, threshold, setting, forSeconds, runbook, sent }]) =>
      `| \`${code}\` | ${severity}${sent === false ? ', shown only' : ''} | ${what} | ${threshold === undefined ? '' : `> ${threshold}`} | ${setting === undefined ? '' : `\`${setting}\``} | ${forSeconds === 0 ? 'at once' : `${forSeconds} s`} | [${runbook}](../runbooks/${runbook}) |`,
  );
  return [
    head.trim(),
    [
      '| alert | severity | what is looked at | threshold | setting | after | runbook |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n'),
    sending.trim(),
    `\`\`\`json\n${JSON.stringify(example, undefined, 2)}\n\`\`\``,
    words.trim(),
  ]
    .join('\n\n')
    .concat('\n');
}

const head = `
# Alerts

Written by \`node test/unit/infra/write-alerts-page.ts\` from the code; do not edit by hand.

The gateway judges them every ten seconds by itself, without Prometheus, and keeps them in the control database. \`infra/monitoring/prometheus/rules\` has the
same ones for who has Prometheus. They are shown on the dashboard, in \`GET /api/status\` and as events; \`GET /api/alerts\` lists them with what was, for 90
days; \`GET /api/alerts/rules\` shows the thresholds in force.

An alert is pending until it has been so for long enough, then it fires. It has gone once it has not been seen for a minute. What could not be judged,
since a part is away, stays as it is. \`POST /api/alerts/<id>/acknowledge\` stops it from being sent again; \`POST /api/alerts/<id>/silence
{"until": …}\` stops it from being sent at all until then.`;

const sending = `
## Where they are sent

\`ALERT_WEBHOOK_URL\` (with \`ALERT_WEBHOOK_SECRET\`), \`ALERT_SMTP_URL\` with \`ALERT_EMAIL_FROM\` and \`ALERT_EMAIL_TO\`, or both. What comes within
\`ALERT_GROUP_S\` seconds (30) goes into one message: what is new, what has become worse, what has gone. What fires on and nobody has acknowledged is
sent again after \`ALERT_REPEAT_MINUTES\` (240). A message that is not taken is tried again for three quarters of an hour, over restarts too, and that it
is not taken is an alert by itself. That the control database is away is told without it. With \`GATEWAY_PUBLIC_URL\` set, \`runbook\` is a link that
opens wherever the message is read; without it, a path at the gateway.

A webhook gets a POST with this body; an e-mail says the same in words.`;

const words = `
\`what\`: raised, worse (more severe), again, resolved. \`status\` is resolved when all of them are. \`id\` of an alert is null for the one about the control
database being away. Answer 2xx once you have it; a redirect is not followed. The same message may come twice: \`id\`, also in the header
\`X-TerraFusion-Message\`, tells. Programs should bear fields that they do not know; \`version\` grows when one goes or changes its meaning.

\`X-TerraFusion-Signature: t=<seconds since 1970>,v1=<hex>\`, with \`v1\` = HMAC-SHA256 of \`<t>.<body>\` by \`ALERT_WEBHOOK_SECRET\`. Compare it in constant
time, over the body as it came, and refuse what is older than five minutes.`;
