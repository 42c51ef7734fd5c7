import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { pairConfig, pairInput, tableInput, transformInput } from '#schemas/pairs.ts';
import { systemInput } from '#schemas/systems.ts';
import { changesTopic, deadLettersTopic, readyTopic } from '#schemas/topics.ts';

const paths = (result: { error?: z.ZodError | undefined }) =>
  (result.error?.issues ?? []).map(({ path }) => path.join('.'));

describe('a pair', () => {
  const least = { name: 'pacs-to-cama', source: 'pacs', target: 'cama' };

  test('needs a name and two systems; the rest has defaults', () => {
    expect(pairInput.parse(least)).toEqual({
      ...least,
      start: false,
      config: pairConfig.parse({}),
    });
    expect(pairConfig.parse({})).toMatchObject({
      detection_strategy: 'cdc',
      create_tables: true,
      existing_rows: 'refuse',
      schema_changes: 'evolve',
      destructive_changes: 'ask',
      on_invalid: 'quarantine',
    });
  });

  test('takes what the API documents as an example', () => {
    const parsed = pairInput.parse({
      ...least,
      tables: [
        {
          source: 'pacs.property',
          target: 'cama.parcel',
          columns: {
            parcel_pin: { from: 'geo_id', transforms: ['trim', { pad_left: { length: 12 } }] },
            tax_year: { compute: 'int(row.prop_val_yr)', type: 'integer' },
            situs: { concat: ['num', 'street'] },
          },
          where: "row.prop_type_cd == 'R'",
          rules: [{ name: 'pin present', check: "row.parcel_pin != ''", on_failure: 'quarantine' }],
        },
      ],
    });
    expect(parsed.tables?.[0]).toMatchObject({
      exclude: [],
      columns: {
        parcel_pin: { transforms: ['trim', { pad_left: { length: 12, with: '0' } }] },
        tax_year: { transforms: [] },
        situs: { separator: ' ' },
      },
    });
  });

  test('tells every wrong field by its path at once', () => {
    const result = pairInput.safeParse({
      name: 'Not A Name',
      source: '',
      target: { connector: 'postgres' },
      tables: [{ source: 'no_schema', rules: [{ name: '', check: '' }] }],
      config: { on_invalid: 'ignore', unknown_switch: 1 },
      extra: true,
    });
    const found = paths(result);
    for (const path of ['name', 'source', 'target', 'tables.0.source', 'tables.0.rules.0.name', 'config.on_invalid']) {
      expect(found).toContain(path);
    }
    expect(found).toContain('config');
    expect(found).toContain('');
  });

  test.each([
    ['an empty list of tables', { ...least, tables: [] }],
    ['a name of one letter', { ...least, name: 'a' }],
    ['a name that ends with a dash', { ...least, name: 'a-' }],
    ['a batch of no rows', { ...least, config: { batch_size: 0 } }],
  ])('is not one with %s', (_what, input) => {
    expect(pairInput.safeParse(input).success).toBe(false);
  });

  test('gives JSON schemas for the API and forms', () => {
    for (const schema of [pairInput, tableInput, systemInput]) {
      expect(z.toJSONSchema(schema, { io: 'input' })).toMatchObject({ type: 'object' });
    }
  });
});

describe('a column', () => {
  const column = (input: unknown) => tableInput.safeParse({ source: 'a.b', columns: { x: input } }).success;

  test('comes from a column, several, or an expression, not from two of them', () => {
    expect(column({ from: 'a' })).toBe(true);
    expect(column({ concat: ['a'] })).toBe(true);
    expect(column({ compute: '1' })).toBe(true);
    expect(column({ from: 'a', compute: '1' })).toBe(false);
    expect(column({})).toBe(false);
    expect(column({ concat: [] })).toBe(false);
    expect(column({ from: 'a'.repeat(64) })).toBe(false);
  });
});

describe('a transform', () => {
  test.each([
    ['trim', true],
    ['shout', false],
    [{ pad_left: { length: 5, with: '0' } }, true],
    [{ pad_left: { length: 5, with: '00' } }, false],
    [{ pad_left: { length: 0 } }, false],
    [{ replace: { find: '', with: 'x' } }, false],
    [{ lookup: { values: { A: 'B', C: null }, otherwise: 'reject' } }, true],
    [{ lookup: { values: { A: 1 } } }, false],
    [{ prefix: 'a', suffix: 'b' }, false],
    [{ hash: {} }, true],
    [{ mask: { keep_last: -1 } }, false],
    [{ truncate: { length: 0 } }, true],
  ])('%j: %s', (input, good) => {
    expect(transformInput.safeParse(input).success).toBe(good);
  });
});

describe('a system', () => {
  test('is production and of no special kind unless told otherwise', () => {
    expect(systemInput.parse({ name: 'pacs', connection: { url: 'postgres://h/d' } })).toEqual({
      name: 'pacs',
      kind: 'Other',
      on_wal_budget: 'alarm',
      environment: 'production',
      connector: 'postgres',
      connection: { url: 'postgres://h/d' },
    });
  });

  test('of an unknown kind, environment or name is refused by field', () => {
    expect(paths(systemInput.safeParse({ name: 'X', kind: 'SAP', environment: 'test', connection: {} }))).toEqual([
      'name',
      'kind',
      'environment',
    ]);
  });
});

test('topics are named by what they hold', () => {
  expect(changesTopic('s1')).toBe('changes.s1');
  expect(readyTopic('p1', 2)).toBe('ready.p1.2');
  expect(deadLettersTopic('p1')).toBe('dead-letters.p1');
});
