import fc from 'fast-check';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { typeCases } from './types/cases/index.ts';
import { inCanonicalSession, setupOf } from './types/matrix.ts';
import { bare } from './types/tables.ts';
import { insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  for (const schema of await database.query<{ name: string }>(
    `SELECT quote_ident(nspname) AS name FROM pg_namespace WHERE nspname !~ '^(pg_|_terrafusion)' AND nspname <> 'information_schema'`,
  ))
    await database.query(`DROP SCHEMA ${schema.name} CASCADE`);
  await database.query('CREATE SCHEMA public');
  pair = new Pair(database);
  await pair.start();
});

/** Types and texts as PostgreSQL prints them (CHECKLIST 22 to 25): those of the matrix in types/, here through each way of writing. */
async function printedValues(): Promise<readonly (readonly [string, readonly string[]])[]> {
  const printed: (readonly [string, readonly string[]])[] = [];
  await inCanonicalSession(database, async (client) => {
    for (const statement of setupOf(typeCases)) await client.query(statement);
    for (const type of typeCases) {
      const { rows } = await client.query<[string]>({
        text: type.values.map((value) => `SELECT (${value})::${bare(type)}`).join(' UNION ALL '),
        rowMode: 'array',
        types: { getTypeParser: () => (text: string) => text },
      });
      printed.push([type.type, rows.map(([text]) => text)]);
    }
  });
  return printed;
}

async function makeTypes(): Promise<void> {
  await database.query(`DROP SCHEMA IF EXISTS mood CASCADE; CREATE SCHEMA mood; CREATE TYPE mood.kind AS ENUM ('a', 'b c');
    CREATE DOMAIN mood.short AS varchar(3); CREATE DOMAIN mood.shorter AS mood.short CHECK (length(value) < 3);
    CREATE TYPE mood.pair AS (a int, b text)`);
}

describe('values of every type print as they came (Promise 4)', () => {
  // One row takes INSERT, many take COPY, an update and an upsert go by arrays.
  test.each(['insert', 'copy', 'update', 'upsert', 'ordered'] as const)('%s', async (way) => {
    const values = await printedValues();
    const columns = values.map(([type], i) => `c${i} ${type}`);
    await database.query(`CREATE TABLE typed (id int PRIMARY KEY, ${columns.join(', ')})`);
    const typed = table('public.typed', ['id*', ...values.map((_, i) => `c${i}`)], { tolerant: way === 'upsert' });
    const rows = Array.from({ length: 20 }, (_, n) => [
      String(n),
      ...values.map(([, texts]) => (n % 5 === 4 ? null : texts[n % texts.length]!)),
    ]);
    if (way === 'insert' || way === 'ordered') {
      for (const row of rows)
        await pair.apply([pair.history.block([insert(typed, row)])], way === 'ordered' ? way : 'set');
    } else if (way === 'copy') await pair.apply([pair.history.block(rows.map((row) => insert(typed, row)))]);
    else {
      await database.query('INSERT INTO typed (id) SELECT generate_series(0, 9)');
      if (way === 'update') await database.query('INSERT INTO typed (id) SELECT generate_series(10, 19)');
      await pair.apply([pair.history.block(rows.map((row) => update(typed, row)))]);
    }
    // As the types print themselves: a cast to text would say true for t, and drop the padding.
    const found = await inCanonicalSession(database, (client) =>
      client.query<(string | null)[]>({
        text: 'SELECT * FROM public.typed ORDER BY id',
        rowMode: 'array',
        types: { getTypeParser: () => (text: string) => text },
      }),
    );
    expect(found.rows).toEqual(rows);
  });

  test.each([
    ['character varying(3)', 'abcd'],
    ['character(3)', 'abcd'],
    ['bit(3)', '1010'],
    ['bit(3)', '10'],
    ['bit varying(3)', '1010'],
    ['mood.short', 'abcd'],
    ['mood.shorter', 'abc'],
    ['mood.short[]', '{abcd}'],
    ['character varying(3)[]', '{abcd}'],
    ['numeric(4,2)', '100.00'],
  ])('a value that %s does not hold is refused, never cut: %s', async (type, text) => {
    await makeTypes();
    await database.query(`CREATE TABLE typed (id int PRIMARY KEY, v ${type})`);
    const typed = table('public.typed', ['id*', 'v']);
    const loose = table('public.typed', ['id*', 'v'], { tolerant: true });
    await database.query('INSERT INTO typed VALUES (1), (2)');
    const many = Array.from({ length: 20 }, (_, i) => insert(typed, [String(i + 10), i === 7 ? text : null]));
    for (const changes of [
      [insert(typed, ['5', text])],
      [update(typed, ['1', text])],
      [insert(loose, ['2', text])],
      many,
    ]) {
      await pair.applyWithFallback([pair.history.block(changes)]);
    }
    expect(pair.letters.map(({ row }) => row['v'])).toEqual([text, text, text, text]);
    expect(await database.value('SELECT count(v)::int FROM typed')).toBe(0);
    expect(await database.value('SELECT count(*)::int FROM typed')).toBe(21);
  });
});

test('a row without a key is found by what it holds, never by what a type would cut from another', async () => {
  await database.query(
    'CREATE TABLE cut (a varchar(3), b char(3), c bit(3), d varchar(3)[], n int); ' +
      "INSERT INTO cut VALUES ('abc', 'abc', '101', '{abc}', 1)",
  );
  const cut = table('public.cut', ['a', 'b', 'c', 'd', 'n'], { identity: 'full' });
  const rows = [
    ['abcd', 'abc', '101', '{abc}', '1'],
    ['abc', 'abcd', '101', '{abc}', '1'],
    ['abc', 'abc', '1011', '{abc}', '1'],
    ['abc', 'abc', '101', '{abcd}', '1'],
  ];
  for (const row of rows) await pair.applyWithFallback([pair.history.block([remove(cut, row)])]);
  expect(pair.letters.map(({ code }) => code)).toEqual(rows.map(() => 'TARGET_CONFLICT'));
  expect(await pair.rows('cut')).toHaveLength(1);
  await pair.apply([pair.history.block([remove(cut, ['abc', 'abc', '101', '{abc}', '1'])])]);
  expect(await pair.rows('cut')).toEqual([]);
});

test('a domain as key, also where the type below has no operators for it', async () => {
  await database.query(`CREATE TYPE public.kind AS ENUM ('a', 'b'); CREATE DOMAIN public.some_kind AS public.kind;
    CREATE DOMAIN public.more AS public.some_kind; CREATE TABLE kinds (k public.more PRIMARY KEY, v int)`);
  const kinds = table('public.kinds', ['k*', 'v']);
  for (const mode of ['set', 'ordered'] as const) {
    await pair.apply([pair.history.block([insert(kinds, ['a', '1'])])], mode);
    await pair.apply([pair.history.block([update(kinds, ['a', '2'])])], mode);
    await pair.apply([pair.history.block([update(kinds, ['b', '2'], ['a', null])])], mode);
    expect(await pair.rows('kinds')).toEqual([['b', '2']]);
    await pair.apply([pair.history.block([remove(kinds, ['b', null])])], mode);
  }
  // The key's index leads to the row all the same.
  const plan = await database.query<{ 'QUERY PLAN': string }>(
    `SET enable_seqscan = off; EXPLAIN DELETE FROM kinds AS t USING unnest('{a}'::text[]) AS u (c0) WHERE t.k::public.kind = u.c0::public.kind`,
  );
  expect(plan.map((line) => line['QUERY PLAN']).join()).toContain('Index');
});

test('any texts: by COPY, by arrays, and as keys', async () => {
  await database.query('CREATE TABLE texts (k text PRIMARY KEY, a text, b text)');
  const texts = table('public.texts', ['k*', 'a', 'b']);
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: fc.constantFrom('\t', '\n', '\r', '\\', 'N', '"', '{', '}', ',', "'", ' ', 'a') }),
  );
  const value = fc.option(text.map((one) => one.replaceAll('\0', '')));
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        fc.tuple(
          text.map((one) => one.replaceAll('\0', '')),
          value,
          value,
        ),
        {
          selector: ([key]) => key,
          minLength: 1,
          maxLength: 30,
        },
      ),
      async (rows) => {
        await database.query('TRUNCATE texts');
        const sorted = rows.toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        await pair.apply([pair.history.block(rows.map((row) => insert(texts, row)))]);
        const all = () => database.query<Record<string, string | null>>('SELECT * FROM texts ORDER BY k COLLATE "C"');
        expect((await all()).map(({ k, a, b }) => [k, a, b])).toEqual(sorted);
        await pair.apply([pair.history.block(rows.map(([k, a, b]) => update(texts, [k, b, a])))]);
        expect((await all()).map(({ k, a, b }) => [k, b, a])).toEqual(sorted);
        await pair.apply([pair.history.block(rows.map(([k]) => remove(texts, [k, null, null])))]);
        expect(await all()).toEqual([]);
      },
    ),
    { numRuns: 25 },
  );
});

describe('tables that are not plain', () => {
  test('identity columns: ALWAYS is written, and never set', async () => {
    await database.query(`CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
      CREATE TABLE numbered (id int PRIMARY KEY, no int GENERATED ALWAYS AS IDENTITY, v text)`);
    const item = table('public.item', ['id*', 'v']);
    const numbered = table('public.numbered', ['id*', 'no', 'v']);
    for (const mode of ['set', 'ordered'] as const) {
      const many = Array.from({ length: 20 }, (_, i) => insert(item, [String(i + 100), 'm']));
      await pair.apply(
        [pair.history.block([insert(item, ['7', 'a']), insert(numbered, ['1', '70', 'a'])], many)],
        mode,
      );
      await pair.apply(
        [pair.history.block([update(item, ['8', 'b'], ['7', null]), update(numbered, ['1', '70', 'b'])])],
        mode,
      );
      expect(await database.query('SELECT * FROM item WHERE id < 100')).toEqual([{ id: 8, v: 'b' }]);
      expect(await pair.rows('numbered')).toEqual([['1', '70', 'b']]);
      await database.query('TRUNCATE item, numbered');
    }
    await database.query(`INSERT INTO numbered OVERRIDING SYSTEM VALUE VALUES (1, 5, 'x')`);
    expect(await pair.applyWithFallback([pair.history.block([update(numbered, ['1', '6', 'y'])])])).toBe('ordered');
    expect(pair.letters).toMatchObject([{ code: 'TARGET_CONFLICT' }]);
  });

  test('columns that the target computes are left to it', async () => {
    await database.query(
      `CREATE TABLE area (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b int)`,
    );
    const area = table('public.area', ['id*', 'a', 'twice', 'b']);
    const many = Array.from({ length: 20 }, (_, i) => insert(area, [String(i + 10), '1', '99', '3']));
    await pair.apply([pair.history.block([insert(area, ['1', '5', '99', '7'])])]);
    await pair.apply([pair.history.block([update(area, ['1', '6', '99', '8'])])]);
    await pair.apply([pair.history.block(many)]);
    expect((await pair.rows('area')).slice(0, 2)).toEqual([
      ['1', '6', '12', '8'],
      ['10', '1', '2', '3'],
    ]);
  });

  test('partitions, also with a row that crosses them', async () => {
    await database.query(`CREATE TABLE sale (id int, year int, v text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
      CREATE TABLE sale_1 PARTITION OF sale FOR VALUES IN (2023); CREATE TABLE sale_2 PARTITION OF sale FOR VALUES IN (2024)`);
    const sale = table('public.sale', ['id*', 'year*', 'v']);
    const many = Array.from({ length: 20 }, (_, i) => insert(sale, [String(i), i % 2 ? '2023' : '2024', 'v']));
    await pair.apply([pair.history.block(many)]);
    await pair.apply([
      pair.history.block([
        update(sale, ['0', '2023', undefined], ['0', '2024', null]),
        update(sale, ['1', '2023', 'w']),
        remove(sale, ['2', '2024', null]),
      ]),
    ]);
    expect(await database.query('SELECT id, v FROM sale_1 WHERE id < 3 ORDER BY id')).toEqual([
      { id: 0, v: 'v' },
      { id: 1, v: 'w' },
    ]);
    const stranger = pair.history.block([insert(sale, ['99', '1999', 'v'])]);
    expect(await pair.applyWithFallback([stranger])).toBe('ordered');
    expect(pair.letters).toMatchObject([{ code: 'TARGET_ROW_REJECTED' }]);
  });

  test('as many columns as a table can have', async () => {
    const names = Array.from({ length: 1600 }, (_, i) => `c${i}`);
    await database.query(
      `CREATE TABLE wide (${names.map((column) => `${column} smallint`).join(', ')}, PRIMARY KEY (c0))`,
    );
    const wide = table('public.wide', ['c0*', ...names.slice(1)]);
    const row = (id: number, cell: string) => [String(id), ...names.slice(1).map(() => cell)];
    await pair.apply([pair.history.block([insert(wide, row(1, '1')), insert(wide, row(2, '2'))])]);
    await pair.apply([pair.history.block([update(wide, row(1, '3')), update(wide, row(5, '5'), row(2, '2'))])]);
    expect(await database.query('SELECT c0, c1, c1599 FROM wide ORDER BY 1')).toEqual([
      { c0: 1, c1: 3, c1599: 3 },
      { c0: 5, c1: 5, c1599: 5 },
    ]);
  });

  test('a view that can be written through', async () => {
    await database.query(
      `CREATE TABLE base (id int PRIMARY KEY, v text); CREATE VIEW through AS SELECT id AS key, v FROM base`,
    );
    const through = table('public.through', ['key*', 'v']);
    const many = Array.from({ length: 20 }, (_, i) => insert(through, [String(i), 'v']));
    await pair.apply([pair.history.block(many)]);
    await pair.apply([pair.history.block([update(through, ['1', 'w']), remove(through, ['2', null])])]);
    expect((await pair.rows('base')).slice(0, 3)).toEqual([
      ['0', 'v'],
      ['1', 'w'],
      ['3', 'v'],
    ]);
  });

  test('only key columns, and a key of several types', async () => {
    await makeTypes();
    await database.query(`CREATE TABLE link (a mood.kind, b uuid, c timestamptz, PRIMARY KEY (a, b, c))`);
    const link = table('public.link', ['a*', 'b*', 'c*']);
    const [u, t] = ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2024-01-01 00:00:00+00'];
    for (const mode of ['set', 'ordered'] as const) {
      await pair.apply([pair.history.block([insert(link, ['a', u, t])])], mode);
      await pair.apply([pair.history.block([update(link, ['a', u, t])])], mode);
      await pair.apply([pair.history.block([update(link, ['b c', u, t], ['a', u, t])])], mode);
      expect(await database.value('SELECT a FROM link')).toBe('b c');
      await pair.apply([pair.history.block([remove(link, ['b c', u, t])])], mode);
    }
    expect(await pair.applyWithFallback([pair.history.block([update(link, ['a', u, t])])])).toBe('ordered');
    expect(pair.letters).toHaveLength(1);
  });
});
