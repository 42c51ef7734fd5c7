import { describe, expect, test } from 'vitest';
import type { BlockTable } from '#schemas/block/index.ts';
import type { SourceColumn, SourceTable } from '#schemas/source-tables.ts';
import { guessed, reconcile } from '#services/writer/reconcile.ts';

const INT = 23;
const TEXT = 25;

/** "1:id" is a text column with number 1; "2:n int" an integer one. */
function table(columns: readonly string[], more: Partial<SourceColumn> = {}): SourceTable {
  return {
    relation_id: 7,
    schema: 'public',
    name: 'parcel',
    kind: 'r',
    identity: 'd',
    permanent: true,
    partition: false,
    primary_key: [1],
    columns: columns.map((text) => {
      const [, attnum, name, int] = /^(\d+):(\w+)( int)?$/.exec(text)!;
      return {
        attnum: Number(attnum),
        name: name!,
        type: int ? 'integer' : 'text',
        type_oid: int ? INT : TEXT,
        typmod: -1,
        not_null: false,
        default: null,
        missing: null,
        has_missing: false,
        identity: false,
        generated: false,
        key: attnum === '1',
        ...more,
      };
    }),
    enums: [],
    partitions: [],
  };
}

function header(...columns: readonly string[]): BlockTable {
  return {
    relationId: 7,
    schema: 'public',
    name: 'parcel',
    identity: 'default',
    tolerant: false,
    columns: columns.map((text, place) => ({
      name: text.replace(' int', ''),
      typeOid: text.endsWith(' int') ? INT : TEXT,
      typeSchema: 'pg_catalog',
      typeName: text.endsWith(' int') ? 'int4' : 'text',
      typmod: -1,
      key: place === 0,
      format: 'text',
    })),
  };
}

function numbers(
  columns: readonly string[],
  held: readonly string[] | undefined,
  now: readonly string[] | undefined,
): string[] {
  const found = reconcile({
    header: header(...columns),
    held: held && table(held),
    now: now && table(now),
    exclude: [],
    typeName: (column) => column.typeName,
  });
  return found.columns.map(({ attnum, name }) => `${attnum}:${name}`);
}

describe('which column is which (CHECKLIST 19, 20)', () => {
  test('a rename keeps its number', () => {
    expect(numbers(['id', 'address'], ['1:id', '2:situs'], ['1:id', '2:address'])).toEqual(['1:id', '2:address']);
  });

  test('dropped and added under one name is another column', () => {
    expect(numbers(['id', 'b', 'a int'], ['1:id', '2:a', '3:b'], ['1:id', '3:b', '4:a int'])).toEqual([
      '1:id',
      '3:b',
      '4:a',
    ]);
  });

  test('two that swap their names', () => {
    expect(numbers(['id', 'b', 'a'], ['1:id', '2:a', '3:b'], ['1:id', '2:b', '3:a'])).toEqual(['1:id', '2:b', '3:a']);
  });

  test('one that has been renamed again since is known by its place and type', () => {
    expect(numbers(['id', 'between', 'c int'], ['1:id', '2:a', '3:c int'], ['1:id', '2:z', '3:c int'])).toEqual([
      '1:id',
      '2:between',
      '3:c',
    ]);
  });

  test('one that came and has gone again since has a number of its own', () => {
    const found = numbers(['id', 'brief int'], ['1:id'], ['1:id']);
    expect(found[0]).toBe('1:id');
    expect(found[1]).toMatch(/^1\.\d+:brief$/);
  });

  test('without a catalog the names decide, and without anything the order', () => {
    expect(numbers(['id', 'a'], ['1:id', '5:a'], undefined)).toEqual(['1:id', '5:a']);
    expect(numbers(['id', 'a'], undefined, undefined)).toHaveLength(2);
  });
});

describe('what a header does not tell', () => {
  const build = (held: SourceTable, now: SourceTable) =>
    reconcile({ header: header('id'), held, now, exclude: ['secret'], typeName: (column) => column.typeName });

  test('a later NOT NULL is not believed, a later NULL is', () => {
    const strict = table(['1:id'], { not_null: true });
    const lax = table(['1:id']);
    expect(build(lax, strict).columns[0]!.not_null).toBe(false);
    expect(build(strict, lax).columns[0]!.not_null).toBe(false);
    expect(build(strict, strict).columns[0]!.not_null).toBe(true);
  });

  test('a new label comes early, another name of a label does not', () => {
    const mood = (...labels: string[]): SourceTable => ({
      ...table(['1:id']),
      enums: [{ type: 'public.mood', labels: labels.map((label, oid) => ({ oid, label })) }],
    });
    expect(build(mood('sad', 'glad'), mood('sad', 'happy', 'new')).enums[0]!.labels.map(({ label }) => label)).toEqual([
      'sad',
      'glad',
      'new',
    ]);
  });

  test('columns that do not go over are carried along', () => {
    const found = build(table(['1:id', '2:secret']), table(['1:id', '2:secret']));
    expect(found.columns.map(({ name }) => name)).toEqual(['id', 'secret']);
  });
});

describe('which columns are guessed (Promise 2)', () => {
  const guesses = (columns: readonly string[], was: readonly string[], is: readonly string[] | undefined) =>
    guessed({
      header: header(...columns),
      held: table(was),
      now: is && table(is),
      exclude: [],
      typeName: (column) => column.typeName,
    });

  test.each([
    ['added', ['id', 'a', 'b'], ['1:id', '2:a'], ['1:id', '2:a', '3:b']],
    ['added, and dropped since', ['id', 'a', 'b int'], ['1:id', '2:a'], ['1:id', '2:a']],
    ['dropped', ['id'], ['1:id', '2:a'], ['1:id']],
    ['renamed', ['id', 'b'], ['1:id', '2:a'], ['1:id', '2:b']],
    ['renamed, its place taken by a new one of its name', ['id', 'b'], ['1:id', '2:a'], ['1:id', '2:b', '3:a']],
    ['swapped', ['id', 'b', 'a'], ['1:id', '2:a', '3:b'], ['1:id', '2:b', '3:a']],
    ['of another type', ['id', 'n'], ['1:id', '2:n int'], ['1:id', '2:n']],
    ['as it was, dropped since', ['id', 'a', 'b'], ['1:id', '2:a'], ['1:id', '3:b']],
  ])('not one that was %s', (_, columns, was, is) => {
    expect(guesses(columns, was, is)).toEqual([]);
  });

  test.each([
    ['renamed, and again since', ['id', 'b'], ['1:id', '2:a'], ['1:id', '2:c']],
    ['renamed or new, and gone since', ['id', 'b'], ['1:id', '2:a'], ['1:id']],
    ['renamed or new, in a table that is gone', ['id', 'b'], ['1:id', '2:a'], undefined],
    ['new, and renamed since', ['id', 'a', 'b'], ['1:id', '2:a'], ['1:id', '2:a', '3:c']],
  ])('one that was %s', (_, columns, was, is) => {
    expect(guesses(columns, was, is)).toEqual(['b']);
  });
});
