import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const modes = ['set', 'ordered'] as const;
const parcel = table('public.parcel', ['id*', 'owner', 'notes']);

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE parcel (id int PRIMARY KEY, owner text, notes text);
    INSERT INTO parcel VALUES (1, 'Ann', 'n1'), (2, 'Bob', 'n2')`);
  pair = new Pair(database);
  await pair.start();
});

describe.each(modes)('changed keys (CHECKLIST 15), %s', (mode) => {
  test('a new key, found by the old one', async () => {
    await pair.apply([pair.history.block([update(parcel, ['7', 'Ann', 'x'], ['1', null, null])])], mode);
    expect(await pair.rows('parcel')).toEqual([
      ['2', 'Bob', 'n2'],
      ['7', 'Ann', 'x'],
    ]);
  });

  test('two rows change places by way of a third key', async () => {
    await pair.apply(
      [
        pair.history.block([
          update(parcel, ['99', 'Ann', 'a'], ['1', null, null]),
          update(parcel, ['1', 'Bob', 'b'], ['2', null, null]),
          update(parcel, ['2', 'Ann', 'a'], ['99', null, null]),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Bob', 'b'],
      ['2', 'Ann', 'a'],
    ]);
  });

  test('a new key where not all values were sent', async () => {
    await pair.apply(
      [
        pair.history.block([
          update(parcel, ['2', 'Bobby', undefined]),
          update(parcel, ['5', 'Bob', undefined], ['2', null, null]),
          update(parcel, ['6', 'Bob', undefined], ['5', null, null]),
          insert(parcel, ['2', 'new', 'n']),
          insert(parcel, ['3', 'Cem', 'long']),
          update(parcel, ['4', 'Cem', undefined], ['3', null, null]),
          remove(parcel, ['4', null, null]),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Ann', 'n1'],
      ['2', 'new', 'n'],
      ['6', 'Bob', 'n2'],
    ]);
  });

  test('keys of several columns, any place and type', async () => {
    const keyed = table('public.keyed', ['v', 'b*', 'a*']);
    await database.query('CREATE TABLE keyed (a text, v int, b numeric, PRIMARY KEY (a, b))');
    await pair.apply(
      [
        pair.history.block([
          insert(keyed, ['1', '1.0', 'x']),
          insert(keyed, ['2', '1', '.0x']),
          insert(keyed, ['3', '11', 'x']),
          update(keyed, ['4', '1.00', 'x'], [null, '1.0', 'x']),
          remove(keyed, [null, '11', 'x']),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('keyed')).toEqual([
      ['.0x', '2', '1'],
      ['x', '4', '1.00'],
    ]);
  });

  test('an identity by another index than the primary key', async () => {
    const byCode = table('public.coded', ['id', 'code*'], { identity: 'index' });
    await database.query('CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL)');
    await pair.apply([pair.history.block([insert(byCode, ['1', 'a']), insert(byCode, ['2', 'b'])])], mode);
    await pair.apply(
      [pair.history.block([update(byCode, ['10', 'a']), update(byCode, ['2', 'c'], [null, 'b'])])],
      mode,
    );
    expect(await pair.rows('coded')).toEqual([
      ['2', 'c'],
      ['10', 'a'],
    ]);
  });
});

describe.each(modes)('whole rows as identity (CHECKLIST 17), %s', (mode) => {
  test('with a key at the target rows are found by it, and unsent values come from the old row', async () => {
    const full = table('public.parcel', ['id', 'owner', 'notes'], { identity: 'full' });
    await pair.apply(
      [
        pair.history.block([
          update(full, ['1', 'Anna', undefined], ['1', 'Ann', 'n1']),
          update(full, ['3', 'Bob', undefined], ['2', 'Bob', 'n2']),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Anna', 'n1'],
      ['3', 'Bob', 'n2'],
    ]);
  });

  test('without a key exactly one of equal rows is met, whatever the types', async () => {
    const log = table('public.log', ['a', 'j', 'p', 'n'], { identity: 'full' });
    await database.query('CREATE TABLE log (a text, j json, p point, n numeric)');
    const row = ['a', '{"x": 1}', '(1,2)', '1.0'];
    await pair.apply(
      [
        pair.history.block([
          insert(log, row),
          insert(log, row),
          insert(log, row),
          insert(log, [null, null, null, '1.00']),
          insert(log, [null, null, null, '1.0']),
          update(log, ['b', ...row.slice(1)], row),
          remove(log, row),
          remove(log, [null, null, null, '1.0']),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('log')).toEqual([
      ['a', ...row.slice(1)],
      ['b', ...row.slice(1)],
      [null, null, null, '1.00'],
    ]);
  });

  test('a row that is not there is reported', async () => {
    const log = table('public.log', ['a'], { identity: 'full' });
    await database.query('CREATE TABLE log (a text)');
    expect(await pair.applyWithFallback([pair.history.block([remove(log, ['x']), insert(log, ['y'])])])).toBe(
      'ordered',
    );
    expect(pair.letters).toMatchObject([
      { op: 'delete', code: 'TARGET_CONFLICT', row: { a: 'x' }, before: { a: 'x' } },
    ]);
    expect(await pair.rows('log')).toEqual([['y']]);
  });
});

test('without any identity there are only inserts', async () => {
  const events = table('public.events', ['a'], { identity: 'nothing' });
  await database.query('CREATE TABLE events (a text)');
  await pair.apply([pair.history.block([insert(events, ['1']), insert(events, ['1'])])]);
  expect(await pair.rows('events')).toEqual([['1'], ['1']]);
  const change = update(events, ['2']);
  await expect(pair.apply([pair.history.block([change])])).rejects.toMatchObject({ code: 'TARGET_STATEMENT_FAILED' });
});

test.each(modes)('a target without an index on the key: slow, but right, %s', async (mode) => {
  const loose = table('public.loose', ['id*', 'v'], { tolerant: true });
  const strict = table('public.loose', ['id*', 'v']);
  await database.query(
    `CREATE TABLE loose (id int, v text); INSERT INTO loose SELECT i, 'v' FROM generate_series(1, 2000) i`,
  );
  const changes = Array.from({ length: 1000 }, (_, i) => update(strict, [String(i + 1), 'w']));
  await pair.apply(
    [pair.history.block(changes), pair.history.block([insert(loose, ['1', 'x']), insert(loose, ['5000', 'y'])])],
    mode,
  );
  expect(await database.query(`SELECT v, count(*)::int AS n FROM loose GROUP BY 1 ORDER BY 1`)).toEqual([
    { v: 'v', n: 1000 },
    { v: 'w', n: 999 },
    { v: 'x', n: 1 },
    { v: 'y', n: 1 },
  ]);
});

test('names of every kind (CHECKLIST 26)', async () => {
  const odd = table('"My ""Schema"."Select."', ['Id*', 'id', 'a "b" c', 'üñ$1']);
  await database.query(
    `CREATE SCHEMA "My ""Schema"; CREATE TABLE "My ""Schema"."Select." ("Id" int PRIMARY KEY, id text, "a ""b"" c" text, "üñ$1" text)`,
  );
  await pair.apply([pair.history.block([insert(odd, ['1', 'a', 'b', 'c']), insert(odd, ['2', 'a', 'b', 'c'])])]);
  await pair.apply([
    pair.history.block([update(odd, ['1', 'x', undefined, 'z']), remove(odd, ['2', null, null, null])]),
  ]);
  expect(await pair.rows('"My ""Schema"."Select."')).toEqual([['1', 'x', 'b', 'z']]);
  await database.query('DROP SCHEMA "My ""Schema" CASCADE');
});
