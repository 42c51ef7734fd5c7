import { setTimeout as delay } from 'node:timers/promises';
import type { SeededRandom } from '#services/demo/random.ts';
import { CRASH_POINT_VARIABLE, type CrashPoint } from '#services/kernel/crash-points.ts';
import type { Installation } from '#test/support/installation.ts';

/** How long a service may take to reach the point that was armed, in ms. */
const PATIENCE_MS = 120_000;

/** Starts a service that dies at the nth passage of the point, and waits until it has. */
export async function killAt(installation: Installation, point: CrashPoint, nth: number): Promise<void> {
  const armed = `${point}:${nth}`;
  await using service = installation.startProcess({ [CRASH_POINT_VARIABLE]: armed });
  const patience = new AbortController();
  const ended = await Promise.race([
    service.exited,
    delay(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
  ]);
  patience.abort();
  if (ended === undefined)
    throw new Error(`The service never came to ${armed}; ${await stateOf(installation)}\n${service.said}`);
  if (ended.signal !== 'SIGKILL') {
    throw new Error(`The service ended with ${ended.code ?? 'nothing'} instead of dying at ${armed}:\n${service.said}`);
  }
}

/** Starts a service and kills it after a while, wherever it happens to be; `shortest` and `longest` in ms. */
export async function killSomewhere(
  installation: Installation,
  random: SeededRandom,
  [shortest, longest]: readonly [number, number],
): Promise<void> {
  await using service = installation.startProcess();
  await delay(random.whole(shortest, longest));
  if (!service.running) throw new Error(`The service ended by itself:\n${service.said}`);
  await service.kill();
}

/** How far the pairs are: whether there was nothing to do, or it was not done. */
async function stateOf({ control }: Installation): Promise<string> {
  const pairs = await control.pairs.all();
  const states = pairs.map(({ name, state, error }) => `${name} is ${state}, ${error?.message ?? 'without an error'}`);
  const [progress] = await control.database.query(
    'SELECT commit_lsn::text, lag_bytes::text, lag_seconds::text, changes_applied::text FROM terrafusion.pair_progress',
  );
  return `${states.join('; ')}; ${JSON.stringify(progress)}`;
}
