import { beforeAll, describe, expect, test } from 'vitest';
import type { SourceBlock } from '#connectors/contract/source.ts';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import { BlockReader, isBinary, textual } from '#schemas/block/index.ts';
import { SeededRandom } from '#services/demo/random.ts';
import { columns, row } from './binary-rows.ts';
import type { TestDatabase } from '#test/support/postgres.ts';
import { freshDatabase, loneSource } from '#test/support/servers.ts';
import { testChanges } from './postgres-source-changes.ts';
import { changesOf, contextOf, dataOf, readUntil, TestStream, type Way } from './postgres-source-fixture.ts';

const binary: Way = { cells: 'binary' };

describe('values in binary', () => {
  testChanges(binary);
});
describe('values in binary, in portions', () => {
  testChanges({ ...binary, catchUpBytes: -(1n << 62n), catchUpWindowBytes: 0 });
});

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase('source');
});

const formatsOf = ({ bytes }: SourceBlock): boolean[] => BlockReader.open(bytes).header.tables.map(isBinary);

test.each([1, 2, 3])(
  'every change reads as in a stream of text, and so do its blocks as text (seed %i)',
  async (seed) => {
    const random = new SeededRandom(seed);
    const name = `both${seed}`;
    await database.query(`CREATE TABLE ${name} (id int PRIMARY KEY, ${columns}); ALTER TABLE ${name} ALTER note SET STORAGE EXTERNAL;
    CREATE TABLE ${name}_full (id int PRIMARY KEY, ${columns}); ALTER TABLE ${name}_full REPLICA IDENTITY FULL`);
    const tables = [name, `${name}_full`];
    const [asBytes, asText] = [
      await TestStream.create(database, tables, { ...binary, blockBytes: 3000, sliceBytes: 500 }),
      await TestStream.create(database, tables),
    ];
    for (let id = 1; id <= 60; id++) {
      const table = random.pick([name, `${name}_full`]);
      await database.query(`INSERT INTO ${table} VALUES (${id}, ${row(random)})`);
      await database.query(`UPDATE ${table} SET note = repeat('n', 5000), num = num + 1 WHERE id = ${id}`);
      await database.query(
        `UPDATE ${random.pick([name, `${name}_full`])} SET large = ${id}, id = id + 1000 WHERE id = ${random.whole(1, id)}`,
      );
      await database.query(`DELETE FROM ${random.pick([name, `${name}_full`])} WHERE id = ${random.whole(1, id)}`);
    }
    const [bytes, text] = [await asBytes.readAll(undefined), await asText.readAll(undefined)];
    expect(bytes.flatMap(formatsOf)).toContain(true);
    expect(bytes.flatMap(formatsOf)).not.toContain(false);
    expect(text.flatMap(formatsOf)).not.toContain(true);
    const expected = dataOf(text);
    expect(expected.length).toBeGreaterThan(120);
    expect(dataOf(bytes)).toEqual(expected);
    // Who needs text makes it of the block, which then says so.
    const made = bytes.map((block) => ({ ...block, bytes: textual(block.bytes) }));
    expect(made.flatMap(formatsOf)).not.toContain(true);
    expect(dataOf(made)).toEqual(expected);
    expect(made.map(({ bytes: one }) => BlockReader.summary(one))).toEqual(
      bytes.map(({ bytes: one }) => BlockReader.summary(one)),
    );
    expect(made.map(({ bytes: one }) => textual(one))).toEqual(made.map(({ bytes: one }) => one));
  },
);

describe('text all the same', () => {
  const values = async (name: string, way: Way, url = database.url, at = database): Promise<boolean[]> => {
    const stream = await TestStream.create(at, [name], way);
    await at.query(`INSERT INTO ${name} (id) VALUES (1)`);
    const source = postgresSource(postgresSettings.parse({ url, ...(way === binary ? {} : { binary: false }) }));
    const marker = await stream.mark();
    await using reader = await stream.open(undefined, contextOf(), source);
    return (await readUntil(reader, marker)).flatMap(formatsOf);
  };

  test('where a column is of a type of which only the text is known', async () => {
    await database.query(
      'CREATE TABLE plain (id int PRIMARY KEY); CREATE TABLE floating (id int PRIMARY KEY, f float8)',
    );
    expect(await values('plain', binary)).toEqual([true]);
    expect(await values('floating', binary)).toEqual([false]);
  });

  test('where the system says so', async () => {
    await database.query('CREATE TABLE told (id int PRIMARY KEY)');
    expect(await values('told', { ...binary })).toEqual([false]);
  });
});

describe('a column of such a type comes while the stream is read', () => {
  test.each([
    ['between two transactions', ''],
    ['in the midst of one', 'BEGIN; INSERT INTO :t VALUES (2); INSERT INTO :t VALUES (3); '],
  ])('%s: it is read on as text, and every change comes once', async (_when, first) => {
    const source = await loneSource();
    await source.query('CREATE TABLE grown (id int PRIMARY KEY)');
    const stream = await TestStream.create(source, ['grown'], { ...binary, blockBytes: 100, sliceBytes: 1 });
    await using reader = await stream.open(undefined);
    await source.query('INSERT INTO grown VALUES (1)');
    const before = await readUntil(reader, await stream.mark());
    await source.query(
      `${first} ALTER TABLE grown ADD mood float8; INSERT INTO grown VALUES (4, 0.1); ${first === '' ? '' : 'COMMIT;'}`.replaceAll(
        ':t',
        'grown',
      ),
    );
    await source.query('INSERT INTO grown VALUES (5, 0.2)');
    const after = await readUntil(reader, await stream.mark());
    const blocks = [...before, ...after];
    const rows = dataOf(blocks).filter(({ table }) => table === 'grown');
    expect(rows.map(({ after: cells }) => cells)).toEqual([
      ['1'],
      ...(first === '' ? [] : [['2'], ['3']]),
      ['4', '0.1'],
      ['5', '0.2'],
    ]);
    const positions = blocks.flatMap(changesOf).map(({ position }) => position);
    expect(new Set(positions).size).toBe(positions.length);
    // Each block goes on from where the one before it ends.
    blocks.reduce<SourceBlock | undefined>((last, block) => {
      if (last) expect(BlockReader.open(block.bytes).header.after).toEqual(last.last);
      return block;
    }, undefined);
    expect(before.flatMap(formatsOf)).toEqual([true]);
    expect(after.flatMap(formatsOf).at(-1)).toBe(false);
  });
});
