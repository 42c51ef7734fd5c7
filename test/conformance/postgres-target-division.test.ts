import { beforeEach, describe, expect, test } from 'vitest';
import { syncKey, TAKEN_BACK } from '#connectors/contract/target.ts';
import { parseTableName } from '#schemas/tables.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, insert, Pair, table } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const ends = (...names: readonly string[]) =>
  names.map((name) => ({ source: parseTableName(name), target: parseTableName(name) }));
const parcel = table('public.parcel', ['id*']);
const context = contextOf();

beforeEach(async () => {
  database = await freshDatabase('target');
  await database.query(
    `CREATE TABLE parcel (id int PRIMARY KEY); CREATE TABLE owner (id int PRIMARY KEY);
     CREATE TABLE deed (id int PRIMARY KEY, parcel int REFERENCES parcel, up int REFERENCES deed); CREATE TABLE note (id int)`,
  );
  pair = new Pair(database);
  await pair.start();
});

const divide = (version: number, ...syncs: readonly number[]) =>
  pair.target.divide(
    pair.id,
    { version, apart: syncs.map((sync) => ({ sync, tables: ends('public.parcel') })), withVersion: [] },
    context,
  );
const apart = async () => (await pair.applied())!.division!.apart;

describe('tables that go apart', () => {
  test('leave between two transactions, and a writer that does not know of it is fenced', async () => {
    const block = pair.history.block([insert(parcel, ['1'])]);
    await using writer = await pair.open();
    await writer.apply(pair.batch([block]), pair.reject);
    const held = await divide(1, 1);
    expect(held).toMatchObject({ position: block.last, division: { version: 1, epoch: 1 } });
    expect(held!.division!.apart).toEqual([
      {
        sync: 1,
        tables: ends('public.parcel'),
        from: { position: block.last, topic: 'changes.x', nextOffset: expect.any(BigInt) as bigint },
      },
    ]);
    const next = pair.history.block([insert(parcel, ['2'])]);
    await expect(writer.apply(pair.batch([next]), pair.reject)).rejects.toMatchObject({ code: 'TARGET_FENCED' });
    expect(await database.query('SELECT id FROM parcel')).toEqual([{ id: 1 }]);
    await using again = await pair.open();
    await again.apply(pair.batch([next]), pair.reject);
    expect(await database.query('SELECT id FROM parcel ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test('asked for again nothing changes; an older version changes nothing at all', async () => {
    const first = await divide(2, 1);
    expect(await divide(2, 1)).toEqual(first);
    expect(await divide(1, 7)).toEqual(first);
    expect(await apart()).toHaveLength(1);
  });

  test('with a version leave only those of it, once, whoever raises it', async () => {
    const request = { version: 3, apart: [], withVersion: [{ sync: 4, tables: ends('public.owner') }] };
    await pair.target.divide(pair.id, request, context);
    expect((await apart()).map(({ sync }) => sync)).toEqual([4]);
    const later = { ...request, withVersion: [{ sync: 5, tables: ends('public.note') }] };
    await pair.target.divide(pair.id, later, context);
    expect((await apart()).map(({ sync }) => sync)).toEqual([4]);
  });

  test('others come along with a sync that has begun', async () => {
    await divide(1, 1);
    const tables = ends('public.parcel', 'public.deed');
    const request = { version: 1, apart: [{ sync: 1, tables }], withVersion: [] };
    const more = await pair.target.divide(pair.id, request, context);
    expect(more!.division).toMatchObject({ epoch: 2, apart: [{ sync: 1, tables }] });
    expect(await pair.target.divide(pair.id, request, context)).toEqual(more);
    expect((await divide(1, 1))!.division).toEqual(more!.division);
  });

  test('go over to another sync', async () => {
    await divide(1, 1);
    await divide(1, 2);
    expect((await apart()).map(({ sync }) => sync)).toEqual([2]);
  });

  test('a pair that was never loaded has nothing to divide', async () => {
    await pair.target.forget(pair.id, context);
    expect(await divide(1, 1)).toBeUndefined();
  });
});

describe('joining again', () => {
  const join = () => pair.target.join(pair.id, { sync: 1, version: 1 }, context);
  const load = async (position: Pair['history']['position'] | undefined) => {
    await using session = await pair.target.openLoad(
      {
        pairId: syncKey(pair.id, 1),
        number: 1,
        begun: '',
        tables: [parseTableName('public.parcel')],
        existingRows: 'replace',
      },
      context,
    );
    if (position) await session.commit({ position, topic: 'changes.x', nextOffset: 0n, overlayUntil: 0n });
  };

  test('works from the place where the pair is on, and not before', async () => {
    await divide(1, 1);
    expect(await join()).toBe('gone');
    const early = pair.history.position;
    const block = pair.history.block([insert(table('public.owner', ['id*']), ['1'])]);
    await load(early);
    await using writer = await pair.open();
    await writer.apply(pair.batch([block]), pair.reject);
    expect(await join()).toBe('behind');
    expect(await pair.target.applied(syncKey(pair.id, 1), context)).toBeDefined();
    await load(pair.history.position);
    expect(await join()).toBe('joined');
    expect(await join()).toBe('joined');
    expect(await pair.target.applied(syncKey(pair.id, 1), context)).toBeUndefined();
    expect((await apart())[0]!.until).toEqual(block.last);
    // What the stream has passed long ago is not remembered for ever.
    await divide(2, 2);
    expect((await apart()).map(({ sync }) => sync)).toEqual([2]);
  });

  test('tables are taken back to where they left, and no load of theirs begins any more', async () => {
    expect(await pair.target.takeBack(pair.id, 1, context)).toBeUndefined();
    const from = (await divide(1, 1))!.position;
    const back = { position: from, division: { version: TAKEN_BACK } };
    expect(await pair.target.takeBack(pair.id, 1, context)).toMatchObject(back);
    expect(await pair.target.takeBack(pair.id, 1, context)).toMatchObject(back);
    await expect(load(undefined)).rejects.toMatchObject({ code: 'TARGET_FENCED' });
  });

  test('a load that has begun to replace rows leaves nothing to take back; one that has ended stays', async () => {
    await divide(1, 1);
    await load(undefined);
    expect(await pair.target.takeBack(pair.id, 1, context)).toBe('replaced');
    const later = pair.history.block([insert(parcel, ['1'])]);
    await load(later.last);
    const loaded = { position: later.last, division: { version: 0 } };
    expect(await pair.target.takeBack(pair.id, 1, context)).toMatchObject(loaded);
  });

  test('all of it goes with the pair, and with its next load', async () => {
    await divide(1, 1);
    await load(pair.history.position);
    await pair.target.forget(pair.id, context);
    expect(await database.query('SELECT FROM _terrafusion.applied_positions')).toEqual([]);
  });
});

test('foreign keys connect tables, those that point to each other and to themselves included', async () => {
  const tables = ['public.parcel', 'public.owner', 'public.deed', 'public.note', 'public.missing'].map(parseTableName);
  const groups = await pair.target.connected(tables, context);
  expect(groups.map((group) => group.map(({ name }) => name).sort()).sort()).toEqual([
    ['deed', 'parcel'],
    ['note'],
    ['owner'],
  ]);
});

test('bookkeeping of an earlier version gets what it lacks', async () => {
  await database.query(
    'ALTER TABLE _terrafusion.applied_positions DROP COLUMN apart, DROP COLUMN epoch, DROP COLUMN definition_version',
  );
  await database.query('DROP FUNCTION _terrafusion.advance_position_2');
  expect((await pair.applied())!.division).toEqual({ epoch: 0, version: 0, apart: [] });
  await divide(1, 1);
  expect(await apart()).toHaveLength(1);
});
