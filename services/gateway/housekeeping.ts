import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';

const EVERY_MS = 3600_000;

/** Clears away, once an hour, what nobody can ask for any more. */
export function startHousekeeping(control: Control, clock: Clock, log: Log): AsyncDisposable {
  const stop = new AbortController();
  const stopped = (): boolean => stop.signal.aborted;
  const work = (async () => {
    while (!stopped()) {
      try {
        await control.idempotency.purge();
        await control.sessions.purge();
      } catch (error) {
        log.debug({ error }, 'What is too old could not be removed; it is next time.');
      }
      await clock.sleep(EVERY_MS, stop.signal).catch(() => undefined);
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await work;
    },
  };
}
