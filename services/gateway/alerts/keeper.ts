import type { AlertCode, Condition, Thresholds } from '#schemas/alerts.ts';
import type { AlertMessage } from '#schemas/http/alerts.ts';
import type { GatewayDeps } from '../gateway.ts';
import type { RequestTotals } from '../request-metrics.ts';
import { isOpen } from '../loopback.ts';
import type { PatientDatabase } from '../patience.ts';
import { componentsOf } from '../status.ts';
import type { AlertMetrics } from './alert-metrics.ts';
import { Blackout } from './blackout.ts';
import type { Channel } from './channels.ts';
import { judgedLive, judgedMeasured, liveConditions, measuredConditions } from './conditions.ts';
import { deliverDue } from './deliver.ts';
import { readFacts } from './facts.ts';
import { Meter } from './measure.ts';
import { messageOf } from './message.ts';
import { transitions } from './transitions.ts';

/** How often everything is judged, in ms. */
export const EVERY_MS = 10_000;
/** What has not been seen for this long has gone, in ms. */
export const CALM_MS = 60_000;
const PURGE_MS = 3600_000;

export interface KeeperParts {
  readonly deps: GatewayDeps;
  readonly database: PatientDatabase;
  readonly metrics: AlertMetrics;
  readonly channels: readonly Channel[];
  readonly thresholds: Thresholds;
  readonly repeatMs: number;
  readonly groupMs: number;
  readonly requestTotals: () => Readonly<RequestTotals>;
  readonly startedAt: Date;
  readonly meter?: Pick<Meter, 'measure'>;
}

/**
 * Judges what is wrong, keeps it in the control database, and tells of it. Nothing but the control database and this process is needed for it. Several
 * gateways may do so: each looks, one after the other under a lock, and every message is written and taken once.
 */
export class AlertKeeper {
  readonly #parts: KeeperParts;
  readonly #meter: Pick<Meter, 'measure'>;
  readonly #blackout: Blackout;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
    const { deps, requestTotals, repeatMs } = parts;
    this.#meter =
      parts.meter ?? new Meter({ control: deps.control, dataFolder: deps.options.dataFolder, requestTotals });
    this.#blackout = new Blackout(repeatMs);
  }

  /** Until the signal is aborted. A look that fails stops nothing. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, control } = this.#parts.deps;
    const stopped = () => signal.aborted;
    let purged = -Infinity;
    while (!stopped()) {
      try {
        await this.look(signal);
        this.#parts.metrics.evaluated('done');
        if (clock.monotonic() - purged >= PURGE_MS) {
          purged = clock.monotonic();
          await control.alerts.purge();
          await control.alertDeliveries.purge();
        }
      } catch (error) {
        this.#parts.metrics.evaluated('failed');
        if (!stopped()) log.warn({ error }, 'The alerts could not be judged; they are next time.');
      }
      await clock.sleep(EVERY_MS, signal).catch(() => undefined);
    }
  }

  /** One look: judge, keep, tell. */
  async look(signal: AbortSignal): Promise<void> {
    const { deps, database, thresholds, startedAt } = this.#parts;
    const { clock } = deps;
    const facts = await readFacts(deps, database);
    const now = new Date(clock.now());
    await this.#tellBlackout(facts.database.error?.message, now, signal);
    if (!facts.database.value) return;
    const components = componentsOf(facts, deps, database, startedAt);
    const live = {
      components,
      known: facts.database.value,
      supervision: deps.supervision(),
      open: isOpen(deps.options),
    };
    const measured = await this.#meter.measure(facts, clock.monotonic(), now);
    const conditions = [...liveConditions(live, thresholds), ...measuredConditions(measured, thresholds)];
    await this.#keep(conditions, new Set([...judgedLive(live), ...judgedMeasured(measured)]), now);
    await this.#write(now);
    await deliverDue({ ...this.#parts, control: deps.control, clock, log: deps.log }, signal);
  }

  async #keep(conditions: readonly Condition[], judged: ReadonlySet<AlertCode>, now: Date): Promise<void> {
    const { deps, metrics, repeatMs } = this.#parts;
    const open = await deps.control.transaction(async ({ alerts }) => {
      await alerts.lock();
      const timing = { now, repeatMs, calmMs: CALM_MS };
      await alerts.apply(transitions(await alerts.open(), conditions, judged, timing), now);
      return await alerts.open();
    });
    metrics.open(open);
  }

  /** Writes messages of what is to be told, once it has gathered for a while. */
  async #write(now: Date): Promise<void> {
    const { deps, channels, thresholds, groupMs } = this.#parts;
    await deps.control.transaction(async ({ alerts, alertDeliveries }) => {
      await alerts.lock();
      const { alerts: waiting, since } = await alerts.toTell();
      if (since === undefined || now.getTime() - since.getTime() < groupMs) return;
      for (const { name } of channels) {
        // That a channel does not work need not be told by it.
        const told = waiting.filter(({ code, subject }) => code !== 'alert_delivery' || subject !== name);
        if (told.length > 0) await alertDeliveries.add(name, messageOf(told, thresholds, now), now);
      }
      await alerts.told(
        waiting.map(({ id }) => id),
        now,
      );
    });
  }

  async #tellBlackout(error: string | undefined, now: Date, signal: AbortSignal): Promise<void> {
    const message = this.#blackout.look(error, now);
    if (!message) return;
    const sent = await Promise.all(this.#parts.channels.map((channel) => this.#sendNow(channel, message, signal)));
    if (sent.includes(true)) this.#blackout.told(now);
  }

  async #sendNow(channel: Channel, message: AlertMessage, signal: AbortSignal): Promise<boolean> {
    const { deps, metrics } = this.#parts;
    try {
      await channel.send(message, AbortSignal.any([signal, AbortSignal.timeout(30_000)]));
      metrics.delivery(channel.name, 'sent');
      return true;
    } catch (error) {
      metrics.delivery(channel.name, 'retried');
      deps.log.warn({ channel: channel.name, error }, 'An alert could not be sent and is tried again.');
      return false;
    }
  }
}
