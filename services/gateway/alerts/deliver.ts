import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import { maskText } from '#services/kernel/masking.ts';
import type { DueDelivery } from '#services/control/alert-deliveries.ts';
import type { AlertMetrics } from './alert-metrics.ts';
import { DeliveryError, type Channel } from './channels.ts';

/** Waits after each try that was not taken, in seconds; after the last one the message is given up. */
export const retryAfter: readonly number[] = [10, 30, 120, 600, 1800];
/** How long a message may take to be taken, in ms. */
const PATIENCE = 30_000;

export interface DeliverParts {
  readonly control: Pick<Control, 'alertDeliveries'>;
  readonly channels: readonly Channel[];
  readonly metrics: AlertMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Sends the messages that are due. Killed in between, they are sent again: at least once, told apart by their id. */
export async function deliverDue(parts: DeliverParts, signal: AbortSignal): Promise<void> {
  const { control, clock } = parts;
  const due = await control.alertDeliveries.take(new Date(clock.now()));
  await Promise.all(due.map((delivery) => deliver(delivery, parts, signal)));
}

async function deliver(
  { id, channel: name, message, attempts }: DueDelivery,
  { control, channels, metrics, clock, log }: DeliverParts,
  signal: AbortSignal,
): Promise<void> {
  const channel = channels.find((each) => each.name === name);
  const now = () => new Date(clock.now());
  if (!channel) {
    // The settings have changed since it was written.
    await control.alertDeliveries.failed(id, `${name} is not set up any more`, undefined, now());
    return;
  }
  try {
    await channel.send(message, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]));
    metrics.delivery(name, 'sent');
    await control.alertDeliveries.sent(id, now());
  } catch (thrown) {
    if (signal.aborted) return;
    const told = maskText(thrown instanceof Error ? thrown.message : String(thrown));
    const wait = thrown instanceof DeliveryError && !thrown.again ? undefined : retryAfter[attempts - 1];
    const fields = { channel: name, delivery: id, attempts, error: told, waitSeconds: wait };
    metrics.delivery(name, wait === undefined ? 'failed' : 'retried');
    if (wait === undefined) log.error(fields, 'An alert could not be sent and is given up.');
    else log.warn(fields, 'An alert could not be sent and is tried again.');
    const next = wait === undefined ? undefined : new Date(clock.now() + wait * 1000);
    await control.alertDeliveries.failed(id, told, next, now());
  }
}
