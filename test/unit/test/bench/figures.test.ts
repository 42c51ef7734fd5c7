import { describe, expect, test } from 'vitest';
import { label, lines, ratioBars, ticks } from '#test/bench/docs/plot.ts';
import { readOptions } from '#test/bench/options.ts';
import { pairedRatios, type Run } from '#test/bench/results.ts';
import { scalings } from '#test/bench/scaling.ts';
import { summary } from '#test/bench/slot-watch.ts';
import { soakVerdict, trends, type SoakSample } from '#test/bench/soak-verdict.ts';
import { findSuites, suiteNames } from '#test/bench/suites.ts';

describe('a soak', () => {
  /** An hour, a look every ten seconds. */
  function soak(of: (minute: number, index: number) => Partial<SoakSample>, looks = 360): SoakSample[] {
    const usual = {
      rssMiB: 300,
      anonymousMiB: 200,
      busMiB: 100,
      controlMiB: 20,
      retainedMiB: 10,
      waiting: 5,
      p50: 2,
      p99: 9,
    };
    return Array.from({ length: looks }, (_, index) => ({
      seconds: (index + 1) * 10,
      ...usual,
      ...of(index / 6, index),
    }));
  }
  const verdictOf = (samples: readonly SoakSample[]) => soakVerdict(trends(samples));

  test('that goes up and down is flat, and so is one that grows at first only', () => {
    expect(verdictOf(soak((_, index) => ({ rssMiB: 300 + (index % 7) * 10 })))).toBe('flat');
    expect(verdictOf(soak((minute) => ({ rssMiB: 300 - 200 / (1 + minute * minute) })))).toBe('flat');
  });

  test('with a peak now and then is flat: the median of the slopes does not see it', () => {
    expect(verdictOf(soak((_, index) => ({ p99: index % 30 === 0 ? 500 : 9, waiting: index > 350 ? 3000 : 5 })))).toBe(
      'flat',
    );
  });

  test.each(['rssMiB', 'busMiB', 'controlMiB', 'retainedMiB', 'waiting', 'p99'] as const)('in which %s grows all the time is growing', (of) => {
    const samples = soak((minute) => ({ [of]: 100 + minute * 10 }));
    expect(verdictOf(samples)).toBe('growing');
    const grown = trends(samples).filter(({ verdict }) => verdict === 'growing');
    expect(grown).toHaveLength(1);
    expect(grown[0]!.perHour).toBeCloseTo(600, 0);
  }); // prettier-ignore

  test('that shrinks is not growing', () => {
    expect(verdictOf(soak((minute) => ({ rssMiB: 900 - minute * 10 })))).toBe('flat');
  });

  test('of a few minutes says nothing', () => {
    expect(verdictOf(soak((minute) => ({ rssMiB: 100 + minute }), 60))).toBe('too short to tell');
    expect(verdictOf([])).toBe('too short to tell');
  });
});

describe('the slot while a target is down', () => {
  test('confirms what is written: how much, what it kept back at most, how long it stood still', () => {
    const looks = [
      { at: 0, written: 1000, confirmed: 1000 },
      { at: 1000, written: 1500, confirmed: 1000 },
      { at: 3000, written: 2500, confirmed: 1000 },
      { at: 4000, written: 3000, confirmed: 3000 },
      { at: 5000, written: 3100, confirmed: 3000 },
    ];
    expect(summary(looks)).toEqual({ written: 2100, confirmed: 2000, mostRetained: 1500, longestStill: 4 });
  });

  test('that never moves stands still from the first look to the last', () => {
    const looks = [0, 500, 9000].map((at) => ({ at, written: at, confirmed: 0 }));
    expect(summary(looks)).toEqual({ written: 9000, confirmed: 0, mostRetained: 9000, longestStill: 9 });
  });
});

test('ratios are of runs of the same turn and the same variant', () => {
  const run = (side: string, turn: number, variant: string, rowsPerSecond: number) =>
    ({ side, turn, variant, rowsPerSecond }) as Run;
  const runs = [
    run('native', 0, 'a', 1),
    run('ours', 0, 'a', 100),
    ...[run('native', 1, 'a', 10), run('native', 1, 'b', 100), run('ours', 1, 'b', 50), run('ours', 1, 'a', 20)],
    run('ours', 2, 'a', 1000),
  ];
  expect(pairedRatios(runs, 'ours', 'native')).toEqual([0.5, 2]);
});

describe('plots', () => {
  test('have round ticks with short names', () => {
    expect(ticks(1.3)).toEqual([0, 0.5, 1]);
    expect(ticks(240_000)).toEqual([0, 50_000, 100_000, 150_000, 200_000]);
    expect([0, 0.5, 20, 1500, 250_000, 1e6].map(label)).toEqual(['0', '0.5', '20', '1.5k', '250k', '1M']);
  });

  test('show what they are given, whatever it is called', () => {
    const bars = ratioBars('a < b & c', [{ name: '<x>', value: 1, min: 0.5, max: 2, floor: 1.2 }]);
    expect(bars).toContain('a &lt; b &amp; c');
    expect(bars).toContain('&lt;x&gt;');
    expect(bars).toContain('<title>floor 1.2</title>');
    const one = lines({ title: 't', x: { title: 'x', log: true }, y: { title: 'y' }, series: [{ name: 's', points: [{ x: 5, y: 0 }] }] }); // prettier-ignore
    expect(one).not.toContain('NaN');
  });
});

describe('the command line', () => {
  test('numbers must be numbers', () => {
    expect(readOptions(['B1', 'L1', '--rows', '300_000', '--sides', 'native,npm']).rows).toBe(300_000);
    expect(readOptions(['B1', '--sides', 'native,npm']).sides).toEqual(['native', 'npm']);
    for (const bad of ['x', '0', '-3', ''])
      expect(() => readOptions(['B1', `--rows=${bad}`])).toThrow('--rows takes a number');
  });

  test('knows every workload, and what stands for several', () => {
    for (const name of ['S1', 'S1w', 'S1t', 'B1', 'B2', 'U1', 'D1', 'O1', 'W1', 'X1', 'L1', 'R1', 'R2', 'P1', 'soak'])
      expect(findSuites(name), name).toHaveLength(1);
    expect(findSuites('K1')).toHaveLength(3);
    expect(findSuites('scaling')).toHaveLength(4);
    expect(suiteNames()).toContain('K1-B1');
    expect(() => findSuites('Z9')).toThrow('There are B1');
  });

  test('the end of a backlog over pairs is the last row of each table', () => {
    const { backlog } = scalings['scale-pairs']!.variants.find(({ value }) => value === 10)!;
    // Twelve transactions in turns over ten tables: two tables get a second one, the last one is not full.
    const drained = backlog.drained!(11_500);
    expect(drained).toContain('FROM t0000 WHERE id = 11000)');
    expect(drained).toContain('FROM t0001 WHERE id = 11500)');
    expect(drained).toContain('FROM t0002 WHERE id = 3000)');
    expect(drained).toContain('FROM t0009 WHERE id = 10000)');
    // Fewer transactions than tables: the others get none.
    expect(backlog.drained!(3000)).not.toContain('t0003');
  });
});
