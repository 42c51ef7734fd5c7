import { describe, expect, test } from 'vitest';
import { tableInput } from '#schemas/pairs.ts';
import { everyTable, named } from '#services/pair-check/entries.ts';
import { checkOverlap, type OtherPair } from '#services/pair-check/overlap.ts';
import { placeOf } from '#services/pair-check/place.ts';
import { Report } from '#services/pair-check/report.ts';

const tables = (...names: readonly (readonly [string, string])[]) =>
  names.map(([source, target]) => tableInput.parse({ source, target }));

const other = (name: string, source: string, target: string, list: OtherPair['tables']): OtherPair => ({
  name,
  source,
  target,
  tables: list,
});

function problems(list: readonly (readonly [string, string])[], others: readonly OtherPair[], target = 'B') {
  const entries = named({ tables: tables(...list) });
  const report = new Report();
  report.begin(entries);
  checkOverlap(entries, { source: 'A', target, others }, report);
  const { problems: found, tables: checked } = report.done();
  return {
    messages: found.map(({ path, message }) => `${path}: ${message}`),
    advice: checked.flatMap(({ checks }) => checks).filter(({ ok, required }) => !ok && !required),
  };
}

describe('CHECKLIST 36: loops', () => {
  test('a table onto itself, and our own schema', () => {
    expect(problems([['x.t', 'x.t']], [], 'A').messages).toEqual([
      'tables[0].target: x.t would be copied onto itself: source and target are the same place',
    ]);
    expect(problems([['x.t', 'y.t']], [], 'A').messages).toEqual([]);
    expect(problems([['_terrafusion.applied_positions', 'y.t']], []).messages).toEqual([
      expect.stringMatching(/^tables\[0\]\.source: .*its own positions/),
    ]);
    expect(problems([['x.t', '_terrafusion.t']], []).messages).toHaveLength(1);
  });

  test('back by another pair, directly and on a longer way', () => {
    const back = other('back', 'B', 'A', tables(['y.t', 'x.t']));
    expect(problems([['x.t', 'y.t']], [back]).messages).toEqual([
      'tables[0].target: What is written to y.t comes back to x.t by way of pair back: a change would go round for ever',
    ]);
    expect(problems([['x.t', 'y.other']], [back]).messages).toEqual([]);
    expect(problems([['x.other', 'y.t']], [back]).messages).toEqual([]);
    const long = [other('one', 'B', 'C', undefined), other('two', 'C', 'A', tables(['y.t', 'x.t']))];
    expect(problems([['x.t', 'y.t']], long).messages[0]).toContain('pair one and pair two');
    // A ring of others that we only lead into is no ring of ours.
    const ring = [other('there', 'B', 'C', undefined), other('and back', 'C', 'B', undefined)];
    expect(problems([['x.t', 'y.t']], ring).messages).toEqual([]);
  });

  test('a pair of every table carries each on by its name', () => {
    const entries = [everyTable({ schema: 'x', name: 't' })];
    const report = new Report();
    report.begin(entries);
    checkOverlap(entries, { source: 'A', target: 'B', others: [other('back', 'B', 'A', undefined)] }, report);
    expect(report.done().problems).toMatchObject([{ path: 'tables', code: 'PAIR_INVALID' }]);
  });
});

describe('a target table that another pair writes', () => {
  test('from the same table is refused; from another one it is told', () => {
    const twin = other('twin', 'A', 'B', tables(['x.t', 'y.t']));
    expect(problems([['x.t', 'y.t']], [twin]).messages).toEqual([
      'tables[0].target: The target table y.t is written by pair twin already, from x.t',
    ]);
    const beside = other('beside', 'C', 'B', tables(['z.t', 'y.t']));
    const found = problems([['x.t', 'y.t']], [beside]);
    expect(found.messages).toEqual([]);
    expect(found.advice).toMatchObject([
      { name: 'shared:y.t', message: expect.stringContaining('pair beside') as string },
    ]);
    expect(problems([['x.t', 'y.t']], [other('elsewhere', 'A', 'C', tables(['x.t', 'y.t']))])).toEqual({
      messages: [],
      advice: [],
    });
  });
});

describe('the same place', () => {
  const place = (url: string, more = {}) =>
    placeOf({ connector: { name: 'postgres', secretFields: ['password'] }, settings: { url, ...more } });

  test('whoever logs in, however it is encrypted', () => {
    expect(place('postgresql://a@DB:5432/x', { password: 'p', ssl_mode: 'require' })).toBe(
      place('postgresql://b@db/x?sslmode=disable', { application_name: 'y' }),
    );
    expect(place('postgresql://a@db/x')).not.toBe(place('postgresql://a@db/y'));
    expect(place('postgresql://a@db:5433/x')).not.toBe(place('postgresql://a@db/x'));
    expect(place('postgresql://a@db')).toBe(place('postgresql://b@db/a'));
  });
});
