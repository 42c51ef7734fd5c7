import { beforeEach, describe, expect, test } from 'vitest';
import { BlockReader, isBinary } from '#schemas/block/index.ts';
import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { columns, row } from './binary-rows.ts';
import { TestStream } from './postgres-source-fixture.ts';
import { contextOf, Pair, type Slice } from './postgres-target-fixture.ts';

let source: TestDatabase;
let target: TestDatabase;
let pair: Pair;

beforeEach(async () => {
  [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  pair = new Pair(target);
  await pair.start();
});

/** Both ends get the tables. */
async function make(sql: string, atTarget = sql): Promise<void> {
  await source.query(sql);
  await target.query(atTarget);
}

/** What is written at the source meanwhile, in binary. */
async function changesInBinary(tables: readonly string[], write: () => Promise<unknown>): Promise<Slice[]> {
  const stream = await TestStream.create(source, tables, { cells: 'binary', blockBytes: 20_000, sliceBytes: 5000 });
  await write();
  const blocks = await stream.readAll(undefined);
  const headers = blocks.flatMap(({ bytes }) => BlockReader.open(bytes).header.tables);
  expect(headers.length).toBeGreaterThan(0);
  expect(headers.every(isBinary)).toBe(true);
  return blocks.map(({ bytes, last }) => ({ bytes, last }));
}

describe.each(['set', 'ordered', 'immediate'] as const)('mode %s', (mode) => {
  test.each([1, 2])('inserts, updates, deletes and new keys arrive as they were (seed %i)', async (seed) => {
    const random = new SeededRandom(seed);
    const tables = ['things', 'things_full'] as const;
    await make(`CREATE TABLE things (id int PRIMARY KEY, ${columns}); ALTER TABLE things ALTER note SET STORAGE EXTERNAL;
      CREATE TABLE things_full (id int8, ${columns})`);
    await source.query('ALTER TABLE things_full REPLICA IDENTITY FULL');
    const slices = await changesInBinary(tables, async () => {
      for (let id = 1; id <= 40; id++) {
        const table = random.pick(tables);
        const rows = Array.from(
          { length: random.pick([1, 1, 20, 100]) },
          (_, i) => `(${id * 1000 + i}, ${row(random)})`,
        );
        await source.query(`INSERT INTO ${table} VALUES ${rows.join(', ')}`);
        await source.query(`UPDATE ${table} SET note = repeat('n', 5000) WHERE id % 5 = ${random.whole(0, 4)}`);
        await source.query(
          `UPDATE ${random.pick(tables)} SET large = id, num = num + 1 WHERE id % 7 = ${random.whole(0, 6)}`,
        );
        await source.query(`UPDATE ${table} SET id = id + 500 WHERE id = ${random.whole(1, id) * 1000}`);
        await source.query(`DELETE FROM ${random.pick(tables)} WHERE id % 11 = ${random.whole(0, 10)}`);
      }
    });
    await pair.apply(slices, mode);
    expect(pair.letters).toEqual([]);
    await expectSameRows(source, target);
  });
});

test.each([1, 7, 8, 63, 64, 5000])('%i inserts', async (rows) => {
  const random = new SeededRandom(rows);
  await make(`CREATE TABLE things (id int PRIMARY KEY, ${columns})`);
  const slices = await changesInBinary(['things'], async () => {
    const made = Array.from({ length: rows }, (_, i) => `(${i}, ${row(random)})`);
    await source.query(`INSERT INTO things VALUES ${made.join(', ')}`);
  });
  expect((await pair.apply(slices)).inserted).toBe(rows);
  await expectSameRows(source, target);
});

test.each(['set', 'ordered'] as const)('blocks in binary and blocks of text in one batch, mode %s', async (mode) => {
  const random = new SeededRandom(5);
  await make(`CREATE TABLE things (id int PRIMARY KEY, ${columns})`);
  const streams = [
    await TestStream.create(source, ['things'], { cells: 'binary' }),
    await TestStream.create(source, ['things'], { cells: 'text' }),
  ];
  const slices: Slice[] = [];
  const held = new Map<TestStream, Slice['last']>();
  for (let turn = 0; turn < 6; turn++) {
    const stream = streams[turn % 2]!;
    const made = Array.from({ length: 100 }, (_, i) => `(${turn * 100 + i}, ${row(random)})`);
    await source.query(`INSERT INTO things VALUES ${made.join(', ')}`);
    await source.query(
      `UPDATE things SET large = ${turn}, note = NULL WHERE id % 3 = 0; DELETE FROM things WHERE id % 10 = ${turn}`,
    );
    // Of each stream every other stretch.
    for (const each of streams) {
      const blocks = await each.readAll(held.get(each));
      held.set(each, blocks.at(-1)!.last);
      if (each === stream) slices.push(...blocks);
    }
  }
  await pair.apply(slices, mode);
  expect(pair.letters).toEqual([]);
  await expectSameRows(source, target);
});

test.each([
  ['columns of other types, and ones that the target computes, get the values’ text', 200],
  ['so do a few rows into columns of other types', 3],
])('%s', async (_what, rows) => {
  await make(
    `CREATE TABLE things (id int PRIMARY KEY, ${columns})`,
    `CREATE DOMAIN whole_number AS int4 CHECK (value > -2147483648);
     CREATE TABLE things (id int8 PRIMARY KEY, ${columns.replace('whole int4', 'whole whole_number').replace('large int8', 'large numeric').replace('day date', 'day text')},
       doubled numeric GENERATED ALWAYS AS (large * 2) STORED)`,
  );
  const random = new SeededRandom(3);
  const slices = await changesInBinary(['things'], async () => {
    const made = Array.from({ length: rows }, (_, i) => `(${i}, ${row(random)})`);
    await source.query(`INSERT INTO things VALUES ${made.join(', ')}`);
  });
  await pair.apply(slices);
  const shown = `SELECT string_agg(concat_ws('|', id, flag, whole, large, num, day, seen, raw, docb), E'\\n' ORDER BY id) FROM things`;
  expect(await target.value(shown)).toBe(await source.value(shown));
});

test('Promise 4: bytes are never read as those of another type, into which a column was altered meanwhile', async () => {
  await make('CREATE TABLE things (id int PRIMARY KEY, large int8)');
  const fill = (from: number) =>
    source.query(`INSERT INTO things SELECT i, i FROM generate_series(${from}, ${from + 99}) AS i`);
  const [first, second] = [
    await changesInBinary(['things'], () => fill(1)),
    await changesInBinary(['things'], () => fill(101)),
  ];
  {
    await using writer = await pair.open();
    await writer.apply(pair.batch(first), pair.reject);
    await target.query('ALTER TABLE things ALTER large TYPE float8');
    await expect(writer.apply(pair.batch(second), pair.reject)).rejects.toMatchObject({ code: 'TARGET_CONSTRAINT' });
  }
  expect(await target.value('SELECT count(*)::text FROM things')).toBe('100');
  // The next writer looks at the table anew.
  expect(await pair.applyWithFallback(second)).toBe('set');
  expect(await target.value('SELECT count(*) || $1 || sum(large) FROM things', [' '])).toBe('200 20100');
  expect(await pair.target.applied(pair.id, contextOf())).toMatchObject({ position: second.at(-1)!.last });
});

test('a dead letter has the values as text', async () => {
  await make('CREATE TABLE things (id int PRIMARY KEY, price numeric(14, 2), seen timestamptz)');
  await target.query('ALTER TABLE things ADD CHECK (price < 100)');
  const slices = await changesInBinary(['things'], async () => {
    await source.query(
      "INSERT INTO things SELECT i, i + 0.5, '2026-01-02 03:04:05.6+00' FROM generate_series(1, 100) AS i",
    );
  });
  expect(await pair.applyWithFallback(slices)).toBe('ordered');
  expect(pair.letters.map(({ row: cells }) => cells)).toEqual([
    { id: '100', price: '100.50', seen: '2026-01-02 03:04:05.6+00' },
  ]);
});
