import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bundleDashboard } from '#services/gateway/bundle.ts';
import { EventParser } from '#services/gateway/dashboard/app/event-parser.ts';
import { lineOf } from '#services/gateway/dashboard/app/history.ts';
import { matchPath, pathOf, withQuery } from '#services/gateway/dashboard/app/paths.ts';
import { POINTS, Series } from '#services/gateway/dashboard/app/series.ts';
import * as format from '#services/gateway/dashboard/format.ts';

const folder = fileURLToPath(new URL('../../../../../services/gateway/dashboard', import.meta.url));

describe('the bundle', () => {
  test('has no inline script or style and loads nothing from elsewhere: the content policy would refuse it', async () => {
    const { page, files } = await bundleDashboard(folder);
    const text = page.content.toString();
    expect(text).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|\{\{/i);
    for (const [, attributes, content] of text.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
      expect(attributes).toContain('src="/dashboard/assets/');
      expect(content).toBe('');
    }
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    expect(links.filter((link) => !link.startsWith('/'))).toEqual([]);
    for (const [name, { content }] of files) {
      if (name.endsWith('.css')) expect(content.toString()).not.toMatch(/url\(|@import/);
    }
  });

  test('holds every file that the page and its scripts name', async () => {
    const { page, files } = await bundleDashboard(folder);
    const named = [...page.content.toString().matchAll(/"\/dashboard\/([^"]+)"/g)].map(([, name]) => name!);
    expect(named.some((name) => name.endsWith('.css'))).toBe(true);
    for (const [name, { content }] of files) {
      if (!name.endsWith('.js')) continue;
      for (const [, other] of content.toString().matchAll(/(?:from|import)\(?"\.\/([^"]+)"/g))
        named.push(`assets/${other!}`);
    }
    expect(named.length).toBeGreaterThan(5);
    for (const name of named) expect([...files.keys()]).toContain(name);
  });

  test('carries nothing of the server and no library of its schemas', async () => {
    const { files } = await bundleDashboard(folder);
    const code = [...files].filter(([name]) => name.endsWith('.js')).map(([, { content }]) => content.toString());
    expect(code.join('')).not.toMatch(/ZodError|node:|fastify/);
  });

  test('is at most 150 kB on the wire, all pages together', async () => {
    const { page, files } = await bundleDashboard(folder);
    const sizes = await Promise.all([page, ...files.values()].map(async (file) => (await file.packed('gzip')).length));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  });

  test('never makes markup of text, and never keeps a secret beyond the tab', async () => {
    for (const name of await readdir(folder, { recursive: true })) {
      if (!/\.tsx?$/.test(name)) continue;
      const source = await readFile(join(folder, name), 'utf8');
      expect(source, name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|document\.cookie/,
      );
      // What stays in the browser is how somebody wants things shown: colours and time zone.
      if (!/(^|\/)(theme|time-zone)\.ts$/.test(name)) expect(source, name).not.toContain('localStorage');
    }
  });
});

describe('the events', () => {
  test('come out the same however the stream is cut', () => {
    const event = fc.record({ type: fc.constantFrom('pair', 'pairs', 'alerts'), data: fc.jsonValue() });
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (events, cuts) => {
          const text = `: hello\n\n${events.map(({ type, data }) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`).join('')}`;
          const parser = new EventParser();
          const found: unknown[] = [];
          for (let at = 0, cut = 0; at < text.length; cut += 1) {
            const length = cuts[cut % cuts.length]!;
            found.push(...parser.push(text.slice(at, at + length)));
            at += length;
          }
          expect(found).toEqual(events.map(({ type, data }) => ({ type, data: JSON.stringify(data) })));
        },
      ),
    );
  });
});

describe('the addresses', () => {
  test('give back what was filled into them', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ minLength: 1 }), (pair, table) => {
        const pattern = '/dashboard/pairs/:pair/tables/:table';
        expect(matchPath(pattern, pathOf(pattern, { pair, table }))).toEqual({ pair, table });
      }),
    );
  });

  test('match as a whole, and broken ones not at all', () => {
    expect(matchPath('/sync/job/:id', '/sync/job/7/')).toEqual({ id: '7' });
    expect(matchPath('/sync/job/:id', '/sync/job')).toBeUndefined();
    expect(matchPath('/sync/job/:id', '/sync/job/7/8')).toBeUndefined();
    expect(matchPath('/sync/job/:id', '/sync/job/%zz')).toBeUndefined();
    expect(matchPath('/dashboard', '/dashboard/pairs')).toBeUndefined();
  });

  test('leave out filters that are not set', () => {
    expect(withQuery('/api/x', { pair: 'a&b', state: undefined, text: '', limit: 5 })).toBe(
      '/api/x?pair=a%26b&limit=5',
    );
    expect(withQuery('/api/x', { state: undefined })).toBe('/api/x');
  });
});

describe('the figures', () => {
  test('are short', () => {
    expect([format.count(1234567.4), format.count(null)]).toEqual(['1,234,567', '–']);
    expect([format.counted(1, 'row'), format.counted(2000, 'row')]).toEqual(['1 row', '2,000 rows']);
    expect([format.rate(0), format.rate(12.34), format.rate(1234.5), format.rate(null)]).toEqual([
      '0.0',
      '12.3',
      '1,235',
      '–',
    ]);
    expect([format.bytes(0), format.bytes(1536), format.bytes(5 * 2 ** 30)]).toEqual(['0 B', '1.5 KiB', '5.0 GiB']);
    expect([0, 0.004, 1.25, 42, 125, 7300, 200_000].map((seconds) => format.duration(seconds))).toEqual([
      '0 s',
      '4 ms',
      '1.3 s',
      '42 s',
      '2 min',
      '2 h',
      '2 d',
    ]);
  });

  test('of time are relative, with the exact moment beside', () => {
    const now = Date.parse('2026-01-31T08:15:30Z');
    expect(format.relative('2026-01-31T08:15:18Z', now)).toBe('12 s ago');
    expect(format.relative('2026-01-31T10:15:30Z', now)).toBe('in 2 h');
    expect([format.relative(null, now), format.relative('2026-01-31T08:15:31Z', now)]).toEqual(['–', 'now']);
    expect(format.absolute('2026-01-31T08:15:30.123Z')).toBe('2026-01-31 08:15:30 UTC');
    expect(format.absolute('soon')).toBe('soon');
  });

  test('say what is good and what is not', () => {
    expect(['streaming', 'up', 'failed', 'down', 'loading', 'paused', 'something new'].map(format.tone)).toEqual([
      'good',
      'good',
      'bad',
      'bad',
      'busy',
      'calm',
      'busy',
    ]);
  });

  test('show a row in one line', () => {
    expect(format.rowText({ prop_id: '13', geo_id: null, note: 'x'.repeat(60) })).toBe(
      `prop_id 13 · geo_id NULL · note ${'x'.repeat(40)}…`,
    );
  });

  test('of progress are never more than all, and say only what is known', () => {
    expect(format.fraction({ done: 30, total: 20 })).toBe(1);
    expect([format.fraction({ done: 3, total: null }), format.fraction({ done: 0, total: 0 })]).toEqual([null, null]);
    expect(format.progressText({ done: 30, total: 20 }, 'rows')).toBe('30 of 30 rows');
    expect(format.progressText({ done: 12_000, total: 20_000, rate: 48_000, secondsLeft: 0.2 }, 'rows')).toBe(
      '12,000 of 20,000 rows · 48,000/s · 200 ms left',
    );
    expect(format.progressText({ done: 5, total: null, rate: 0, secondsLeft: null }, 'rows')).toBe('5 rows');
  });

  test('of a plot are told in words', () => {
    const seconds = (value: number): string => `${value} s`;
    expect(format.inWords([3, null, 1, 2], seconds)).toBe('now 2 s, lowest 1 s, highest 3 s');
    expect(format.inWords([3, null], seconds)).toBe('now unknown, lowest 3 s, highest 3 s');
    expect(format.inWords([null], seconds)).toBe('nothing known yet');
  });
});

describe('the rates', () => {
  const ratesOf = (series: Series): number[] => series.points.map(({ rate }) => rate);

  test('are differences of a counter by time, and begin anew when it does', () => {
    const series = new Series();
    series.add(100, 0, 0);
    expect(series.rate).toBeNull();
    series.add(150, 0.5, 1000);
    series.add(151, 0, 1100);
    series.add(150, null, 3000);
    expect(series.points).toEqual([
      { at: 1, rate: 50, lag: 0.5 },
      { at: 3, rate: 0, lag: null },
    ]);
    series.add(10, 0, 4000);
    series.add(30, 0, 5000);
    expect(ratesOf(series)).toEqual([50, 0, 20]);
  });

  test('keep no more points than a plot shows', () => {
    const series = new Series();
    for (let i = 0; i < 3 * POINTS; i++) series.add(i * 7, 0, i * 1000);
    expect(series.points).toHaveLength(POINTS);
    expect(new Set(ratesOf(series))).toEqual(new Set([7]));
    expect(series.rate).toBe(7);
  });
});

describe('the history', () => {
  const history = {
    since: '2026-01-31T08:00:00.000Z',
    until: '2026-01-31T08:00:45.000Z',
    step_s: 10,
    resolution_s: 10,
    truncated: false,
    series: [
      { component: 'writer', name: 'rate', labels: { op: 'insert' }, points: [at(0, 2, 9), at(20, 1, 1)] },
      { component: 'writer', name: 'rate', labels: { op: 'delete' }, points: [at(0, 3, 4)] },
      { component: 'writer', name: 'lag', labels: {}, points: [at(30, 100, 200)] },
    ],
  };
  function at(second: number, mean: number, peak: number): [number, number, number] {
    return [Date.parse('2026-01-31T08:00:00Z') / 1000 + second, mean, peak];
  }

  test('is one line of several series: flows are added, of what waits the worst counts, gaps stay gaps', () => {
    const [start] = at(0, 0, 0);
    const sum = lineOf(history, 'rate', 'sum');
    expect(sum.times).toEqual([start, start + 10, start + 20, start + 30]);
    expect(sum.values).toEqual([5, null, 1, null]);
    expect(lineOf(history, 'rate', 'worst').values).toEqual([9, null, 1, null]);
    expect(lineOf(history, 'lag', 'worst').values).toEqual([null, null, null, 200]);
  });

  test('without a measurement is an empty line', () => {
    expect(lineOf({ ...history, until: history.since, series: [] }, 'rate', 'sum')).toEqual({ times: [], values: [] });
  });
});
