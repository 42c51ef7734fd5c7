import { describe, expect, test } from 'vitest';
import type { TableShape } from '#connectors/contract/source.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';
import { definition, parseTable, table } from './fixture.ts';

const property = table('pacs.property', [
  'prop_id* int4',
  'year* int2',
  'geo_id varchar',
  'value numeric',
  'note text',
]);
const check = (...tables: Parameters<typeof definition>[0] & object) => checkPair(definition(tables), [property]);
const good = { prop_id: { from: 'prop_id' }, year: { from: 'year' } };

describe('checking a pair', () => {
  test('finds nothing wrong with one that is right', () => {
    expect(
      check({
        source: 'pacs.property',
        target: 'cama.parcel',
        columns: { ...good, v: { compute: 'row.value * 2' } },
        where: 'row.value > 0.5',
        rules: [{ name: 'r', check: 'row.v > 1' }],
      }),
    ).toEqual([]);
    expect(checkPair(definition(undefined), [property])).toEqual([]);
  });

  test('tells every problem with its path', () => {
    const problems = check(
      {
        source: 'pacs.property',
        columns: {
          ...good,
          'Land Value': { compute: 'row.valu + 1' },
          joined: { concat: ['geo_id', 'gone'] },
          pin: { from: 'gone', transforms: [{ replace_pattern: { pattern: '(a+)+', with: '' } }] },
        },
        where: 'row.value',
        rules: [
          { name: 'fine', check: 'row.prop_id > 0' },
          { name: 'bad', check: 'row.geo_id != ""' },
        ],
      },
      { source: 'pacs.missing', target: 'pacs.property' },
    );
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ['tables[1].target', 'PAIR_INVALID'],
      ['tables[0].columns["Land Value"].compute', 'PAIR_EXPRESSION_INVALID'],
      ['tables[0].columns.joined.concat[1]', 'SOURCE_COLUMN_MISSING'],
      ['tables[0].columns.pin.transforms[0]', 'PAIR_INVALID'],
      ['tables[0].columns.pin.from', 'SOURCE_COLUMN_MISSING'],
      ['tables[0].where', 'PAIR_EXPRESSION_INVALID'],
      ['tables[0].rules[1].check', 'PAIR_EXPRESSION_INVALID'],
      ['tables[1].source', 'SOURCE_TABLE_MISSING'],
    ]);
    expect(problems[1]!.message).toContain('table pacs.property has no column "valu"\n\n>    1 | row.valu + 1\n');
    // A rule sees the target row: geo_id is not one of its columns.
    expect(problems[6]!.message).toContain('the row for pacs.property has no column "geo_id"');
  });

  test('names the key columns that go nowhere', () => {
    const lost = check({ source: 'pacs.property', columns: { id: { from: 'prop_id' }, y: { compute: 'row.year' } } });
    expect(lost).toEqual([
      {
        path: 'tables[0].columns',
        code: 'PAIR_INVALID',
        message:
          'key column year of pacs.property must be mapped to a target column with "from", since rows are found by it',
      },
    ]);
    expect(check({ source: 'pacs.property', exclude: ['year', 'prop_id'] })[0]!.message).toContain(
      'key columns prop_id, year',
    );
  });

  test('asks for no key where whole rows are sent, or none', () => {
    for (const identity of ['full', 'nothing'] as const) {
      const shape = table('pacs.t', ['a int4', 'b text'], identity);
      expect(checkPair(definition([{ source: 'pacs.t', columns: { b: { from: 'b' } } }]), [shape])).toEqual([]);
    }
  });

  test('refuses columns that do not exist, none at all, and exclusions that make no sense', () => {
    expect(check({ source: 'pacs.property', exclude: ['nope'] }).map(({ code }) => code)).toEqual([
      'SOURCE_COLUMN_MISSING',
    ]);
    expect(check({ source: 'pacs.property', columns: {} }).map(({ message }) => message)).toEqual([
      'at least one column must be named',
    ]);
    expect(check({ source: 'pacs.property', columns: good, exclude: ['note'] }).map(({ path }) => path)).toEqual([
      'tables[0].exclude',
    ]);
    const all = property.columns.map(({ name }) => name);
    expect(check({ source: 'pacs.property', exclude: all }).map(({ message }) => message)).toContain(
      'every column is excluded',
    );
  });
});

describe('the target table', () => {
  const shape: TableShape = {
    table: property,
    primaryKey: ['prop_id', 'year'],
    typeNames: new Map([
      ['prop_id', 'integer'],
      ['year', 'smallint'],
      ['geo_id', 'character varying(20)'],
      ['value', 'numeric(14,2)'],
      ['note', 'text'],
    ]),
    notNull: new Set(['prop_id', 'year', 'value']),
    estimatedRows: 0,
  };
  const of = (columns: object, more: object = {}) =>
    targetColumns(parseTable({ source: 'pacs.property', columns: columns as never, ...more }), shape);

  test('has the types that suit its columns', () => {
    const made = of(
      {
        year: { from: 'year' },
        id: { from: 'prop_id' },
        pin: { from: 'geo_id', transforms: ['trim'] },
        padded: { from: 'prop_id', transforms: [{ pad_left: { length: 9 } }] },
        value: { from: 'value' },
        money: { from: 'value', type: 'numeric(20,4)' },
        shape: { from: 'note', type: 'geometry(MultiPolygon,2927)' },
        label: { concat: ['geo_id', 'note'] },
        count: { compute: 'row.prop_id + 1' },
        sum: { compute: 'row.value + 1' },
        share: { compute: 'double(row.value) / 2.0' },
        flag: { compute: 'row.value > 0' },
        words: { compute: 'row.note + "!"' },
        when: { compute: 'timestamp(row.note)', type: 'date' },
        stripped: { compute: 'row.prop_id', transforms: ['trim'] },
        either: { compute: 'row.value > 0 ? dyn(1) : dyn("x")' },
      },
      { target: 'cama.parcel' },
    );
    expect(made.table).toEqual({ schema: 'cama', name: 'parcel' });
    expect(made.primaryKey).toEqual(['id', 'year']);
    expect(made.columns.map(({ name, type, notNull }) => `${name} ${type}${notNull ? ' not null' : ''}`)).toEqual([
      'year smallint not null',
      'id integer not null',
      'pin character varying(20)',
      'padded text',
      'value numeric(14,2) not null',
      'money numeric(20,4) not null',
      'shape geometry(MultiPolygon,2927)',
      'label text',
      'count bigint',
      'sum numeric',
      'share double precision',
      'flag boolean',
      'words text',
      'when date',
      'stripped text',
      'either text',
    ]);
  });

  test('is the source table without what is excluded', () => {
    expect(of('same' as never, { exclude: ['note'] })).toEqual({
      table: { schema: 'pacs', name: 'property' },
      columns: [
        { name: 'prop_id', type: 'integer', notNull: true },
        { name: 'year', type: 'smallint', notNull: true },
        { name: 'geo_id', type: 'character varying(20)', notNull: false },
        { name: 'value', type: 'numeric(14,2)', notNull: true },
      ],
      primaryKey: ['prop_id', 'year'],
    });
  });

  test('has the replica identity as its key where the primary key does not go over', () => {
    const indexed: TableShape = {
      ...shape,
      table: {
        ...property,
        identity: 'index',
        columns: property.columns.map((column) => ({ ...column, key: column.name === 'geo_id' })),
      },
    };
    const input = parseTable({ source: 'pacs.property', columns: { pin: { from: 'geo_id' } } });
    expect(targetColumns(input, indexed).primaryKey).toEqual(['pin']);
    expect(targetColumns(input, { ...indexed, table: { ...indexed.table, identity: 'full' } }).primaryKey).toEqual([]);
  });

  test('is not told while the pair has mistakes', () => {
    expect(() => of({ id: { from: 'gone' } })).toThrow(
      expect.objectContaining({ code: 'SOURCE_COLUMN_MISSING' }) as Error,
    );
  });
});
