import { describe, expect, test } from 'vitest';
import { loadWindow, pairConfig } from '#schemas/pairs.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { Throttle } from '#services/loader/throttle.ts';
import { isOpen, msUntilOpen } from '#services/loader/window.ts';

const never = new AbortController().signal;

describe('the throttle', () => {
  test('holds rows to their rate, whoever asks', async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, { rows: 1000, bytes: undefined });
    // What a pause has saved goes at once.
    await throttle.passed(250, 1, never);
    const order: number[] = [];
    const first = throttle.passed(500, 1e9, never).then(() => order.push(1));
    const second = throttle.passed(500, 1, never).then(() => order.push(2));
    clock.advance(499);
    await Promise.resolve();
    expect(order).toEqual([]);
    clock.advance(1);
    await first;
    clock.advance(499);
    await Promise.resolve();
    expect(order).toEqual([1]);
    clock.advance(1);
    await second;
  });

  test('the tighter of two limits counts; without one nothing waits', async () => {
    const clock = new ManualClock();
    const throttle = new Throttle(clock, { rows: 1_000_000, bytes: 1000 });
    let passed = false;
    const waiting = throttle.passed(1, 1250, never).then(() => (passed = true));
    clock.advance(999);
    await Promise.resolve();
    expect(passed).toBe(false);
    clock.advance(1);
    await waiting;
    await new Throttle(clock, { rows: undefined, bytes: undefined }).passed(1e9, 1e12, never);
  });
});

describe('the window', () => {
  const at = (time: string): number => Date.parse(`2026-03-10T${time}Z`);

  test.each([
    ['22:00', '05:30', 'UTC', '21:59:59', false],
    ['22:00', '05:30', 'UTC', '22:00:00', true],
    ['22:00', '05:30', 'UTC', '05:29:59', true],
    ['22:00', '05:30', 'UTC', '05:30:00', false],
    ['08:00', '09:00', 'UTC', '08:59:00', true],
    ['08:00', '09:00', 'UTC', '09:00:00', false],
    ['00:00', '00:00', 'UTC', '13:00:00', true],
    // Los Angeles is seven hours behind by then.
    ['01:00', '02:00', 'America/Los_Angeles', '08:30:00', true],
    ['01:00', '02:00', 'America/Los_Angeles', '01:30:00', false],
  ])('%s to %s in %s at %s UTC: %s', (from, to, zone, time, open) => {
    expect(isOpen({ from, to, zone }, at(time))).toBe(open);
  });

  test('tells how long it stays closed', () => {
    const window = { from: '22:00', to: '05:00', zone: 'UTC' };
    expect(msUntilOpen(window, at('21:59:30'))).toBe(30_000);
    expect(msUntilOpen(window, at('05:00:00'))).toBe(17 * 3_600_000);
    expect(msUntilOpen(window, at('23:00:00'))).toBe(0);
  });

  test('what is no time of day and no time zone is refused, by name', () => {
    expect(loadWindow.parse({ from: '22:00', to: '05:00' }).zone).toBe('UTC');
    expect(pairConfig.parse({ load_window: null }).load_window).toBeNull();
    for (const wrong of [
      { from: '24:00', to: '05:00' },
      { from: '22:00', to: '5:00' },
      { from: '22:00', to: '05:00', zone: 'Mars/Olympus' },
    ])
      expect(loadWindow.safeParse(wrong).success).toBe(false);
  });
});
