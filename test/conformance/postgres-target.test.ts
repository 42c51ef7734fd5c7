import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freshDatabase } from '#test/support/servers.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const parcel = table('public.parcel', ['id*', 'owner', 'notes', 'value']);

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP TABLE IF EXISTS parcel;
    CREATE TABLE parcel (id int PRIMARY KEY, owner varchar(20), notes text, value numeric(14,2))`);
  pair = new Pair(database);
  await pair.start();
});

describe('set-based', () => {
  test('inserts, updates and deletes arrive, and the position with them', async () => {
    const block = pair.history.block([
      insert(parcel, ['1', 'Ann', 'a\tb\\c\nd\r', '1.50']),
      insert(parcel, ['2', 'Bob', null, null]),
      insert(parcel, ['3', 'Cem', '', '3']),
    ]);
    expect(await pair.apply([block])).toEqual({ committed: true, inserted: 3, updated: 0, deleted: 0, rejected: 0 });
    const later = pair.history.block([
      update(parcel, ['1', 'Anna', undefined, '2.50']),
      remove(parcel, ['2', null, null, null]),
      insert(parcel, ['4', 'Dee', 'x', '4']),
    ]);
    await pair.apply([later]);
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Anna', 'a\tb\\c\nd\r', '2.50'],
      ['3', 'Cem', '', '3.00'],
      ['4', 'Dee', 'x', '4.00'],
    ]);
    expect(await pair.applied()).toEqual({
      position: later.last,
      topic: 'changes.x',
      nextOffset: 7n,
      overlayUntil: 0n,
    });
  });

  test('many inserts go by COPY', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => insert(parcel, [String(i), `o${i}`, `\\N\t${i}\n`, null]));
    await pair.apply([pair.history.block(rows)]);
    expect(await database.value('SELECT count(*) FROM parcel')).toBe('5000');
    expect(await database.value('SELECT notes FROM parcel WHERE id = 4999')).toBe('\\N\t4999\n');
  });
});
