import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { between, documents, placeOf } from '#test/bench/docs/documents.ts';
import { counting, keyOf, readKept, type Kept } from '#test/bench/docs/kept.ts';
import { page, readmeTable } from '#test/bench/docs/page.ts';
import { targets, verdictOf } from '#test/bench/docs/targets.ts';
import type { Run } from '#test/bench/results.ts';

function run(side: string, turn: number, rowsPerSecond: number, more: Partial<Run> = {}): Run {
  return {
    side,
    turn,
    changes: 1000,
    seconds: 1,
    rowsPerSecond,
    cpu: { source: 1, target: 2, pipeline: side === 'native' ? 0 : 3 },
    peakRssMiB: side === 'native' ? undefined : 100,
    rssMiB: undefined,
    latency: undefined,
    ...more,
  };
}

/** Native at 100 rows/s, ours at so many, in so many turns. */
function kept(file: string, speed: number, more: Partial<Kept> & { readonly turns?: number } = {}): Kept {
  const { turns = 3, ...rest } = more;
  return {
    file,
    workload: 'B1',
    title: 'B1: inserts',
    sides: ['native', 'pipeline'],
    postgres: '18.4',
    rows: 1_000_000,
    commit: 'abc',
    node: 'v24',
    machine: { cpu: 'a', cores: 2, memoryGiB: 24 },
    // The warm-up is far off, and counts for nothing.
    runs: [
      ...[run('native', 0, 1), run('pipeline', 0, 1_000_000)],
      ...Array.from({ length: turns }, (_, turn) => [
        run('native', turn + 1, 100),
        run('pipeline', turn + 1, speed),
      ]).flat(),
    ],
    ...rest,
  };
}

describe('what is written of the kept results', () => {
  const all = documents();

  test.each([...all.keys()])('%s is up to date (else: npm run bench:docs)', (path) => {
    expect(readFileSync(placeOf(path), 'utf8')).toBe(all.get(path));
  });

  test('there is no plot of something that is not kept', () => {
    for (const name of readdirSync(placeOf('infra/docs/plots/')))
      expect(all.has(`infra/docs/plots/${name}`)).toBe(true);
  });

  test('every plot is well-formed as far as its tags go', () => {
    for (const [path, content] of all) {
      if (!path.endsWith('.svg')) continue;
      const open: string[] = [];
      for (const [tag, closing, name, own] of content.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
        if (own === '/') continue;
        if (closing === '') open.push(name!);
        else expect(open.pop(), `${path}: ${tag}`).toBe(name);
      }
      expect(open).toEqual([]);
      expect(content).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test('every figure leads to a file that is kept', () => {
    const files = new Set(readKept().map(({ file }) => file));
    const links = [...all.get('infra/docs/benchmarks.md')!.matchAll(/results\/([^)`]+\.json)/g)].map(
      ([, file]) => file!,
    );
    expect(links.length).toBeGreaterThan(0);
    for (const file of links) expect(files).toContain(file);
  });
});

describe('the measurement that counts', () => {
  const sides = ['pipeline', 'native'];

  test('is the newest, not the best', () => {
    const all = [kept('1.json', 200), kept('2.json', 50)];
    expect(counting(all, 'B1', sides)!.file).toBe('2.json');
  });

  test('is one of full size and enough turns before a newer one that is not', () => {
    const all = [kept('1.json', 90), kept('2.json', 200, { rows: 1000 }), kept('3.json', 200, { turns: 1 })];
    expect(counting(all, 'B1', sides)!.file).toBe('1.json');
    expect(counting(all.slice(1), 'B1', sides)!.file).toBe('3.json');
    expect(counting(all.slice(1, 2), 'B1', sides)!.file).toBe('2.json');
  });

  test('is one in which the sides ran', () => {
    const peer = kept('1.json', 90, { sides: ['pipeline', 'npm baseline'] });
    expect(counting([peer, kept('2.json', 90)], 'B1', ['pipeline', 'npm baseline'])!.file).toBe('1.json');
    expect(counting([kept('2.json', 90)], 'B1', ['pipeline', 'npm baseline'])).toBeUndefined();
  });

  test('is of its own kind: a rate, a size beyond the usual one', () => {
    expect(keyOf({ workload: 'L1', rate: 1000 })).toBe('L1-1000');
    expect(keyOf({ workload: 'K1-L1', rate: 200 })).toBe('K1-L1-200');
    expect(keyOf({ workload: 'X1', rows: 5_000_000 })).toBe('X1-5000000');
    expect(keyOf({ workload: 'X1', rows: 100_000 })).toBe('X1');
  });
});

describe('what is told', () => {
  test('a loss is told like a win, with its range', () => {
    const lost = page([kept('lost.json', 50)]);
    expect(lost).toContain(
      '| B1 | rows/s, ratio to native | ≥ 1.00 × | ≥ 1.25 × | [0.50 ×](../../test/bench/results/lost.json) | **missed** |',
    );
    expect(lost).toContain('0.50 (0.50 to 0.50)');
    expect(readmeTable([kept('lost.json', 50)])).toContain(
      '| 50 rows/s, 100 MiB, 3.0 CPU s/M rows | 100 rows/s | 0.50 (0.50 to 0.50) |',
    );
    expect(page([kept('won.json', 150)])).toContain('| aim met |');
  });

  test('a run that is less than it should be says so', () => {
    expect(page([kept('small.json', 50, { rows: 1000, turns: 1 })])).toContain('inserts (1 turn, a reduced run)');
  });

  test('a floor that is missed by noise is missed all the same', () => {
    const floor = targets.find(({ workload, what }) => workload === 'U1' && what.includes('native'))!;
    expect(verdictOf(floor, 1.5)).toBe('aim met');
    expect(verdictOf(floor, 1)).toBe('floor met');
    expect(verdictOf(floor, 0.97)).toBe('missed by less than 10 %');
    expect(verdictOf(floor, 0.5)).toBe('missed');
    expect(verdictOf(floor, undefined)).toBe('not measured');
    const most = targets.find(({ workload, what }) => workload === 'X1' && what === 'peak RSS')!;
    expect([100, 300, 310, 400].map((mib) => verdictOf(most, mib))).toEqual([
      'aim met',
      'floor met',
      'missed by less than 10 %',
      'missed',
    ]);
  });

  test('transforms are told by their CPU, outages by what the slot did', () => {
    const chain = (side: string, pipeline: number): Run =>
      run(side, 1, 100, { cpu: { source: 1, target: 1, pipeline } });
    const price = kept('p.json', 1, { workload: 'P1', sides: ['no-op', 'compute + rule'], runs: [chain('no-op', 2), chain('compute + rule', 5)] }); // prettier-ignore
    expect(page([price])).toContain(
      '| P1 | CPU of the pipeline, compute + rule, ratio to no-op | ≤ 1.50 × | ≤ 1.25 × | [2.50 ×]',
    );
    const slot = { written: 100 * 2 ** 20, confirmed: 50 * 2 ** 20, mostRetained: 1, longestStill: 7 };
    const outage = { seconds: 60, waiting: 1234, catchUpSeconds: 5, slot };
    const down = kept('r.json', 1, { workload: 'R2', rate: 2000, runs: [run('pipeline', 1, 100, { outage })] });
    expect(page([down])).toContain('50 % of 100 MiB, never still for more than 7.0 s');
    expect(page([down])).toMatch(/R2 \| share of the WAL .* \[50 %\]\(\S+\) \| \*\*missed\*\*/);
  });
});

test('README keeps what is around its table', () => {
  const text = 'before\n<!-- measured: written by npm run bench:docs -->old<!-- /measured -->\nafter';
  expect(between(text, 'new')).toBe(text.replace('old', 'new'));
  expect(() => between('no place', 'new')).toThrow('README.md has to hold');
});
