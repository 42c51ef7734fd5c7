import { alertRule, alertCodes, defaultThresholds, type Thresholds } from '#schemas/alerts.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { AlertOptions, GatewayDeps } from '../gateway.ts';
import type { PatientDatabase } from '../patience.ts';
import type { RequestTotals } from '../request-metrics.ts';
import { AlertMetrics } from './alert-metrics.ts';
import { AlertKeeper } from './keeper.ts';

export interface AlertsStart extends AlertOptions {
  readonly deps: GatewayDeps;
  readonly database: PatientDatabase;
  readonly metrics: Metrics;
  readonly requestTotals: () => Readonly<RequestTotals>;
}

/** Judges and tells of alerts until it is disposed. */
export function startAlerts({ metrics, ...parts }: AlertsStart): AsyncDisposable {
  const stop = new AbortController();
  const keeper = new AlertKeeper({
    ...parts,
    metrics: new AlertMetrics(
      metrics,
      parts.channels.map(({ name }) => name),
    ),
    startedAt: new Date(parts.deps.clock.now()),
  });
  const running = keeper.run(stop.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
    },
  };
}

/** Thresholds by rule, of what the settings say by their own names. */
export function thresholdsOf(settings: Readonly<Record<string, number>>): Thresholds {
  const given = alertCodes.flatMap((code) => {
    const { setting } = alertRule(code);
    const value = setting === undefined ? undefined : settings[setting];
    return value === undefined ? [] : [[code, value] as const];
  });
  return { ...defaultThresholds, ...Object.fromEntries(given) };
}
