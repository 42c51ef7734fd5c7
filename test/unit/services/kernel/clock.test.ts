import { describe, expect, test } from 'vitest';
import { ManualClock, systemClock } from '#services/kernel/clock.ts';

describe('the manual clock', () => {
  test('wakes sleepers in the order they fall due, equals in the order they began, each at its own time', async () => {
    const clock = new ManualClock(1000);
    const woken: [string, number][] = [];
    const sleeps = [
      ['late', 30],
      ['early', 10],
      ['early too', 10],
      ['at once', 0],
    ] as const;
    const done = sleeps.map(([name, ms]) => clock.sleep(ms).then(() => woken.push([name, ms])));
    clock.advance(29);
    await Promise.all(done.slice(1));
    expect(woken.map(([name]) => name)).toEqual(['at once', 'early', 'early too']);
    expect(clock.now()).toBe(1029);
    expect(clock.monotonic()).toBe(29);
    clock.advance(1);
    await Promise.all(done);
    expect(woken.at(-1)?.[0]).toBe('late');
    expect(clock.sleeping).toBe(0);
  });

  test('an aborted sleep rejects with the reason and is no longer waited for', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const sleep = clock.sleep(10, abort.signal);
    abort.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
    await expect(clock.sleep(10, abort.signal)).rejects.toThrow('enough');
  });

  test('elapse wakes again what goes to sleep again', async () => {
    const clock = new ManualClock(0);
    const ticks: number[] = [];
    const stop = new AbortController();
    const ticking = (async () => {
      for (;;) {
        await clock.sleep(100, stop.signal);
        ticks.push(clock.now());
      }
    })();
    await clock.elapse(350);
    expect(ticks).toEqual([100, 200, 300]);
    expect(clock.now()).toBe(350);
    stop.abort(new Error('over'));
    await expect(ticking).rejects.toThrow('over');
  });

  test('tells when the code under test has come to rest', async () => {
    const clock = new ManualClock();
    const resting = clock.untilSleeping(2);
    const first = clock.sleep(1);
    const second = clock.sleep(1);
    await resting;
    clock.advance(1);
    await Promise.all([first, second]);
  });
});

describe('the system clock', () => {
  test('sleeps, and gives the abort reason itself back', async () => {
    const before = systemClock.monotonic();
    await systemClock.sleep(5);
    expect(systemClock.monotonic()).toBeGreaterThan(before);
    const abort = new AbortController();
    const reason = new Error('enough');
    const sleep = systemClock.sleep(60_000, abort.signal);
    abort.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(systemClock.sleep(1, abort.signal)).rejects.toBe(reason);
  });
});
