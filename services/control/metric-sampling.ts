import { hostname } from 'node:os';
import { historyResolutions } from '#schemas/metric-history.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import { MetricSampler } from './metric-sampler.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { MetricHistory } from './metric-history.ts';

const EVERY_MS = historyResolutions[0].seconds * 1000;
/** How often rows that are kept no longer are removed, in ms. */
const PURGE_MS = 3600_000;
const ROLL_UP_MS = 60_000;

export interface SamplingOptions {
  readonly history: MetricHistory;
  readonly metrics: Metrics;
  readonly component: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Also brings rows of all processes together and removes old ones; several that do so do no harm. */
  readonly keeps?: boolean;
}

/** Writes what this process measures to the history every ten seconds, until it is disposed. Its failures stop nothing. */
export function startSampling({
  history,
  metrics,
  component,
  clock,
  log,
  keeps = false,
}: SamplingOptions): AsyncDisposable {
  const stop = new AbortController();
  const stopped = (): boolean => stop.signal.aborted;
  const sampler = new MetricSampler(metrics.registry);
  const instance = `${hostname()}:${process.pid}`;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.debug({ error }, 'The history of the metrics could not be written; a gap stays in it.');
    }
  };
  const work = (async () => {
    let rolledUp = clock.monotonic();
    let purged = -Infinity;
    // Rates need a beginning.
    await attempt(async () => {
      await sampler.sample(clock.monotonic() / 1000);
    });
    while (!stopped()) {
      await clock.sleep(EVERY_MS, stop.signal).catch(() => undefined);
      if (stopped()) return;
      await attempt(async () => {
        await history.record(component, instance, await sampler.sample(clock.monotonic() / 1000));
      });
      if (!keeps) continue;
      const now = clock.monotonic();
      if (now - rolledUp >= ROLL_UP_MS) {
        rolledUp = now;
        await attempt(() => history.rollUp());
      }
      if (now - purged >= PURGE_MS) {
        purged = now;
        await attempt(() => history.purge());
      }
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await work;
    },
  };
}
