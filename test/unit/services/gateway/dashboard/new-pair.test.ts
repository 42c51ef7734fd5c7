import { describe, expect, test } from 'vitest';
import { pairPreviewBody } from '#schemas/http/pair-preview.ts';
import { pairInput, tableInput, transformInput } from '#schemas/pairs.ts';
import {
  badNames,
  columnPath,
  columnsOf,
  emptyDraft,
  firstOpenStep,
  newTable,
  pairBodyOf,
  plainColumn,
  proposedName,
  readDraft,
  tableDraftOf,
  tableInputOf,
  type PairDraft,
  type TableDraft,
} from '#services/gateway/dashboard/pages/new-pair/draft.ts';
import {
  argumentOf,
  readList,
  transformName,
  transforms,
  transformsText,
  withArgument,
} from '#services/gateway/dashboard/pages/new-pair/transforms.ts';
import {
  connectionOf,
  formOf,
  newConnection,
  partsOf,
  turned,
  urlOf,
} from '#services/gateway/dashboard/pages/systems/connection.ts';

const table: TableDraft = {
  ...newTable('pacs.owner'),
  target: 'cama.owner',
  columns: [
    plainColumn('id'),
    { ...plainColumn('name'), target: 'owner_name', transforms: ['trim'] },
    { ...plainColumn('ssn'), out: true },
    { from: undefined, compute: 'row.id + 1', target: 'next', transforms: [], type: ' int8 ', out: false },
  ],
  where: ' row.id > 0 ',
  rules: [
    { name: 'named', check: ' row.owner_name != "" ', on_failure: 'halt' },
    { name: 'half written', check: ' ', on_failure: '' },
    { name: 'other', check: 'true', on_failure: '' },
  ],
};
const draft: PairDraft = {
  ...emptyDraft,
  source: 'county-pacs',
  target: 'county-cama',
  tables: [table, newTable('a.b')],
};

describe('what the wizard sends', () => {
  test('is a pair as the API takes it', () => {
    const body = pairBodyOf(draft);
    expect(pairInput.parse(body)).toMatchObject({
      name: 'county-pacs-to-county-cama',
      start: true,
      config: { max_parallel_tables: 2 },
    });
    expect(body['tables']).toEqual([
      {
        source: 'pacs.owner',
        target: 'cama.owner',
        columns: {
          id: { from: 'id' },
          owner_name: { from: 'name', transforms: ['trim'] },
          next: { compute: 'row.id + 1', type: 'int8' },
        },
        where: 'row.id > 0',
        rules: [
          { name: 'named', check: 'row.owner_name != ""', on_failure: 'halt' },
          { name: 'other', check: 'true' },
        ],
      },
      { source: 'a.b', exclude: [], rules: [] },
    ]);
    const preview = { pair: { source: 'county-pacs', tables: body['tables'], config: body['config'] }, table: 'a.b' };
    expect(pairPreviewBody.safeParse(preview).success).toBe(true);
  });

  test('names columns only where one is changed: those that come later go over too', () => {
    const left = { ...table, columns: [plainColumn('id'), { ...plainColumn('ssn'), out: true }], where: '', rules: [] };
    expect(tableInputOf(left)).toEqual({ source: 'pacs.owner', target: 'cama.owner', exclude: ['ssn'], rules: [] });
  });

  test('has a name of a length that is allowed', () => {
    const long = proposedName({ source: 'a'.repeat(60), target: 'b'.repeat(60) });
    expect(pairInput.shape.name.safeParse(long).success).toBe(true);
  });
});

test('columns of the source that nobody has touched are there as they are, computed ones at the end', () => {
  const columns = columnsOf(table, ['id', 'name', 'ssn', 'new']);
  expect(columns.map(({ from, target }) => [from, target])).toEqual([
    ['id', 'id'],
    ['name', 'owner_name'],
    ['ssn', 'ssn'],
    ['new', 'new'],
    [undefined, 'next'],
  ]);
});

test('a step is open only when those before it are done', () => {
  expect(firstOpenStep(emptyDraft)).toBe('systems');
  expect(firstOpenStep({ ...draft, target: draft.source })).toBe('systems');
  expect(firstOpenStep({ ...draft, tables: [] })).toBe('tables');
  // What would be lost in silence is to be mended first.
  expect(firstOpenStep(draft)).toBe('rules');
  const rules = table.rules.filter(({ name }) => name !== 'half written');
  const whole = { ...draft, tables: [{ ...table, rules }] };
  expect(firstOpenStep(whole)).toBeUndefined();
  const twice = { ...table, rules, columns: [plainColumn('id'), { ...plainColumn('name'), target: 'id' }] };
  expect(badNames(twice)).toEqual(['id']);
  expect(
    badNames({ ...twice, columns: [plainColumn('id'), { ...plainColumn('name'), target: 'id', out: true }] }),
  ).toEqual([]);
  expect(firstOpenStep({ ...draft, tables: [twice] })).toBe('mapping');
  expect(columnPath('tax_year')).toBe('columns.tax_year');
  expect(columnPath('Tax Year')).toBe('columns["Tax Year"]');
});

test('a draft outlives a reload, and what is none of ours is an empty one', () => {
  expect(readDraft(JSON.stringify(draft))).toEqual(draft);
  for (const text of [null, 'nonsense', '{}', '{"tables": 7}']) expect(readDraft(text)).toEqual(emptyDraft);
});

describe('transforms', () => {
  test.each(Object.entries(transforms))('%s begins with something that the API takes', (name, { begin }) => {
    expect(transformName(begin)).toBe(name);
    const parsed = transformInput.safeParse(begin);
    expect(parsed.success).toBe(true);
    expect(parsed.data).toEqual(begin);
  });

  test('each argument is read as it is shown', () => {
    const pad = withArgument({ pad_left: { length: 10, with: '0' } }, transforms.pad_left.arguments[0]!, '12');
    expect(pad).toEqual({ pad_left: { length: 12, with: '0' } });
    expect(argumentOf(pad, transforms.pad_left.arguments[0]!)).toBe('12');
    expect(withArgument({ prefix: '' }, transforms.prefix.arguments[0]!, 'R-')).toEqual({ prefix: 'R-' });
    const list = transforms.lookup.arguments[0]!;
    const lookup = withArgument(transforms.lookup.begin, list, 'R = Residential\nX=NULL\nnonsense\na = b = c');
    expect(lookup).toEqual({ lookup: { values: { R: 'Residential', X: null, a: 'b = c' }, otherwise: 'keep' } });
    expect(readList(argumentOf(lookup, list))).toEqual({ R: 'Residential', X: null, a: 'b = c' });
    expect(transformsText(['trim', pad])).toBe('trim blanks at both ends, then pad at the left (12, 0)');
  });
});

describe('the form of a connection', () => {
  test('writes and reads URLs with every character', () => {
    const parts = { host: '::1', port: '5433', database: 'a b/c', user: 'o@d', parameters: '' };
    const url = urlOf(parts);
    expect(url).toBe('postgresql://o%40d@[::1]:5433/a%20b%2Fc');
    expect(partsOf(url)).toEqual(parts);
    expect(partsOf('mysql://a@b/c')).toBeUndefined();
    // A password would be lost in the fields.
    expect(partsOf('postgresql://a:secret@b/c')).toBeUndefined();
  });

  test('keeps what is stored, and what it does not show', () => {
    const connection = {
      url: 'postgresql://sync@db:5432/pacs?sslmode=require',
      password: '[secret]',
      ssl_mode: 'verify-full',
      slot_wait_s: 5,
    };
    const form = formOf({ connection });
    expect(form).toMatchObject({ by: 'fields', host: 'db', user: 'sync', passwordFrom: 'keep', tls: 'verify-full' });
    expect(connectionOf(form)).toEqual(connection);
    expect(connectionOf({ ...form, passwordFrom: 'file', passwordFile: '/x', tls: '' })).toEqual({
      url: connection.url,
      password_file: '/x',
      slot_wait_s: 5,
    });
    expect(turned(turned(form, 'url'), 'fields')).toMatchObject({ host: 'db', parameters: '?sslmode=require' });
    expect(connectionOf({ ...newConnection, host: 'h', user: 'u', database: 'd', password: 'p' })).toEqual({
      url: 'postgresql://u@h:5432/d',
      password: 'p',
    });
  });
});

describe('a table of a pair that is there', () => {
  const given = [
    { source: 'a.b' },
    { source: 'a.b', target: 'c.d', exclude: ['ssn', 'note'], where: 'row.id > 0' },
    { source: 'a.b', columns: { id: { from: 'id' }, name: { from: 'name' } } },
    {
      source: 'a.b',
      columns: {
        z: { from: 'id', type: 'int8' },
        a: { from: 'id', transforms: ['trim', { pad_left: { length: 9 } }] },
        whole: { concat: ['first', 'last'], separator: ', ', transforms: ['upper'] },
        year: { compute: 'int(row.y)', type: 'int4' },
      },
      rules: [
        { name: 'one', check: 'row.z > 0', on_failure: 'warn' },
        { name: 'two', check: 'true' },
      ],
    },
  ].map((table) => tableInput.parse(table));

  test.each(given)('is edited and sent as it is stored: %j', (table) => {
    expect(tableInput.parse(tableInputOf(tableDraftOf(table)))).toEqual({ ...table, target: table.target });
  });

  test('keeps what it lists: columns of the source that it does not name stay away, and one may go over twice', () => {
    const [, , listed, rich] = given.map(tableDraftOf);
    const columns = columnsOf(listed!, ['id', 'name', 'ssn']);
    expect(columns.map(({ target, out }) => [target, out])).toEqual([
      ['id', false],
      ['name', false],
      ['ssn', true],
    ]);
    // Also when all of them are as they are: a column that comes later is not taken along.
    expect(tableInputOf({ ...listed!, columns })).toMatchObject({
      columns: { id: { from: 'id' }, name: { from: 'name' } },
    });
    const all = columnsOf(rich!, ['id', 'other']);
    expect(all.map(({ target, out }) => [target, out])).toEqual([
      ['z', false],
      ['a', false],
      ['other', true],
      ['whole', false],
      ['year', false],
    ]);
    expect(tableInput.parse(tableInputOf({ ...rich!, columns: all }))).toEqual(given[3]);
  });

  test('of which every column goes over, goes on to take those that come', () => {
    const draft = tableDraftOf(given[1]!);
    const columns = columnsOf(draft, ['id', 'ssn', 'note', 'new']);
    expect(columns.filter(({ out }) => out).map(({ from }) => from)).toEqual(['ssn', 'note']);
    expect(tableInputOf({ ...draft, columns })).toMatchObject({ exclude: ['ssn', 'note'] });
  });
});
