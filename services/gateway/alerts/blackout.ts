import { alertRules } from '#schemas/alerts.ts';
import type { AlertMessage } from '#schemas/http/alerts.ts';
import { runbookOf, wrap } from './message.ts';

/**
 * What is told while the control database is down, which keeps all other alerts: that it is. Kept in memory; two gateways tell it twice, which is
 * better than not at all.
 */
export class Blackout {
  readonly #repeatMs: number;
  #since: Date | undefined;
  #toldAt: Date | undefined;

  constructor(repeatMs: number) {
    this.#repeatMs = repeatMs;
  }

  /** What is to be said now. @param error why it does not answer; undefined: it does */
  look(error: string | undefined, now: Date): AlertMessage | undefined {
    if (error === undefined) {
      const gone = this.#toldAt === undefined ? undefined : this.#message('It answers again', 'resolved', now, now);
      this.#since = this.#toldAt = undefined;
      return gone;
    }
    this.#since ??= now;
    const waited = now.getTime() - this.#since.getTime() >= alertRules.component_down.forSeconds * 1000;
    const due = this.#toldAt === undefined || now.getTime() - this.#toldAt.getTime() >= this.#repeatMs;
    return waited && due ? this.#message(error, this.#toldAt ? 'again' : 'raised', undefined, now) : undefined;
  }

  /** The message went out by at least one channel. */
  told(now: Date): void {
    if (this.#since) this.#toldAt = now;
  }

  #message(
    message: string,
    what: AlertMessage['alerts'][number]['what'],
    resolved: Date | undefined,
    now: Date,
  ): AlertMessage {
    return wrap(
      [
        {
          id: null,
          what,
          code: 'component_down',
          severity: 'critical',
          message: `control-database: ${message}`,
          pair: null,
          subject: 'control-database',
          value: null,
          threshold: null,
          runbook: runbookOf('component_down'),
          since: (this.#since ?? now).toISOString(),
          resolved_at: resolved?.toISOString() ?? null,
        },
      ],
      now,
    );
  }
}
