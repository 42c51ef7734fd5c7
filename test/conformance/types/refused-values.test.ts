import { expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { unreadable } from './cases/index.ts';
import { refusals } from './refusals.ts';

/** What the target cannot hold becomes a dead letter, row by row; the rest goes on. (Promise 2, CHECKLIST 40) */
async function streamInto(
  setup: string,
  change: string,
  table: string,
  config: Partial<Parameters<Awaited<ReturnType<typeof freshInstallation>>['addPair']>[0]> = {},
): Promise<{ source: TestDatabase; target: TestDatabase; letters: string[]; rows: unknown[] }> {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(setup);
  const installation = await freshInstallation();
  await using service = installation.start();
  const pair = await installation.addPair({ source, target, tables: [{ source: table }], ...config });
  await pair.until('streaming');
  await source.query(change);
  await pair.fence();
  const letters = (await pair.deadLetters()).map(({ code, reason }) => `${code}: ${reason}`);
  const rows = await target.query(`SELECT * FROM ${table} ORDER BY 1`);
  await service.stop();
  return { source, target, letters, rows };
}

test('a name in a regclass, regproc, regtype … that the target does not have is a dead letter, not the end of the pair', async () => {
  const kinds = ['regclass', 'regprocedure', 'regproc', 'regtype', 'regnamespace', 'regoperator', 'regconfig'];
  const [only, rest] = [
    `CREATE SCHEMA lone; CREATE TABLE lone.here (); CREATE TYPE lone.kind AS ENUM (); CREATE FUNCTION lone.f() RETURNS int RETURN 1;
     CREATE FUNCTION lone.g(int, int) RETURNS bool RETURN true; CREATE OPERATOR lone.=~ (FUNCTION = lone.g, LEFTARG = int, RIGHTARG = int);
     CREATE TEXT SEARCH CONFIGURATION lone.words (COPY = simple);`,
    ['lone.here', 'lone.f()', 'lone.f', 'lone.kind', 'lone', 'lone.=~(int,int)', 'lone.words'],
  ];
  const { letters, rows } = await streamInto(
    `${only} CREATE TABLE names (id int PRIMARY KEY, ${kinds.map((kind) => `${kind} ${kind}`).join(', ')})`,
    kinds.map((kind, i) => `INSERT INTO names (id, ${kind}) VALUES (${i}, '${rest[i]!}')`).join('; ') +
      `; INSERT INTO names (id, regclass) SELECT g, CASE g WHEN 25 THEN 'lone.here'::regclass ELSE 'pg_class'::regclass END FROM generate_series(20, 40) g`,
    'public.names',
  );
  expect(letters).toHaveLength(8);
  for (const letter of letters) expect(letter).toMatch(new RegExp(`^${refusals.unknownName.code}: .*lone`));
  expect(rows).toHaveLength(20);
});

test('a type that every server prints and none reads', async () => {
  const tree = `(SELECT adbin FROM pg_attrdef LIMIT 1)`;
  const { letters, rows } = await streamInto(
    'CREATE TABLE trees (id int PRIMARY KEY DEFAULT 5, v pg_node_tree)',
    `INSERT INTO trees VALUES (1, NULL); INSERT INTO trees VALUES (2, ${tree}); INSERT INTO trees VALUES (3, NULL)`,
    'public.trees',
  );
  expect(unreadable).toContain('pg_node_tree');
  expect(letters).toEqual([
    expect.stringContaining(`${refusals.unreadable.code}: cannot accept a value of type pg_node_tree`),
  ]);
  expect(rows).toEqual([
    { id: 1, v: null },
    { id: 3, v: null },
  ]);
});

test('CHECKLIST 40: a NUL that a chain has made', async () => {
  const { letters, rows } = await streamInto(
    'CREATE TABLE nuls (id int PRIMARY KEY, v text)',
    `INSERT INTO nuls VALUES (1, 'a'); INSERT INTO nuls VALUES (2, 'b'); INSERT INTO nuls SELECT g, 'c' FROM generate_series(3, 30) g`,
    'public.nuls',
    {
      tables: [
        {
          source: 'public.nuls',
          columns: { id: { from: 'id' }, v: { compute: String.raw`row.id % 2 == 0 ? row.v + "\u0000" : row.v` } },
        },
      ],
    },
  );
  expect(letters).toHaveLength(15);
  for (const letter of letters) expect(letter).toContain(`${refusals.nul.code}: `);
  expect(rows).toHaveLength(15);
});

test('NaN and infinities as decimals of an expression', async () => {
  const { letters, rows } = await streamInto(
    'CREATE TABLE odd (id int PRIMARY KEY, v numeric)',
    `INSERT INTO odd VALUES (1, 1.5); INSERT INTO odd VALUES (2, 'NaN'), (3, '-Infinity'); INSERT INTO odd VALUES (4, 2)`,
    'public.odd',
    { tables: [{ source: 'public.odd', columns: { id: { from: 'id' }, v: { compute: 'row.v + 1' } } }] },
  );
  expect(letters).toHaveLength(2);
  for (const letter of letters) expect(letter).toContain(`${refusals.decimal.code}: `);
  expect(rows).toMatchObject([
    { id: 1, v: '2.5' },
    { id: 4, v: '3' },
  ]);
});

test('numbers as long as they can be: 131072 digits before the point and 16383 behind it', async () => {
  const digits = `(repeat('9', 131072) || '.' || repeat('7', 16383))::numeric`;
  const { source, target, letters } = await streamInto(
    `CREATE TABLE long (id int PRIMARY KEY, v numeric, n int); INSERT INTO long VALUES (1, ${digits}, 0)`,
    `INSERT INTO long VALUES (2, -${digits}, 0); UPDATE long SET n = 1; UPDATE long SET v = v - 1 WHERE id = 1`,
    'public.long',
  );
  const hash = 'SELECT md5(string_agg(t::text, $$ $$ ORDER BY id)) FROM long t';
  expect(await target.value(hash)).toBe(await source.value(hash));
  expect(letters).toEqual([]);
});
