import { readFile, readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const folder = new URL('../../../../../services/gateway/dashboard/', import.meta.url);

interface Api {
  readonly EventParser: new () => { push(text: string): { type: string; data: unknown }[] };
}
interface Format {
  readonly count: (value: number | null) => string;
  readonly rate: (value: number | null) => string;
  readonly bytes: (value: number | null) => string;
  readonly duration: (seconds: number | null) => string;
  readonly ago: (moment: string | null, now: number) => string;
  readonly tone: (state: string) => string;
  readonly rowText: (row: Record<string, string | null>) => string;
}
interface RatesModule {
  readonly POINTS: number;
  readonly Rates: new () => {
    add(total: number, at: number): void;
    readonly current: number | null;
    readonly points: number[];
  };
  readonly sparkPath: (points: readonly number[]) => { line: string; area: string };
}

// The page's modules are plain JavaScript for the browser: no types to import.
const load = async <T>(name: string): Promise<T> => (await import(new URL(name, folder).href)) as T;
const { EventParser } = await load<Api>('api.js');
const format = await load<Format>('format.js');
const { POINTS, Rates, sparkPath } = await load<RatesModule>('rates.js');

describe('the page', () => {
  test('has no inline script or style and loads nothing from elsewhere: the content policy would refuse it', async () => {
    const page = await readFile(new URL('index.html', folder), 'utf8');
    expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:/i);
    for (const [, attributes, content] of page.matchAll(/<script([^>]*)>([^]*?)<\/script>/g)) {
      expect(attributes).toContain('src="/dashboard/');
      expect(content).toBe('');
    }
    const links = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
    expect(links.filter((link) => !link.startsWith('/') && !link.startsWith('#'))).toEqual([]);
    const css = await readFile(new URL('dashboard.css', folder), 'utf8');
    expect(css).not.toMatch(/url\(|@import/);
  });

  test('finds every file it names, and every element that its scripts look for', async () => {
    const page = await readFile(new URL('index.html', folder), 'utf8');
    const files = await readdir(folder);
    for (const [, name] of page.matchAll(/"\/dashboard\/([^"]+)"/g)) expect(files).toContain(name);
    const scripts = await Promise.all(
      files.filter((name) => name.endsWith('.js')).map((name) => readFile(new URL(name, folder), 'utf8')),
    );
    for (const script of scripts) {
      for (const [, id] of script.matchAll(/byId\('([a-z-]+)'\)/g)) expect(page).toContain(`id="${id!}"`);
      for (const [, file] of script.matchAll(/from '\.\/([^']+)'/g)) expect(files).toContain(file);
    }
  });

  test('never makes markup of text, and never keeps the key beyond the tab', async () => {
    for (const name of (await readdir(folder)).filter((file) => file.endsWith('.js'))) {
      const script = await readFile(new URL(name, folder), 'utf8');
      expect(script, name).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|localStorage|document\.cookie/,
      );
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
          expect(found).toEqual(
            events.map(({ type, data }) => ({ type, data: JSON.parse(JSON.stringify(data)) as unknown })),
          );
        },
      ),
    );
  });
});

describe('the figures', () => {
  test('are short', () => {
    expect([format.count(1234567.4), format.count(null)]).toEqual(['1,234,567', '–']);
    expect([format.rate(0), format.rate(12.34), format.rate(1234.5), format.rate(null)]).toEqual([
      '0.0',
      '12.3',
      '1,235',
      '–',
    ]);
    expect([format.bytes(0), format.bytes(1536), format.bytes(5 * 2 ** 30)]).toEqual(['0 B', '1.5 KiB', '5.0 GiB']);
    expect([0.004, 1.25, 42, 125, 7300, 200_000].map(format.duration)).toEqual([
      '4 ms',
      '1.3 s',
      '42 s',
      '2 min',
      '2 h',
      '2 d',
    ]);
    const now = Date.parse('2026-01-31T08:15:30Z');
    expect(format.ago('2026-01-31T08:15:18Z', now)).toBe('12 s ago');
    expect([format.ago(null, now), format.ago('2026-01-31T08:15:31Z', now)]).toEqual(['–', 'now']);
  });

  test('say what is good and what is not', () => {
    expect(['streaming', 'up', 'failed', 'down', 'loading', 'paused'].map(format.tone)).toEqual([
      'good',
      'good',
      'bad',
      'bad',
      'busy',
      'busy',
    ]);
  });

  test('show a row in one line', () => {
    expect(format.rowText({ prop_id: '13', geo_id: null, note: 'x'.repeat(60) })).toBe(
      `prop_id 13 · geo_id NULL · note ${'x'.repeat(40)}…`,
    );
  });
});

describe('the rates', () => {
  test('are differences of a counter by time, and begin anew when it does', () => {
    const rates = new Rates();
    rates.add(100, 0);
    expect(rates.current).toBeNull();
    rates.add(150, 1000);
    rates.add(151, 1100);
    rates.add(150, 3000);
    expect(rates.points).toEqual([50, 0]);
    rates.add(10, 4000);
    rates.add(30, 5000);
    expect(rates.points).toEqual([50, 0, 20]);
  });

  test('keep no more points than the line has, and stay within its box', () => {
    const rates = new Rates();
    for (let i = 0; i < 3 * POINTS; i++) rates.add(i * i, i * 1000);
    expect(rates.points).toHaveLength(POINTS);
    const numbers = sparkPath(rates.points)
      .area.match(/-?[\d.]+,-?[\d.]+/g)!
      .map((pair) => pair.split(',').map(Number));
    for (const [x, y] of numbers) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThan(POINTS);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(100);
    }
    expect(sparkPath([])).toEqual({ line: '', area: '' });
  });
});
