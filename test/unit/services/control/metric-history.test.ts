import { beforeEach, describe, expect, test } from 'vitest';
import type { HistoryName } from '#schemas/metric-history.ts';
import { resolutionFor } from '#services/control/metric-history.ts';
import { startSampling } from '#services/control/metric-sampling.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { createMetrics } from '#services/kernel/metrics.ts';
import { eventually } from '#test/support/eventually.ts';
import { withControl } from './fixture.ts';

const fixture = withControl();
const pairA = '{"pair":"a"}';

beforeEach(async () => {
  await fixture.control.database.run('TRUNCATE terrafusion.system_metrics');
});

/** A row as if it had been measured so many seconds ago. */
async function measured(secondsAgo: number, lag: number, component = 'sync-service', pair = 'a'): Promise<void> {
  await fixture.control.database.run(
    `INSERT INTO terrafusion.system_metrics (resolution_s, at, component, instance, metrics)
     VALUES (10, date_bin('10 s', clock_timestamp() - make_interval(secs => $1), 'epoch'), $2, $4, $3)`,
    [
      secondsAgo,
      component,
      { lag_seconds: { [JSON.stringify({ pair })]: lag }, bus_used_bytes: { '{}': 7 } },
      `host:${pair}`,
    ],
  );
}

const read = (seconds: number, stepSeconds: number, more: { names?: HistoryName[]; pair?: string } = {}) =>
  fixture.control.metricHistory.read({
    since: new Date(Date.now() - seconds * 1000),
    until: new Date(Date.now() + 1000),
    stepSeconds,
    names: ['lag_seconds'],
    limit: 1000,
    ...more,
  });
const rows = async (resolution: number): Promise<number> =>
  (await fixture.control.database.one<{ n: number }>(
    'SELECT count(*)::int AS n FROM terrafusion.system_metrics WHERE resolution_s = $1',
    [resolution],
  ))!.n;

describe('the history of metrics', () => {
  test('is read by names and labels, in steps with mean and peak', async () => {
    // Two rows of ten seconds within one step of fifty.
    const now = Date.now() / 1000;
    const begin = Math.floor(now / 50) * 50 - 100;
    await measured(now - begin - 2, 4);
    await measured(now - begin - 12, 2);
    await measured(now - begin - 2, 9, 'sync-service', 'b');
    await measured(now - begin - 2, 5, 'gateway');
    const points = await read(300, 50, { pair: 'a' });
    expect(points.filter(({ component }) => component === 'sync-service')).toMatchObject([
      { name: 'lag_seconds', labels: pairA, mean: 3, peak: 4 },
    ]);
    const exact = await read(300, 10);
    expect(exact.filter(({ component, labels }) => component === 'sync-service' && labels === pairA)).toHaveLength(2);
    const used = await read(300, 10, { names: ['bus_used_bytes'] });
    // Of two processes of one component there is one point.
    expect(used.map(({ component, labels, mean }) => [component, labels, mean])).toEqual([
      ['gateway', '{}', 7],
      ['sync-service', '{}', 7],
      ['sync-service', '{}', 7],
    ]);
  });

  test('a second row of the same ten seconds changes nothing', async () => {
    const { metricHistory } = fixture.control;
    for (let n = 0; n < 3; n++) await metricHistory.record('gateway', 'host:1', { bus_used_bytes: { '{}': n } });
    expect(await rows(10)).toBeLessThan(3);
  });

  test('is brought together to longer steps, once, without what is still being measured', async () => {
    const { metricHistory } = fixture.control;
    // Six whole minutes, two measurements each, and one of just now.
    for (let minute = 2; minute <= 7; minute++) {
      await measured(minute * 60 + 10, minute);
      await measured(minute * 60 + 20, minute + 2);
    }
    await measured(0, 100);
    await metricHistory.rollUp();
    const minutes = await rows(60);
    expect(minutes).toBeGreaterThanOrEqual(6);
    const points = await read(3600, 60);
    expect(points.every(({ peak }) => peak < 100)).toBe(true);
    const mean = points.reduce((sum, point) => sum + point.mean, 0) / points.length;
    expect(mean).toBeGreaterThan(4);
    expect(mean).toBeLessThan(7.5);
    expect(Math.max(...points.map(({ peak }) => peak))).toBe(9);
    await Promise.all([metricHistory.rollUp(), metricHistory.rollUp()]);
    expect(await rows(60)).toBe(minutes);
  });

  test('keeps each resolution as long as it says', async () => {
    const { metricHistory, database } = fixture.control;
    const day = 86_400;
    await measured(2 * day, 1);
    await measured(3600, 1);
    await database.run(
      `INSERT INTO terrafusion.system_metrics (resolution_s, at, component, instance, metrics)
       SELECT 60, clock_timestamp() - make_interval(days => d), 'gateway', 'host:1', '{}' FROM unnest(ARRAY[2, 8]) d`,
    );
    await metricHistory.purge();
    expect([await rows(10), await rows(60)]).toEqual([1, 1]);
  });

  test('is as exact as the step wants, and as what is kept allows', () => {
    const now = Date.UTC(2026, 5, 1);
    const ago = (days: number) => new Date(now - days * 86_400_000);
    expect(resolutionFor(ago(0.1), 15, now)).toBe(10);
    expect(resolutionFor(ago(0.1), 59, now)).toBe(10);
    expect(resolutionFor(ago(0.9), 300, now)).toBe(60);
    expect(resolutionFor(ago(3), 10, now)).toBe(60);
    expect(resolutionFor(ago(30), 10, now)).toBe(600);
    expect(resolutionFor(ago(30), 7200, now)).toBe(3600);
    expect(resolutionFor(ago(900), 10, now)).toBe(3600);
  });

  test('is written every ten seconds, and goes on after the control database was away', async () => {
    const { metricHistory } = fixture.control;
    const clock = new ManualClock();
    const metrics = createMetrics({ component: 'writer', processMetrics: false });
    metrics.gauge({ name: 'lag_seconds', help: 'x', labels: ['pair'] }).set({ pair: 'a' }, 3);
    let failures = 0;
    const failing = Object.assign(Object.create(metricHistory) as typeof metricHistory, {
      record: (...args: Parameters<typeof metricHistory.record>) =>
        failures++ === 0 ? Promise.reject(new Error('away')) : metricHistory.record(...args),
    });
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const sampling = startSampling({ history: failing, metrics, component: 'writer', clock, log });
    for (let n = 0; n < 2; n++) {
      await clock.untilSleeping();
      clock.advance(10_000);
    }
    await eventually(async () => (await rows(10)) === 1);
    await sampling[Symbol.asyncDispose]();
    expect(failures).toBe(2);
    expect(await read(60, 10)).toMatchObject([{ component: 'writer', name: 'lag_seconds', labels: pairA, mean: 3 }]);
  });
});
