import { hostname } from 'node:os';
import { readFileSync } from 'node:fs';
import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';

/** How often a process says that it lives, in milliseconds; after three silent ones it counts as down. */
const BEAT_MS = 5000;

/** The product's version, from package.json. */
export const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

export interface HeartbeatOptions {
  readonly name: string;
  readonly control: Control;
  readonly status: () => object;
  readonly clock: Clock;
  readonly log: Log;
}

/** Says in the control database that this process lives, until it is disposed. */
export function startHeartbeat({ name, control, status, clock, log }: HeartbeatOptions): AsyncDisposable {
  const stop = new AbortController();
  const instance = `${hostname()}:${process.pid}`;
  const startedAt = new Date(clock.now());
  const stopped = () => stop.signal.aborted;
  const beating = (async () => {
    while (!stopped()) {
      try {
        await control.components.beat({ name, instance, version, startedAt, status: { ...status() } });
        // One that was killed before us left its row behind.
        await control.components.supersede(name);
      } catch (error) {
        log.debug({ error }, 'The heartbeat could not be told.');
      }
      await clock.sleep(BEAT_MS, stop.signal).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await beating;
      await control.components.leave(name, instance).catch(() => undefined);
    },
  };
}
