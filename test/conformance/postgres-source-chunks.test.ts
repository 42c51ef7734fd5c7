import { beforeAll, describe, expect, test } from 'vitest';
import type { ChunkRange, ChunkSize, SourceSnapshot, TableShape } from '#connectors/contract/source.ts';
import { parseTableName } from '#schemas/tables.ts';
import type { TestDatabase } from '#test/support/postgres.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, sourceOf } from './postgres-source-fixture.ts';

const never = new AbortController().signal;
let database: TestDatabase;

beforeAll(async () => {
  database = await freshDatabase('source');
  await database.query(`CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN code AS varchar(20);
    CREATE TYPE place AS (x int, y text); CREATE SCHEMA "Über.Amt"`);
});

async function shapeOf(table: string): Promise<TableShape> {
  const [shape] = await sourceOf(database.url).describe([parseTableName(table)], contextOf());
  return shape!;
}

async function planOf(snapshot: SourceSnapshot, shape: TableShape, size: ChunkSize): Promise<readonly ChunkRange[]> {
  const [plan] = await snapshot.plan([shape], size, never);
  return plan!;
}

/** The rows of each chunk, as COPY prints them. */
async function readAll(snapshot: SourceSnapshot, shape: TableShape, plan: readonly ChunkRange[]): Promise<string[][]> {
  await using reader = await snapshot.openReader(contextOf());
  const columns = shape.table.columns.map(({ name }) => name);
  const chunks: string[][] = [];
  for (const range of plan) {
    const pieces: Buffer[] = [];
    let counted = 0;
    // As it comes back from where it was stored.
    const stored = JSON.parse(JSON.stringify(range)) as ChunkRange;
    for await (const { bytes, rows } of reader.copyOut(shape.table, columns, stored, 'text', never)) {
      pieces.push(Buffer.from(bytes));
      counted += rows;
    }
    chunks.push(Buffer.concat(pieces).toString().split('\n').slice(0, -1));
    expect(counted).toBe(chunks.at(-1)!.length);
  }
  return chunks;
}

async function expectOnce(table: string, size: ChunkSize, shape: TableShape): Promise<readonly ChunkRange[]> {
  await using snapshot = await sourceOf(database.url).openSnapshot(contextOf());
  const plan = await planOf(snapshot, shape, size);
  const rows = (await readAll(snapshot, shape, plan)).flat().sort();
  const [whole] = await readAll(snapshot, shape, [{ by: 'whole' }]);
  expect(rows).toEqual(whole!.sort());
  expect(rows).toHaveLength(await database.value<number>(`SELECT count(*)::int FROM ${table}`));
  return plan;
}

describe('CHECKLIST 27: chunks by key have each row once, whatever the key is', () => {
  const keys: readonly (readonly [string, string, string])[] = [
    ['int2', 'k int2', '(g - 100)::int2'],
    ['int8', 'k int8', '(g - 100) * 40000000000000000'],
    ['numeric', 'k numeric', "CASE g WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' ELSE g / 7.0 END::numeric"],
    ['float8', 'k float8', "CASE g WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE 1 / g::float8 END"],
    ['text', 'k text', "chr(32 + g) || '''\\\"' || chr(10) || md5(g::text)"],
    ['text in C', 'k text COLLATE "C"', "chr(32 + g) || 'ß' || g"],
    ['text in a language', 'k text COLLATE "de-x-icu"', "(ARRAY['ä', 'a', 'Z', 'ß', 'A'])[1 + g % 5] || g"],
    ['varchar of a domain', 'k code', "'c' || g"],
    ['char', 'k char(9)', "'c' || g"],
    ['bytea', 'k bytea', 'decode(md5(g::text), $$hex$$)'],
    ['uuid', 'k uuid', 'md5(g::text)::uuid'],
    [
      'timestamptz',
      'k timestamptz',
      "CASE g WHEN 1 THEN 'infinity' ELSE timestamptz '0044-03-15 BC' + g * interval '1 year 3.000001 s' END",
    ],
    ['date', 'k date', "date '2026-01-01' + g"],
    ['interval', 'k interval', "g * interval '-1 day 3 h'"],
    ['inet', 'k inet', "inet '10.0.0.0/8' + g"],
    ['bool and int', 'k bool, l int', 'g % 2 = 0, g'],
    ['enum and text', 'k mood, l text', "(ARRAY['happy', 'sad', 'ok'])[1 + g % 3]::mood, 'x' || g"],
    ['composite', 'k place', "ROW(g % 10, 'y' || g)::place"],
    ['array', 'k int[]', 'ARRAY[g % 5, g]'],
    ['range', 'k int4range', 'int4range(g, g + 5)'],
    ['three', 'k int, l date, m text', "g % 3, date '2026-01-01' + g % 7, 'z' || g"],
  ];

  test.each(keys)('%s', async (name, columns, values) => {
    const table = `"Über.Amt"."${name}"`;
    const names = columns.split(', ').map((column) => column.split(' ')[0]!);
    await database.query(`CREATE TABLE ${table} (${columns}, note text, PRIMARY KEY (${names.join(', ')}));
      INSERT INTO ${table} SELECT ${values}, NULLIF(g % 4, 0) FROM generate_series(1, 150) g; ANALYZE ${table}`);
    const shape = await shapeOf(table);
    const few = await expectOnce(table, { bytes: 1, rows: 40 }, shape);
    expect(few).toHaveLength(4);
    expect(few[0]).toMatchObject({ by: 'key', columns: names, lower: null });
    expect(few.at(-1)).toMatchObject({ upper: null });
    // A chunk a row.
    expect(await expectOnce(table, { bytes: 1, rows: 1 }, shape)).toHaveLength(150);
  });

  test('a table of one chunk, an empty one, one of which nobody has counted the rows', async () => {
    await database.query(`CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT g FROM generate_series(1, 5) g;
      CREATE TABLE none (id int PRIMARY KEY)`);
    const whole = [{ by: 'key', columns: ['id'], lower: null, upper: null }];
    expect(await expectOnce('small', { bytes: 1e9 }, await shapeOf('public.small'))).toEqual(whole);
    expect(await expectOnce('small', { bytes: 1, rows: 2 }, await shapeOf('public.small'))).toHaveLength(3);
    expect(await expectOnce('none', { bytes: 1, rows: 2 }, await shapeOf('public.none'))).toEqual(whole);
  });

  test('by bytes, values stored out of line included, from a sample', async () => {
    await database.query(`CREATE TABLE wide (id int PRIMARY KEY, v text); ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
      INSERT INTO wide SELECT g, repeat('x', 8000) FROM generate_series(1, 1000) g`);
    const plan = await expectOnce('wide', { bytes: 1_000_000 }, await shapeOf('public.wide'));
    expect(plan.length).toBeGreaterThan(6);
    expect(plan.length).toBeLessThan(12);
  });
});

describe('tables that no key tells apart', () => {
  test('are cut by where their rows lie; the parts of one snapshot have each row once, whatever is written meanwhile', async () => {
    await database.query(`CREATE TABLE event (v text); ALTER TABLE event REPLICA IDENTITY FULL;
      INSERT INTO event SELECT repeat('x', 500) FROM generate_series(1, 2000)`);
    const shape = await shapeOf('public.event');
    await using snapshot = await sourceOf(database.url).openSnapshot(contextOf());
    const plan = await planOf(snapshot, shape, { bytes: 200_000 });
    expect(plan.length).toBeGreaterThan(3);
    expect(plan[0]).toMatchObject({ by: 'place', lower: null });
    await database.query("UPDATE event SET v = 'y'; INSERT INTO event SELECT 'z' FROM generate_series(1, 500)");
    const rows = (await readAll(snapshot, shape, plan)).flat();
    expect(rows).toHaveLength(2000);
    expect(new Set(rows).size).toBe(1);
  });

  test('a partitioned table without a key, and one whose identity is nothing, go as a whole or by place', async () => {
    await database.query(`CREATE TABLE log (d int, v text) PARTITION BY RANGE (d);
      CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (50); CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (50) TO (200);
      INSERT INTO log SELECT g, 'v' FROM generate_series(1, 150) g; CREATE TABLE once (id int PRIMARY KEY); INSERT INTO once VALUES (1);
      ALTER TABLE once REPLICA IDENTITY NOTHING`);
    expect(await expectOnce('log', { bytes: 1, rows: 10 }, await shapeOf('public.log'))).toEqual([{ by: 'whole' }]);
    expect(await expectOnce('once', { bytes: 1, rows: 1 }, await shapeOf('public.once'))).toEqual([{ by: 'whole' }]);
  });

  test('a partitioned table with one goes by it over all partitions', async () => {
    await database.query(`CREATE TABLE sale (id int, d int, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
      CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (0) TO (50); CREATE TABLE sale_2 PARTITION OF sale FOR VALUES FROM (50) TO (200);
      INSERT INTO sale SELECT g, g % 100 FROM generate_series(1, 150) g; ANALYZE sale_1, sale_2`);
    expect(await expectOnce('sale', { bytes: 1, rows: 10 }, await shapeOf('public.sale'))).toHaveLength(15);
  });
});

test('tables that were truncated, rewritten or made anew since the snapshot are named, others are not', async () => {
  const tables = ['same', 'emptied', 'rewritten', 'replaced', 'dropped', 'parted'];
  await database.query(`${tables
    .slice(0, 5)
    .map((table) => `CREATE TABLE ${table} (id int PRIMARY KEY); INSERT INTO ${table} VALUES (1);`)
    .join('\n')}
    CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (9)`);
  await using snapshot = await sourceOf(database.url).openSnapshot(contextOf());
  const names = tables.map((table) => parseTableName(`public.${table}`));
  expect(await snapshot.altered(names)).toEqual([]);
  await database.query(`INSERT INTO same VALUES (2); ALTER TABLE same ADD note text; TRUNCATE emptied;
    ALTER TABLE rewritten ALTER id TYPE bigint; DROP TABLE replaced; CREATE TABLE replaced (id int PRIMARY KEY); DROP TABLE dropped;
    CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (9) TO (20)`);
  const altered = (await snapshot.altered(names)).map(({ name }) => name);
  expect(altered).toEqual(['emptied', 'rewritten', 'replaced', 'dropped']);
  await database.query('TRUNCATE parted_1');
  expect((await snapshot.altered(names)).map(({ name }) => name)).toContain('parted');
});

test("CHECKLIST 29: a role's limits of time do not end a snapshot; between chunks no table is locked", async () => {
  const role = `limited_${database.name}`;
  await database.query(`CREATE TABLE slow (id int PRIMARY KEY); INSERT INTO slow VALUES (1);
    CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT SELECT ON slow TO ${role};
    ALTER ROLE ${role} SET statement_timeout = '50ms'; ALTER ROLE ${role} SET idle_in_transaction_session_timeout = '50ms';
    ALTER ROLE ${role} SET transaction_timeout = '50ms'; ALTER ROLE ${role} SET lock_timeout = '50ms'`);
  const url = new URL(database.url);
  [url.username, url.password] = [role, 'x'];
  try {
    const shape = await shapeOf('public.slow');
    await using snapshot = await sourceOf(url.href).openSnapshot(contextOf());
    await using reader = await snapshot.openReader(contextOf());
    const rows = async (): Promise<string> => {
      const pieces: Buffer[] = [];
      for await (const { bytes } of reader.copyOut(shape.table, ['id'], { by: 'whole' }, 'text', never))
        pieces.push(Buffer.from(bytes));
      return Buffer.concat(pieces).toString();
    };
    expect(await rows()).toBe('1\n');
    const locker = await database.connect();
    // Longer than any of the limits, with the snapshot idle meanwhile; and then a lock that it has to wait for.
    await locker.query('BEGIN; LOCK TABLE slow; SELECT pg_sleep(0.2)');
    const waiting = rows();
    await locker.query('SELECT pg_sleep(0.2); COMMIT');
    expect(await waiting).toBe('1\n');
  } finally {
    await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test('a snapshot whose session is gone is told as a connection that broke', async () => {
  const shape = await shapeOf('public.small');
  const snapshot = await sourceOf(database.url).openSnapshot(contextOf());
  await using reader = await snapshot.openReader(contextOf());
  const planned = await planOf(snapshot, shape, { bytes: 1e9 });
  await snapshot[Symbol.asyncDispose]();
  const reading = (async () => {
    for await (const piece of reader.copyOut(shape.table, ['id'], planned[0]!, 'text', never))
      expect(piece).toBeDefined();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'SOURCE_DISCONNECTED' });
});
