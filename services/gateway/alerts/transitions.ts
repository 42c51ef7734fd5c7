import { alertRule, keyOf, severities, type AlertCode, type AlertState, type Condition } from '#schemas/alerts.ts';
import type { AlertChange, Notice, OpenAlert } from '#services/control/alerts.ts';

export interface Timing {
  readonly now: Date;
  /** A firing alert that nobody has acknowledged is told again after this, in ms. */
  readonly repeatMs: number;
  /** What has not been seen for this long is resolved, in ms: what comes and goes is one alert, not ten. */
  readonly calmMs: number;
}

/**
 * What becomes of the open alerts by what is wrong now. A pure function: it is done within the transaction that has read them.
 * @param judged rules that could be judged: of the others nothing is known, and their alerts stay as they are
 */
export function transitions(
  open: readonly OpenAlert[],
  conditions: readonly Condition[],
  judged: ReadonlySet<AlertCode>,
  timing: Timing,
): AlertChange[] {
  const { now } = timing;
  const byKey = new Map(open.map((alert) => [alert.key, alert]));
  const present = new Set<string>();
  const changes: AlertChange[] = [];
  for (const condition of conditions) {
    const key = keyOf(condition);
    // Of two of one key the first is the worse one.
    if (present.has(key)) continue;
    present.add(key);
    const alert = byKey.get(key);
    const since = alert?.since ?? now;
    const fires =
      alert?.state === 'firing' || now.getTime() - since.getTime() >= alertRule(condition.code).forSeconds * 1000;
    const state: AlertState = fires ? 'firing' : 'pending';
    const notice = fires ? noticeOf(alert, condition, timing) : undefined;
    changes.push({ kind: 'seen', id: alert?.id, key, condition, state, notice });
  }
  for (const alert of open) {
    if (present.has(alert.key) || !judged.has(alert.code)) continue;
    if (alert.state === 'pending') changes.push({ kind: 'dropped', id: alert.id });
    else if (now.getTime() - alert.seenAt.getTime() >= timing.calmMs) {
      // Nobody is told of the end of what he was not told of.
      const notice = alert.toldAt !== undefined && !isSilent(alert, now) ? 'resolved' : undefined;
      changes.push({ kind: 'resolved', id: alert.id, notice });
    }
  }
  return changes;
}

function noticeOf(alert: OpenAlert | undefined, { code, severity }: Condition, timing: Timing): Notice | undefined {
  if (alertRule(code).sent === false || (alert && isSilent(alert, timing.now))) return undefined;
  if (alert?.toldAt === undefined) return 'raised';
  if (severities.indexOf(severity) > severities.indexOf(alert.severity)) return 'worse';
  // What waits to be told stays as it is.
  if (alert.notice !== undefined) return alert.notice;
  const due = timing.now.getTime() - alert.toldAt.getTime() >= timing.repeatMs;
  return due && alert.acknowledgedAt === undefined ? 'again' : undefined;
}

const isSilent = ({ silencedUntil }: OpenAlert, now: Date): boolean =>
  silencedUntil !== undefined && silencedUntil.getTime() > now.getTime();
