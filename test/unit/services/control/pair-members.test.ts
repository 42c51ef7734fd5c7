import { describe, expect, test } from 'vitest';
import { pairConfig, tableInput, type PairDefinition } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { addTable, noteHeldTables, syncOf, tableDifferences } from '#services/control/pair-members.ts';
import { makePair, withControl } from './fixture.ts';

const fixture = withControl();

const of = (...tables: readonly object[]): { definition: PairDefinition; members: undefined } => ({
  definition: { version: 1, tables: tables.map((table) => tableInput.parse(table)), config: pairConfig.parse({}) },
  members: undefined,
});
const names = (differences: ReturnType<typeof tableDifferences>) =>
  Object.fromEntries(
    (['added', 'changed', 'removed'] as const).map((what) => [
      what,
      differences[what].map(({ target }) => formatTableName(target)),
    ]),
  );

test('tables are told apart by what is new, what comes in another way, and what is gone', () => {
  const before = of({ source: 'a.x' }, { source: 'a.y' }, { source: 'a.z' }, { source: '"a".w', target: 'b.w' });
  const after = of(
    { source: 'a.v' },
    { source: 'a.y', where: 'row.id > 1' },
    { source: '"a"."z"', target: 'a.z' },
    { source: 'a.w', target: 'c.w' },
  );
  expect(names(tableDifferences(before, after))).toEqual({
    added: ['a.v', 'c.w'],
    changed: ['a.y'],
    removed: ['b.w', 'a.x'],
  });
  expect(names(tableDifferences(before, before))).toEqual({ added: [], changed: [], removed: [] });
});

describe('a pair that takes every table', () => {
  test('takes in one that was found, as another version, and its sync is under way', async () => {
    const { pairs, runs } = fixture.control;
    const { id, definition } = await makePair(fixture.control);
    const table = { schema: 'a', name: 'new' };
    const old = { schema: 'a', name: 'old' };
    const add = () =>
      fixture.control.transaction((transaction) => addTable(transaction, id, table, [old], 'sync-service'));
    expect(await add()).toBeUndefined();
    await runs.recordMembers(id, ['a.old']);
    await runs.recordLoad(id, { state: 'done', number: 1, startOffset: 7n, startPosition: '1:0/1' });
    expect(await add()).toMatchObject({ type: 'resync', state: 'pending' });
    expect(await add()).toBeUndefined();
    const pair = await pairs.get(id);
    expect(pair).toMatchObject({
      members: ['a.old', 'a.new'],
      definition: { version: definition.version + 1, tables: undefined },
      syncs: [{ number: 1, kind: 'add', state: 'requested', version: definition.version + 1 }],
    });
    expect(syncOf(pair, [{ source: table, target: table }])?.number).toBe(1);
  });

  test('a table that bears the name of one that is gone is another one; one that is called otherwise is the same', async () => {
    const { pairs, runs, tables, tableSyncs } = fixture.control;
    const { id } = await makePair(fixture.control);
    const named = (name: string) => ({ schema: 'a', name });
    const ends = (name: string) => ({ source: named(name), target: named(name) });
    await runs.recordMembers(id, ['a.x', 'a.y']);
    await tables.record(id, [
      { ...ends('x'), state: 'streaming', rowsCopied: 5 },
      { ...ends('y'), state: 'streaming', rowsCopied: 6 },
    ]);
    await runs.recordLoad(id, { state: 'done', number: 1, startOffset: 7n, startPosition: '1:0/1' });
    const note = (...held: string[]) =>
      fixture.control.transaction((all) => noteHeldTables(all, id, () => Promise.resolve(held.map(named))));
    expect(await note('y', 'x')).toBe(false);
    expect(await note('x', 'z')).toBe(true);
    expect((await pairs.get(id)).members).toEqual(['a.x', 'a.z']);
    expect(await tables.list(id)).toMatchObject([
      { ...ends('x'), rowsCopied: 5 },
      { ...ends('z'), state: 'streaming', rowsCopied: 6 },
    ]);
    // a.x was dropped and is there again.
    const again = await fixture.control.transaction((all) => addTable(all, id, named('x'), [named('z')], 'me'));
    expect(again).toMatchObject({ type: 'resync' });
    expect((await pairs.get(id)).members).toEqual(['a.x', 'a.z']);
    // While it is loaded it is a member, whether the target holds it or not.
    expect(await note('z')).toBe(false);
    await tableSyncs.finish(id, 1, 'done', 'completed');
    expect(await note('z')).toBe(true);
    expect((await tables.list(id)).map(({ source }) => source.name)).toEqual(['z']);
  });

  test('what it needs of the topic counts until the sync has ended, and a load of all overtakes it', async () => {
    const { pairs, runs, tableSyncs, progress, operations } = fixture.control;
    const { id, sourceId } = await makePair(fixture.control);
    await runs.recordLoad(id, { state: 'done', number: 1, startOffset: 7n, startPosition: '1:0/1' });
    const ends = { source: { schema: 'a', name: 'x' }, target: { schema: 'a', name: 'x' } };
    const { id: operation } = await tableSyncs.request(id, { kind: 'resync', tables: [ends], requestedBy: 'me' });
    expect(await progress.neededOffsets(sourceId)).toEqual([7n, 7n]);
    await progress.recordNeeded(id, 20n);
    await tableSyncs.record(id, 1, { state: 'loading', neededOffset: 15n });
    expect(await progress.neededOffsets(sourceId)).toEqual([20n, 15n]);
    expect(await operations.get(operation)).toMatchObject({ state: 'running' });
    await runs.requestResync(id);
    expect((await pairs.get(id)).syncs).toEqual([]);
    expect(await tableSyncs.record(id, 1, { state: 'catching_up' })).toBe(false);
    expect(await progress.neededOffsets(sourceId)).toEqual([undefined]);
  });

  test('tables that were left out are taken up by the next sync, or go with the pair', async () => {
    const { pairs, runs, tableSyncs } = fixture.control;
    const { id } = await makePair(fixture.control);
    await runs.recordLoad(id, { state: 'done', number: 1, startOffset: 7n, startPosition: '1:0/1' });
    const [x, y] = ['x', 'y'].map((name) => ({ source: { schema: 'a', name }, target: { schema: 'a', name } }));
    await tableSyncs.request(id, { kind: 'add', tables: [x!, y!], requestedBy: 'me' });
    await tableSyncs.finish(id, 1, 'left_out', 'cancelled');
    expect((await pairs.get(id)).syncs).toMatchObject([{ number: 1, state: 'left_out', tables: [x, y] }]);
    await tableSyncs.request(id, { kind: 'change', tables: [x!], requestedBy: 'me' });
    expect((await pairs.get(id)).syncs).toMatchObject([
      { number: 1, state: 'left_out', tables: [y] },
      { number: 2, state: 'requested', tables: [x] },
    ]);
    await tableSyncs.release(id, [y!]);
    expect((await pairs.get(id)).syncs).toMatchObject([{ number: 2 }]);
  });
});
