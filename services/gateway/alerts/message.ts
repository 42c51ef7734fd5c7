import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { alertRule, type Thresholds } from '#schemas/alerts.ts';
import type { AlertMessage } from '#schemas/http/alerts.ts';
import type { AlertRecord } from '#services/control/alerts.ts';
import { maskText } from '#services/kernel/masking.ts';

/** Where its runbook is, at the gateway. */
export const runbookOf = (code: AlertRecord['code']): string => `/runbooks/${basename(alertRule(code).runbook, '.md')}`;

/** One message about several alerts, those that have gone last. */
export function messageOf(alerts: readonly AlertRecord[], thresholds: Thresholds, now: Date): AlertMessage {
  const told = alerts.map((alert) => ({
    id: alert.id,
    what: alert.notice ?? 'raised',
    code: alert.code,
    severity: alert.severity,
    // Promise 8: it leaves the house.
    message: maskText(alert.message),
    pair: alert.pair,
    subject: alert.subject,
    value: alert.value,
    threshold: thresholds[alert.code] ?? null,
    runbook: runbookOf(alert.code),
    since: alert.since.toISOString(),
    resolved_at: alert.resolvedAt?.toISOString() ?? null,
  }));
  return wrap(told, now);
}

export function wrap(alerts: AlertMessage['alerts'], now: Date): AlertMessage {
  const firing = alerts.filter(({ what }) => what !== 'resolved');
  const gone = alerts.filter(({ what }) => what === 'resolved');
  return {
    version: 1,
    id: randomUUID(),
    at: now.toISOString(),
    product: 'terrafusion-sync',
    status: firing.length > 0 ? 'firing' : 'resolved',
    alerts: [...firing, ...gone],
  };
}

const words: Readonly<Record<AlertMessage['alerts'][number]['what'], string>> = {
  raised: '',
  worse: ' (has become worse)',
  again: ' (still)',
  resolved: ' (gone)',
};

/** The subject of an e-mail: one line, whatever is in it. */
export function subjectOf({ alerts }: AlertMessage): string {
  const firing = alerts.filter(({ what }) => what !== 'resolved');
  const [first] = firing.length > 0 ? firing : alerts;
  const critical = firing.filter(({ severity }) => severity === 'critical').length;
  const state = firing.length === 0 ? 'resolved' : critical > 0 ? 'CRITICAL' : 'warning';
  const more = (firing.length > 0 ? firing.length : alerts.length) - 1;
  const about = `${first!.code}${first!.pair === null ? '' : ` ${first!.pair}`}${more > 0 ? ` and ${more} more` : ''}`;
  return `[TerraFusion] ${state}: ${about}`.replace(/[\r\n]+/g, ' ');
}

/** The text of an e-mail. */
export function textOf({ id, alerts }: AlertMessage): string {
  const parts = alerts.map(({ code, severity, what, pair, message, runbook, since, resolved_at: resolved }) =>
    [
      `${what === 'resolved' ? 'resolved' : severity.toUpperCase()}: ${code}${pair === null ? '' : `, pair ${pair}`}${words[what]}`,
      message,
      `Since ${since}${resolved === null ? '' : `, until ${resolved}`}`,
      ...(what === 'resolved'
        ? []
        : [`What to do: ${runbook.startsWith('/') ? `${runbook} at the gateway` : runbook}`]),
    ].join('\n'),
  );
  return `${parts.join('\n\n')}\n\n--\nTerraFusion Sync, message ${id}\n`;
}
