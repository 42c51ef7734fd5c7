import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SchemaNews } from '#connectors/contract/target.ts';
import { sourceTable, type SourceTable } from '#schemas/source-tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, insert, Pair, table } from './postgres-target-fixture.ts';

const column = { typmod: -1, default: null, missing: null, has_missing: false, identity: false, generated: false };
const id = { ...column, attnum: 1, name: 'id', type: 'integer', type_oid: 23, not_null: true, key: true };
const owner = { ...column, attnum: 2, name: 'owner', type: 'text', type_oid: 25, not_null: false, key: false };

const parcelOf = (...columns: readonly object[]): SourceTable =>
  sourceTable.parse({
    relation_id: 16_384,
    schema: 'public',
    name: 'parcel',
    kind: 'r',
    identity: 'd',
    permanent: true,
    partition: false,
    primary_key: [1],
    columns,
    enums: [],
    partitions: [],
  });
const target = { schema: 'public', name: 'parcel' };
const wider: SchemaNews = {
  tables: [{ source: parcelOf(id, owner), target, exclude: [], rewritten: 'no', attached: 'empty', guessed: [] }],
  dropped: [],
};

let database: TestDatabase;
let pair: Pair;

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE parcel (id int PRIMARY KEY)');
  pair = new Pair(database);
  await pair.start();
  await pair.target.holdTables(pair.id, [{ source: parcelOf(id), target, unread: [] }], contextOf());
});

const columns = (): Promise<string> =>
  database.value(
    `SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'parcel'::regclass AND attnum > 0`,
  );

describe('a change of a table (Promise 3)', () => {
  const row = insert(table('public.parcel', ['id*', 'owner']), ['1', 'Ann']);

  test('arrives with the rows behind it and with the position', async () => {
    await using writer = await pair.open();
    const plan = await writer.plan(wider);
    expect(plan.steps).toHaveLength(1);
    const block = pair.history.block([row]);
    await writer.apply({ ...pair.batch([block]), schema: plan }, pair.reject);
    expect(await pair.rows('parcel')).toEqual([['1', 'Ann']]);
    expect((await pair.applied())!.position).toEqual(block.last);
  });

  test('is undone with them when the writer ends before the commit, and made when it comes again', async () => {
    const slices = pair.history.cut([[row], []]);
    {
      await using writer = await pair.open();
      const plan = await writer.plan(wider);
      const outcome = await writer.apply({ ...pair.batch(slices.slice(0, 1)), schema: plan }, pair.reject);
      expect(outcome.committed).toBe(false);
    }
    expect(await columns()).toBe('id');
    await using writer = await pair.open();
    // What is held is what stands: planned again, the same is to be done.
    const plan = await writer.plan(wider);
    expect(plan.steps).toHaveLength(1);
    await writer.apply({ ...pair.batch(slices), schema: plan }, pair.reject);
    expect(await columns()).toBe('id,owner');
    expect(await pair.rows('parcel')).toEqual([['1', 'Ann']]);
  });
});
