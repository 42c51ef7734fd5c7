import pg from 'pg';
import { systemClock, type Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { Backoff, reconnectPolicy } from '../retry.ts';
import { translate } from './errors.ts';

/**
 * Told of each notification. Called without a payload whenever notifications may have been missed (after every connect, the first one
 * included): then look at everything.
 */
export type Listener = (payload: string | undefined) => void;

/** How often a quiet connection is tried, in ms: a half-open one would be silent for ever. */
const PROBE_EVERY = 30_000;

/**
 * Listens on a channel until disposed, over a connection of its own that is opened again whenever it breaks. Returns at once;
 * the listener's first call tells that it listens.
 */
export function listen(
  config: pg.ClientConfig,
  channel: string,
  listener: Listener,
  { log, clock = systemClock }: { readonly log: Log; readonly clock?: Clock },
): AsyncDisposable {
  const stop = new AbortController();
  const work = keepListening(stop.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await work;
    },
  };

  async function keepListening(stopped: AbortSignal): Promise<void> {
    const backoff = new Backoff(reconnectPolicy);
    for (;;) {
      try {
        await session(stopped, () => {
          backoff.reset();
        });
      } catch (thrown) {
        if (stopped.aborted) return;
        const error = translate(thrown);
        const waitMs = backoff.next();
        log.warn(
          { channel, error, waitMs: Math.round(waitMs) },
          'Listening to the control database broke off and is begun again.',
        );
        await clock.sleep(waitMs, stopped).catch(() => undefined);
      }
    }
  }

  /** One connection's life. Ends by a rejection only: its own, or that of being stopped. */
  async function session(stopped: AbortSignal, connected: () => void): Promise<never> {
    stopped.throwIfAborted();
    const client = new pg.Client(config);
    const over = new AbortController();
    const broken = Promise.withResolvers<never>();
    broken.promise.catch(() => undefined);
    const onStop = (): void => {
      broken.reject(new Error('stopped'));
    };
    stopped.addEventListener('abort', onStop, { once: true });
    client.on('error', broken.reject);
    client.on('end', () => {
      broken.reject(new Error('Connection terminated'));
    });
    client.on('notification', ({ payload }) => {
      listener(payload ?? '');
    });
    try {
      await Promise.race([client.connect(), broken.promise]);
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
      connected();
      listener(undefined);
      return await Promise.race([probe(client, over.signal), broken.promise]);
    } finally {
      over.abort();
      stopped.removeEventListener('abort', onStop);
      // A broken connection may never answer; nobody waits for it.
      void client.end().catch(() => undefined);
    }
  }

  async function probe(client: pg.Client, over: AbortSignal): Promise<never> {
    for (;;) {
      await clock.sleep(PROBE_EVERY, over);
      await client.query('SELECT 1');
    }
  }
}
