import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { Backoff, reconnectPolicy, retry } from '#services/kernel/retry.ts';

const policy = { firstMs: 100, maxMs: 1000 };
const unreachable = () => new TerraFusionError('SOURCE_UNREACHABLE', 'no answer');

/** Runs with a clock that never makes anybody wait, and tells the waits. */
async function run<T>(operation: (attempt: number) => Promise<T>, options: Partial<Parameters<typeof retry>[1]> = {}) {
  const waits: number[] = [];
  const clock = new ManualClock();
  const instant = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: async (ms: number) => {
      waits.push(ms);
      clock.advance(ms);
    },
  };
  const result = await retry(operation, { ...policy, ...options }, { clock: instant, random: () => 0.999_999 }).then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as TerraFusionError }),
  );
  return { ...result, waits: waits.map(Math.round) };
}

describe('retry', () => {
  test('tries again with growing waits until it succeeds', async () => {
    const outcome = await run(async (attempt) => {
      if (attempt < 7) throw unreachable();
      return attempt;
    });
    expect(outcome).toEqual({ value: 7, waits: [100, 200, 400, 800, 1000, 1000] });
  });

  test('what does not heal is thrown at once', async () => {
    const outcome = await run(() => Promise.reject(new TerraFusionError('SOURCE_LOGIN_FAILED', 'wrong password')));
    expect(outcome).toMatchObject({ error: { code: 'SOURCE_LOGIN_FAILED' }, waits: [] });
  });

  test('a foreign error counts as INTERNAL, keeps its cause and is tried again', async () => {
    const cause = new TypeError('x is not a function');
    const outcome = await run(() => Promise.reject(cause), { attempts: 2 });
    expect(outcome).toMatchObject({ error: { code: 'INTERNAL', cause }, waits: [100] });
  });

  test('ends at the number of tries', async () => {
    let tries = 0;
    const outcome = await run(
      async () => {
        tries += 1;
        throw unreachable();
      },
      { attempts: 3 },
    );
    expect(outcome).toMatchObject({ error: { code: 'SOURCE_UNREACHABLE' }, waits: [100, 200] });
    expect(tries).toBe(3);
  });

  test('begins no try after its time', async () => {
    const outcome = await run(() => Promise.reject(unreachable()), { withinMs: 500 });
    expect(outcome.waits).toEqual([100, 200]);
  });

  test('an abort ends the wait with its reason, and tells of failures until then', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const failures: number[] = [];
    const lines: object[] = [];
    const outcome = retry(() => Promise.reject(unreachable()), policy, {
      clock,
      signal: abort.signal,
      log: { warn: (fields) => lines.push(fields) },
      onRetry: ({ attempt }) => failures.push(attempt),
    });
    await clock.untilSleeping();
    abort.abort(new Error('shutting down'));
    await expect(outcome).rejects.toThrow('shutting down');
    expect(failures).toEqual([1]);
    expect(lines).toMatchObject([{ attempt: 1, code: 'SOURCE_UNREACHABLE' }]);
  });

  test('nothing is tried when the signal is aborted already', async () => {
    await expect(
      retry(() => Promise.resolve(1), policy, { signal: AbortSignal.abort(new Error('over')) }),
    ).rejects.toThrow('over');
  });
});

describe('back-off', () => {
  test('every wait lies between nothing and its bound, and the bound never passes the largest', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 200 }),
        (firstMs, maxMs, draws) => {
          let draw = 0;
          const backoff = new Backoff({ firstMs, maxMs }, () => draws[draw++]!);
          for (const [index, random] of draws.entries()) {
            const wait = backoff.next();
            expect(wait).toBeGreaterThanOrEqual(0);
            expect(wait).toBeLessThanOrEqual(maxMs);
            expect(wait).toBeCloseTo(Math.min(maxMs, firstMs * 2 ** Math.min(index, 64)) * random, 3);
          }
          backoff.reset();
          expect(backoff.waits).toBe(0);
        },
      ),
    );
  });
});

test('a connection that is expected back is tried at least every five seconds, however long it was away', () => {
  const backoff = new Backoff(reconnectPolicy, () => 1);
  const waits = Array.from({ length: 100 }, () => backoff.next());
  expect(waits[0]).toBe(200);
  expect(Math.max(...waits)).toBe(5000);
});
