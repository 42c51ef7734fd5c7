import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied } from '#connectors/contract/target.ts';
import type { LoadWindow } from '#schemas/pairs.ts';
import { attempt } from './attempt.ts';
import type { LoadOptions } from './options.ts';
import { isOpen, msUntilOpen } from './window.ts';

export type { LoadLimits, LoadObserver, LoadOptions, TableLoad, TableStart } from './options.ts';

/** Between two looks at the clock on the wall, which people and laws put forward and back. */
const LOOK_EVERY_MS = 60_000;
/** Before tables that have changed under our hands are read again. */
const AGAIN_AFTER_MS = 500;

/**
 * A load: the tables' rows in chunks, each chunk in a target transaction of its own that also notes it; at the end, in the last one, the
 * position to stream from. Killed anywhere, the next call goes on with the chunks that are not there. (Promises 2, 5 and 6)
 */
export async function loadPair(options: LoadOptions, context: ConnectorContext): Promise<Applied> {
  const { clock, signal } = context;
  const { window } = options.limits;
  for (;;) {
    if (window === undefined) options.observer.resting(undefined);
    else await rest(window, options, context);
    const outcome = await attempt(options, context);
    if (typeof outcome === 'object') return outcome;
    if (outcome === 'again') await clock.sleep(AGAIN_AFTER_MS, signal);
  }
}

async function rest(window: LoadWindow, { observer }: LoadOptions, { clock, signal }: ConnectorContext): Promise<void> {
  while (!isOpen(window, clock.now())) {
    const ms = msUntilOpen(window, clock.now());
    observer.resting(clock.now() + ms);
    await clock.sleep(Math.min(ms, LOOK_EVERY_MS), signal);
  }
  observer.resting(undefined);
}
