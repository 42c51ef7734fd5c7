import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import {
  type Change,
  History,
  insert,
  message,
  Pair,
  remove,
  table,
  truncate,
  update,
} from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const parcel = table('public.parcel', ['id*', 'owner', 'notes', 'value']);

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE parcel (id int PRIMARY KEY, owner varchar(20), notes text, value numeric(14,2))`);
  pair = new Pair(database);
  await pair.start();
});

describe('changes', () => {
  test('inserts, updates and deletes arrive, and the position with them', async () => {
    const block = pair.history.block([
      insert(parcel, ['1', 'Ann', 'a\tb\\c\nd\r', '1.50']),
      insert(parcel, ['2', 'Bob', null, null]),
      insert(parcel, ['3', 'Cem', '', '3']),
    ]);
    expect(await pair.apply([block])).toEqual({
      committed: true,
      inserted: 3,
      updated: 0,
      deleted: 0,
      rejected: 0,
      tables: [
        { table: { schema: 'public', name: 'parcel' }, changes: 3, lastCommitTime: expect.any(Number) as number },
      ],
    });
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
    expect(await pair.applied()).toMatchObject({
      position: later.last,
      topic: 'changes.x',
      nextOffset: 7n,
      overlayUntil: 0n,
    });
  });

  test('many inserts go by COPY, whatever the values hold', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => insert(parcel, [String(i), `o${i}`, `\\N\t${i}\n\\.`, null]));
    await pair.apply([pair.history.block(rows)]);
    expect(await database.value('SELECT count(*) FROM parcel')).toBe('5000');
    expect(await database.value('SELECT notes FROM parcel WHERE id = 4999')).toBe('\\N\t4999\n\\.');
  });

  test('a value larger than every buffer passes, by COPY and by statement', async () => {
    const large = 'x'.repeat(9_000_000);
    const few = [insert(parcel, ['1', null, large, null])];
    const many = Array.from({ length: 10 }, (_, i) =>
      insert(parcel, [String(i + 10), null, i === 5 ? large : 'small', null]),
    );
    await pair.apply([pair.history.block(few), pair.history.block(many)]);
    await pair.apply([pair.history.block([update(parcel, ['1', 'Ann', `${large}y`, null])])]);
    expect(
      await database.query('SELECT id, length(notes) AS n FROM parcel WHERE length(notes) > 5 ORDER BY 1'),
    ).toEqual([
      { id: 1, n: 9_000_001 },
      { id: 15, n: 9_000_000 },
    ]);
  });

  test('what comes to nothing leaves nothing, and messages and our own tables only move the position', async () => {
    const ours = table('_terrafusion.applied_positions', ['pair_id*']);
    const block = pair.history.block(
      [
        insert(parcel, ['1', 'Ann', null, null]),
        update(parcel, ['1', 'Bob', null, null]),
        remove(parcel, ['1', null, null, null]),
      ],
      [message(), insert(ours, ['somebody'])],
    );
    await pair.apply([block]);
    expect(await pair.rows('parcel')).toEqual([]);
    expect((await pair.applied())?.position).toEqual(block.last);
    expect(await database.value('SELECT count(*) FROM _terrafusion.applied_positions')).toBe('1');
  });

  test('a row that is deleted and inserted again within a batch is the new one, columns of the target alone start anew', async () => {
    await database.query(`ALTER TABLE parcel ADD remark text DEFAULT 'new'`);
    await pair.apply([pair.history.block([insert(parcel, ['1', 'Ann', 'x', '1'])])]);
    await database.query(`UPDATE parcel SET remark = 'seen'`);
    await pair.apply([
      pair.history.block([remove(parcel, ['1', null, null, null]), insert(parcel, ['1', 'Bob', null, '2'])]),
    ]);
    expect(await pair.rows('parcel')).toEqual([['1', 'Bob', null, '2.00', 'new']]);
  });

  test('a table whose shape changes within a batch', async () => {
    const wider = table('public.parcel', ['id*', 'owner', 'notes', 'value', 'extra']);
    await database.query('ALTER TABLE parcel ADD extra text');
    await pair.apply([
      pair.history.block(
        [insert(parcel, ['1', 'Ann', 'x', '1'])],
        [update(wider, ['1', 'Ann', undefined, '1', 'e']), insert(wider, ['2', 'Bob', 'y', '2', 'f'])],
      ),
    ]);
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Ann', 'x', '1.00', 'e'],
      ['2', 'Bob', 'y', '2.00', 'f'],
    ]);
  });
});

describe('values that were not sent (CHECKLIST 16)', () => {
  test.each(['set', 'ordered', 'immediate'] as const)('keep what was there, %s', async (mode) => {
    await pair.apply([
      pair.history.block([insert(parcel, ['1', 'Ann', 'long', '1']), insert(parcel, ['2', 'Bob', 'longer', '2'])]),
    ]);
    const block = pair.history.block(
      // insert, update(unchanged)
      [insert(parcel, ['3', 'Cem', 'longest', '3']), update(parcel, ['3', 'Cemal', undefined, '3'])],
      // update(unchanged), update(unchanged)
      [update(parcel, ['1', 'Anna', undefined, '1']), update(parcel, ['1', undefined, undefined, '11'])],
      // update(value), update(unchanged)
      [update(parcel, ['2', 'Bob', 'other', '2']), update(parcel, ['2', 'Bobby', undefined, '2'])],
    );
    await pair.apply([block], mode);
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Anna', 'long', '11.00'],
      ['2', 'Bobby', 'other', '2.00'],
      ['3', 'Cemal', 'longest', '3.00'],
    ]);
  });

  test('an update that is not whole never makes a row, and is reported', async () => {
    const slices = [pair.history.block([update(parcel, ['9', 'Ann', undefined, '1'])])];
    expect(await pair.applyWithFallback(slices)).toBe('ordered');
    expect(await pair.rows('parcel')).toEqual([]);
    expect(pair.letters).toMatchObject([
      { code: 'TARGET_CONFLICT', op: 'update', row: { id: '9', owner: 'Ann', value: '1' } },
    ]);
    expect(pair.letters[0]!.row).not.toHaveProperty('notes');
    expect((await pair.applied())?.position).toEqual(slices[0]!.last);
  });

  test('a key that is stored out of line comes with the old key', async () => {
    const doc = table('public.doc', ['name*', 'body']);
    await database.query('CREATE TABLE doc (name text PRIMARY KEY, body text)');
    await pair.apply([pair.history.block([insert(doc, ['n1', 'a'])])]);
    await pair.apply([pair.history.block([update(doc, [undefined, 'b'], ['n1', null])])]);
    expect(await pair.rows('doc')).toEqual([['n1', 'b']]);
  });
});

describe('truncate (CHECKLIST 39)', () => {
  test('flushes what came before, takes its tables together, and what follows is new', async () => {
    const owner = table('public.owner', ['id*', 'parcel']);
    await database.query('CREATE TABLE owner (id int PRIMARY KEY, parcel int REFERENCES parcel)');
    for (const mode of ['set', 'ordered'] as const) {
      const block = pair.history.block(
        [insert(parcel, ['1', 'Ann', null, null]), insert(owner, ['1', '1'])],
        [...truncate([parcel, owner]), insert(parcel, ['1', 'Bob', null, null])],
        [insert(owner, ['5', '1'])],
      );
      await pair.apply([block], mode);
      expect(await pair.rows('parcel')).toEqual([['1', 'Bob', null, null]]);
      expect(await pair.rows('owner')).toEqual([['5', '1']]);
      await pair.apply([pair.history.block(truncate([parcel], { cascade: true }))], mode);
      expect(await pair.rows('owner')).toEqual([]);
    }
  });

  test('restarts sequences when the source did', async () => {
    const item = table('public.item', ['id*']);
    await database.query('CREATE TABLE item (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)');
    await database.query('INSERT INTO item SELECT FROM generate_series(1, 3)');
    await pair.apply([pair.history.block(truncate([item], { restart: true }))]);
    expect(await database.value('INSERT INTO item DEFAULT VALUES RETURNING id')).toBe(1);
  });
});

describe('a first load that is laid over', () => {
  const history = () => new History(5000n);

  test.each(['set', 'ordered'] as const)('insert and update are upserts, nothing has to be there, %s', async (mode) => {
    pair = new Pair(database, history());
    await pair.start(5300n);
    await database.query(`INSERT INTO parcel VALUES (1, 'newer', 'kept', 1), (2, 'newer', 'n', 2)`);
    const block = pair.history.block(
      [insert(parcel, ['1', 'Ann', 'older', '1']), update(parcel, ['2', 'Bob', undefined, '2'])],
      [update(parcel, ['3', 'Cem', 'whole', '3']), update(parcel, ['4', 'Dee', undefined, '4'])],
      [remove(parcel, ['5', null, null, null]), update(parcel, ['7', 'Eve', 'moved', '7'], ['6', null, null, null])],
    );
    await pair.apply([block], mode);
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Ann', 'older', '1.00'],
      ['2', 'Bob', 'n', '2.00'],
      ['3', 'Cem', 'whole', '3.00'],
      ['7', 'Eve', 'moved', '7.00'],
    ]);
  });

  test('ends within a batch: from the border on it is strict', async () => {
    pair = new Pair(database, history());
    await pair.start(5100n);
    const block = pair.history.block(
      [remove(parcel, ['5', null, null, null])],
      [remove(parcel, ['5', null, null, null])],
    );
    expect(await pair.applyWithFallback([block])).toBe('ordered');
    expect(pair.letters).toMatchObject([{ op: 'delete', code: 'TARGET_CONFLICT', position: '1:0/1450:0' }]);
  });
});

describe('a table behind a filter', () => {
  const filtered = table('public.parcel', ['id*', 'owner', 'notes', 'value'], { tolerant: true });

  test.each(['set', 'ordered'] as const)('rows may be there or not, %s', async (mode) => {
    await database.query(`INSERT INTO parcel VALUES (1, 'here', 'kept', 1)`);
    await pair.apply(
      [
        pair.history.block([
          insert(filtered, ['1', 'Ann', 'x', '1']),
          update(filtered, ['1', 'Anna', undefined, '1']),
          update(filtered, ['2', 'Bob', 'y', '2']),
          remove(filtered, ['3', null, null, null]),
          update(filtered, ['5', 'Cem', 'z', '5'], ['4', null, null, null]),
        ]),
      ],
      mode,
    );
    expect(await pair.rows('parcel')).toEqual([
      ['1', 'Anna', 'x', '1.00'],
      ['2', 'Bob', 'y', '2.00'],
      ['5', 'Cem', 'z', '5.00'],
    ]);
  });

  test('many new rows alone are copied: one that is there already makes them come again, put one after the other', async () => {
    await database.query(`INSERT INTO parcel VALUES (7, 'older', 'x', 1)`);
    const rows = (from: number): Change[] =>
      Array.from({ length: 20 }, (_, i) => insert(filtered, [String(from + i), 'new', 'y', '2']));
    // As a set the target refuses them, whole: nothing of it is there.
    await expect(pair.apply([pair.history.block(rows(0))])).rejects.toMatchObject({ code: 'TARGET_CONSTRAINT' });
    expect(await pair.rows('parcel')).toHaveLength(1);
    expect(await pair.applyWithFallback([pair.history.block(rows(0))])).toBe('ordered');
    expect(pair.letters).toEqual([]);
    expect(await pair.applyWithFallback([pair.history.block(rows(100))])).toBe('set');
    // A few are put at once, and so are many among which something else is.
    expect(await pair.applyWithFallback([pair.history.block(rows(7).slice(0, 3))])).toBe('set');
    expect(
      await pair.applyWithFallback([pair.history.block([...rows(0), remove(filtered, ['1', null, null, null])])]),
    ).toBe('set');
    const held = await pair.rows('parcel');
    expect(held).toHaveLength(39);
    expect(held.filter(([, owner]) => owner !== 'new')).toEqual([]);
  });

  test('an update that is not whole must find its row', async () => {
    const slices = [
      pair.history.block([
        insert(filtered, ['1', 'Ann', 'x', '1']),
        update(filtered, ['8', 'Bob', undefined, '2']),
        remove(filtered, ['1', null, null, null]),
        update(filtered, ['1', 'Cem', undefined, '3']),
      ]),
    ];
    expect(await pair.applyWithFallback(slices)).toBe('ordered');
    expect(pair.letters.map(({ row }) => row['owner'])).toEqual(['Bob', 'Cem']);
    expect(await pair.rows('parcel')).toEqual([]);
  });
});
