import { beforeEach, describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Repositories } from '#services/control/control.ts';
import {
  loadAnew,
  pausePair,
  resumeOperation,
  startFull,
  startIncremental,
  startPair,
  stopOperation,
} from '#services/control/pair-commands.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { supervisionStore } from '#services/sync-service/supervision-store.ts';
import { makePair, withControl } from './fixture.ts';

const fixture = withControl();
let id: string;
/** What the sync-service tells. */
const store = () => supervisionStore(fixture.control);

beforeEach(async () => {
  id = (await makePair(fixture.control)).id;
});

const pairNow = () => fixture.control.pairs.get(id);
const operationNow = (operation: string) => fixture.control.operations.get(operation);
/** As the gateway does it: the pair held, all in one transaction. */
const command = <T>(work: (repositories: Repositories, pair: PairOverview) => Promise<T>): Promise<T> =>
  fixture.control.transaction(async (transaction) => work(transaction, await transaction.pairs.lock(id)));
const incremental = (until: bigint, pauseAfter = true) =>
  command((repositories, pair) => startIncremental(repositories, pair, until, { by: 'me', pauseAfter }));
const supervised = async () => (await store().pairs()).find((pair) => pair.id === id)!;
const streaming = async () => store().recordState(await supervised(), 'streaming');
const loaded = async (state: 'running' | 'done', number = 1) =>
  store().recordLoad(id, { state, number, startOffset: 1n, startPosition: '1:0/10' });

/** What a stream tells once a second. */
const reached = async (lsn: bigint, inserted = 0, position = `1:0/${lsn.toString(16)}`) =>
  store().recordProgress(id, {
    position,
    commitLsn: lsn,
    nextOffset: 1n,
    lagBytes: 0,
    lagSeconds: 0,
    changes: { inserted, updated: 0, deleted: 0, tables: [] },
  });

async function load(): Promise<void> {
  await loaded('running');
  await loaded('done');
  await streaming();
}

describe('an incremental operation', () => {
  test('needs a load to lay changes on', async () => {
    await expect(incremental(0x100n)).rejects.toMatchObject({ code: 'PAIR_NOT_LOADED', heals: false });
    expect((await fixture.control.operations.list({ pairId: id }, { limit: 9 })).items).toEqual([]);
    expect(await pairNow()).toMatchObject({ desired: 'paused', runs: 0 });
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    // While the load is under way it waits for it.
    expect(await incremental(0x100n)).toMatchObject({ state: 'running' });
  });

  test('of a streaming pair is completed by what is reached, with what was applied, and leaves the pair running', async () => {
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    await load();
    const { runs } = await pairNow();
    const made = await incremental(0x100n);
    // What runs is left alone.
    expect(await pairNow()).toMatchObject({ desired: 'running', runs });
    await reached(0xffn, 2);
    // Within a transaction nothing is reached.
    await reached(0x100n, 3, '1:0/100:7');
    expect(await operationNow(made.id)).toMatchObject({ state: 'running', counts: { inserted: 5 } });
    await reached(0x100n, 1);
    await reached(0x200n, 9);
    expect(await operationNow(made.id)).toMatchObject({
      state: 'completed',
      counts: { inserted: 6, updated: 0, deleted: 0, rows_copied: 0, dead_letters: 0 },
      finishedAt: expect.any(Date) as Date,
    });
    expect((await pairNow()).desired).toBe('running');
    expect((await pairNow()).progress?.changesApplied).toBe(15);
  });

  test('of a paused pair has it run, and paused again', async () => {
    await load();
    const made = await incremental(0x100n);
    expect((await pairNow()).desired).toBe('running');
    await reached(0xffn, 2);
    expect((await pairNow()).desired).toBe('running');
    await reached(0x100n, 3);
    expect(await operationNow(made.id)).toMatchObject({ state: 'completed', counts: { inserted: 5 } });
    expect((await pairNow()).desired).toBe('paused');
    // Told again after a crash in between: nothing happens twice.
    const { finishedAt } = await operationNow(made.id);
    await reached(0x100n);
    expect((await operationNow(made.id)).finishedAt).toEqual(finishedAt);
  });

  test('that begins while another one has the paused pair run pauses it in its turn', async () => {
    await load();
    const first = await incremental(0x100n);
    const second = await incremental(0x200n);
    await reached(0x100n);
    expect(await operationNow(first.id)).toMatchObject({ state: 'completed' });
    expect((await pairNow()).desired).toBe('running');
    await reached(0x200n);
    expect(await operationNow(second.id)).toMatchObject({ state: 'completed' });
    expect((await pairNow()).desired).toBe('paused');
  });

  test('does not pause a pair that somebody has started meanwhile', async () => {
    await load();
    await incremental(0x100n);
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    await reached(0x100n);
    expect((await pairNow()).desired).toBe('running');
  });

  test('tried again after a failure pauses the pair all the same', async () => {
    await load();
    const made = await incremental(0x100n);
    await store().recordState(await supervised(), 'failed', new TerraFusionError('SOURCE_SLOT_MISSING', 'gone'));
    expect(await operationNow(made.id)).toMatchObject({ state: 'failed', error: { code: 'SOURCE_SLOT_MISSING' } });
    await incremental(0x200n);
    expect(await pairNow()).toMatchObject({ desired: 'running', state: 'paused' });
    await reached(0x200n);
    expect((await pairNow()).desired).toBe('paused');
  });

  test('is not completed by a position that a load has only prepared', async () => {
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    await loaded('running');
    const made = await incremental(0x100n);
    await reached(0x300n);
    expect(await operationNow(made.id)).toMatchObject({ state: 'running' });
    await loaded('done');
    await reached(0x300n);
    expect(await operationNow(made.id)).toMatchObject({ state: 'completed' });
  });
});

describe('a full operation', () => {
  const full = (pauseAfter: boolean) =>
    command((repositories, pair) => startFull(repositories, pair, { by: 'me', pauseAfter }));

  test('is completed once the pair streams, not before', async () => {
    const made = await full(false);
    expect(await operationNow(made.id)).toMatchObject({ state: 'pending' });
    await loaded('running');
    await fixture.control.tables.record(id, [
      { source: { schema: 'a', name: 'b' }, target: { schema: 'a', name: 'b' }, state: 'loaded', rowsCopied: 7 },
    ]);
    expect(await operationNow(made.id)).toMatchObject({ state: 'running', counts: { rows_copied: 7 } });
    await loaded('done');
    await reached(0x100n, 2);
    expect(await operationNow(made.id)).toMatchObject({ state: 'running' });
    await streaming();
    expect(await operationNow(made.id)).toMatchObject({
      state: 'completed',
      counts: { rows_copied: 7, inserted: 2, dead_letters: 0 },
    });
    expect((await pairNow()).desired).toBe('running');
  });

  test('pauses the pair again where that is wanted', async () => {
    await full(true);
    await load();
    expect(await pairNow()).toMatchObject({ desired: 'paused' });
  });

  test('in whose place another one is put is cancelled, also when it was stopped', async () => {
    const first = await full(false);
    const second = await full(false);
    expect(await operationNow(first.id)).toMatchObject({ state: 'cancelled', finishedAt: expect.any(Date) as Date });
    await command((repositories) => stopOperation(repositories, second));
    await store().stopped(id);
    await full(false);
    expect(await operationNow(second.id)).toMatchObject({ state: 'cancelled' });
    await expect(
      command(async (repositories, pair) =>
        resumeOperation(repositories, await repositories.operations.get(second.id), pair),
      ),
    ).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
  });
});

describe('stopping', () => {
  const stop = (operation: string) =>
    command(async (repositories) => stopOperation(repositories, await repositories.operations.get(operation)));
  const resume = (operation: string) =>
    command(async (repositories, pair) =>
      resumeOperation(repositories, await repositories.operations.get(operation), pair),
    );

  test('a load stops with its pair, and is stopped once nothing runs any more', async () => {
    const made = await command((repositories, pair) => startFull(repositories, pair, { by: 'me', pauseAfter: false }));
    await loaded('running');
    await stop(made.id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'stopping' });
    expect((await pairNow()).desired).toBe('paused');
    expect(await store().stoppingPairs()).toContain(id);
    await store().stopped(id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'stopped', finishedAt: undefined });
    await expect(stop(made.id)).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
    await resume(made.id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'pending' });
    expect((await pairNow()).desired).toBe('running');
    // Nobody makes a second operation of it.
    await load();
    expect((await fixture.control.operations.list({ pairId: id }, { limit: 9 })).items).toMatchObject([
      { id: made.id, state: 'completed' },
    ]);
    await expect(resume(made.id)).rejects.toMatchObject({ code: 'CONFLICTING_STATE' });
  });

  test('a command to go on in time is not overtaken by the stop', async () => {
    const made = await command((repositories, pair) => startFull(repositories, pair, { by: 'me', pauseAfter: false }));
    await stop(made.id);
    await resume(made.id);
    await store().stopped(id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'pending' });
  });

  test('who waits for a pair that streams by itself does not stop it', async () => {
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    await load();
    const made = await incremental(0x100n);
    await stop(made.id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'stopped' });
    expect((await pairNow()).desired).toBe('running');
    await reached(0x100n);
    expect(await operationNow(made.id)).toMatchObject({ state: 'stopped' });
    await resume(made.id);
    await reached(0x200n);
    expect(await operationNow(made.id)).toMatchObject({ state: 'completed' });
  });

  test('operations stop with their pair, and go on with it', async () => {
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    await load();
    const made = await incremental(0x100n);
    await command((repositories, pair) => pausePair(repositories, pair));
    await store().stopped(id);
    expect(await operationNow(made.id)).toMatchObject({ state: 'stopped' });
    await command((repositories, pair) => startPair(repositories, pair, 'me'));
    expect(await operationNow(made.id)).toMatchObject({ state: 'running' });
  });

  test('a stopped load does not come back beside a later one', async () => {
    const made = await command((repositories, pair) => startFull(repositories, pair, { by: 'me', pauseAfter: false }));
    await store().recordState(await supervised(), 'failed', new TerraFusionError('TARGET_TABLE_MISSING', 'gone'));
    await command((repositories, pair) => loadAnew(repositories, pair, 'resync', 'me'));
    await expect(resume(made.id)).rejects.toThrow('Another load of the pair');
  });
});
