import { alertCodes, type AlertCode, type AlertState } from '#schemas/alerts.ts';
import type { Metrics } from '#services/kernel/metrics.ts';

/** Alerts by rule, and what becomes of their messages. */
export class AlertMetrics {
  readonly #alerts;
  readonly #deliveries;
  readonly #evaluated;

  /** @param channels by which messages leave: their counters begin at 0, so that the first failure is an increase */
  constructor(metrics: Metrics, channels: readonly string[] = []) {
    this.#alerts = metrics.gauge({
      name: 'alerts',
      help: 'Open alerts by rule and state (pending, firing), acknowledged and silenced ones included.',
      labels: ['rule', 'state'],
    });
    this.#deliveries = metrics.counter({
      name: 'alert_deliveries_total',
      help: 'Messages about alerts by channel (webhook, email) and outcome: sent, retried, failed.',
      labels: ['channel', 'outcome'],
    });
    this.#evaluated = metrics.counter({
      name: 'alert_evaluations_total',
      help: 'Times that all alerts were judged, by outcome: done, failed.',
      labels: ['outcome'],
    });
    for (const channel of channels)
      for (const outcome of ['sent', 'retried', 'failed']) this.#deliveries.inc({ channel, outcome }, 0);
  }

  open(alerts: readonly { readonly code: AlertCode; readonly state: AlertState }[]): void {
    for (const rule of alertCodes) {
      for (const state of ['pending', 'firing'] as const) {
        const count = alerts.filter((alert) => alert.code === rule && alert.state === state).length;
        this.#alerts.set({ rule, state }, count);
      }
    }
  }

  delivery(channel: string, outcome: 'sent' | 'retried' | 'failed'): void {
    this.#deliveries.inc({ channel, outcome });
  }

  evaluated(outcome: 'done' | 'failed'): void {
    this.#evaluated.inc({ outcome });
  }
}
