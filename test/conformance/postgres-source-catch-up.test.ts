import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceBlock, SourceReader } from '#connectors/contract/source.ts';
import type { SourceOptions } from '#connectors/postgres/source/options.ts';
import { acknowledgementOf } from '#connectors/postgres/source/resume.ts';
import { copyOf } from '#connectors/postgres/source/slot-copy.ts';
import { parseLsn } from '#schemas/lsn.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';
import { openProxy } from '#test/support/proxy.ts';
import { postgresOf } from '#test/support/versions.ts';
import { testChanges } from './postgres-source-changes.ts';
import { contextOf, dataOf, readUntil, sourceOf, TestStream } from './postgres-source-fixture.ts';

/** In portions from the first commit on, and again after each that was the last. */
const portions: Partial<SourceOptions> = { catchUpBytes: -(1n << 62n), catchUpWindowBytes: 0 };

describe('read in portions', () => {
  testChanges(portions);
});

let server: TestPostgres;
let database: TestDatabase;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false, max_replication_slots: '10' } });
  database = await server.createDatabase('backlog');
});
afterAll(() => server.stop());

/** A backlog of so many one-row transactions, numbered from 1. */
async function backlog(
  table: string,
  transactions: number,
  options: Partial<SourceOptions> = {},
  at = database,
): Promise<TestStream> {
  await at.query(`CREATE TABLE ${table} (id int PRIMARY KEY, v text)`);
  const stream = await TestStream.create(at, [table], { ...portions, ...options });
  await at.query(`DO $$ BEGIN
    FOR i IN 1 .. ${transactions} LOOP INSERT INTO ${table} VALUES (i, repeat('v', 200)); COMMIT; END LOOP; END $$`);
  return stream;
}

const ids = (blocks: readonly SourceBlock[]): string[] => dataOf(blocks).map(({ after }) => String(after?.[0]));
const upTo = (last: number): string[] => Array.from({ length: last }, (_, i) => String(i + 1));

/** Who catches up with the slot. */
function copyPid({ identity, database }: TestStream): Promise<number | null> {
  return database.value('SELECT max(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND temporary', [
    copyOf(identity.slot),
  ]);
}

/** Takes blocks until somebody catches up. */
async function untilCatchingUp(stream: TestStream, blocks: AsyncIterator<SourceBlock>): Promise<SourceBlock[]> {
  const taken: SourceBlock[] = [];
  for (;;) {
    const { value } = (await blocks.next()) as { value: SourceBlock };
    taken.push(value);
    if ((await copyPid(stream)) !== null) return taken;
  }
}

const iterate = (reader: SourceReader): AsyncIterator<SourceBlock> => reader.blocks()[Symbol.asyncIterator]();

const small = { blockBytes: 2000, sliceBytes: 500, bufferBytes: 4000 };

describe('a backlog', () => {
  test('Promise 1: moves the slot to what is durable and no further, and then the stream goes on', async () => {
    const stream = await backlog('durable', 3000, small);
    const begun = parseLsn(await stream.confirmed());
    await using reader = await stream.open(undefined);
    const blocks = iterate(reader);
    const held = await untilCatchingUp(stream, blocks);
    // Nothing was acknowledged.
    expect(parseLsn(await stream.confirmed())).toBe(begun);
    const stored = held.at(-1)!.last;
    reader.acknowledge(stored);
    while (ids(held).length < 3000) held.push(((await blocks.next()) as { value: SourceBlock }).value);
    // The portions have ended, and said how far the topic reaches.
    await eventually(async () => (await copyPid(stream)) === null);
    await eventually(async () => parseLsn(await stream.confirmed()) === acknowledgementOf(stored));
    await database.query(`INSERT INTO durable VALUES (3001, 'streamed')`);
    held.push(...(await readUntil(reader, await stream.mark(), { acknowledge: false })));
    expect(ids(held)).toEqual(upTo(3001));
    expect(parseLsn(await stream.confirmed())).toBeLessThanOrEqual(acknowledgementOf(stored));
  });

  test('CHECKLIST 6: nobody else reads from the slot meanwhile, in whichever way, and who reads is told', async () => {
    const stream = await backlog('alone', 3000, { ...small, takeOverMs: 200 });
    await using reader = await stream.open(undefined);
    await untilCatchingUp(stream, iterate(reader));
    const pid = await copyPid(stream);
    expect(await stream.source.slotStatus(stream.identity.slot, contextOf())).toMatchObject({
      active: true,
      activePid: pid,
    });
    const inUse = expect.objectContaining({
      code: 'SOURCE_SLOT_IN_USE',
      message: expect.stringContaining(`process ${pid} (user postgres, application terrafusion reader`) as string,
    }) as Error;
    await expect(stream.open(undefined)).rejects.toThrow(inUse);
    const streaming = sourceOf(database.url, { takeOverMs: 200, catchUpBytes: 1n << 62n });
    await expect(stream.open(undefined, contextOf(), streaming)).rejects.toThrow(inUse);
    await reader[Symbol.asyncDispose]();
    expect(ids(await stream.readAll(undefined))).toEqual(upTo(3000));
  });

  test('Promise 2: a session that is ended in the midst of it leaves no copy behind, and nothing is lost', async () => {
    const stream = await backlog('ended', 3000, small);
    const held: SourceBlock[] = [];
    {
      await using reader = await stream.open(undefined);
      const blocks = iterate(reader);
      held.push(...(await untilCatchingUp(stream, blocks)));
      await database.query('SELECT pg_terminate_backend($1)', [await copyPid(stream)]);
      const rest = (async () => {
        for (;;) held.push(((await blocks.next()) as { value: SourceBlock }).value);
      })();
      await expect(rest).rejects.toThrow(expect.objectContaining({ code: 'SOURCE_DISCONNECTED' }) as Error);
    }
    await eventually(async () => (await copyPid(stream)) === null);
    held.push(...(await stream.readAll(held.at(-1)!.last)));
    expect(ids(held)).toEqual(upTo(3000));
  });

  test('Promise 7: a portion that nobody takes is given back', async () => {
    const stream = await backlog('given_back', 20_000, { ...small, catchUpPauseMs: 100 });
    const held: SourceBlock[] = [];
    {
      await using reader = await stream.open(undefined);
      const blocks = iterate(reader);
      held.push(...(await untilCatchingUp(stream, blocks)));
      const pid = await copyPid(stream);
      await eventually(
        async () =>
          (await database.value<number>('SELECT count(*)::int FROM pg_stat_activity WHERE pid = $1', [pid])) === 0,
      );
      const rest = (async () => {
        for (;;) held.push(((await blocks.next()) as { value: SourceBlock }).value);
      })();
      await expect(rest).rejects.toThrow(
        expect.objectContaining({
          code: 'SOURCE_DISCONNECTED',
          message: expect.stringContaining('nothing could be stored') as string,
        }) as Error,
      );
    }
    held.push(...(await stream.readAll(held.at(-1)!.last)));
    expect(ids(held)).toEqual(upTo(20_000));
  });

  test('CHECKLIST 4: a way that swallows everything is found out, though no error ever comes', async () => {
    const stream = await backlog('swallowed', 30_000);
    await using proxy = await openProxy(server.host, server.port);
    const source = sourceOf(proxy.through(database.url), { ...portions, ...small, catchUpSilenceMs: 600 });
    const held: SourceBlock[] = [];
    {
      await using reader = await stream.open(undefined, contextOf(), source);
      const blocks = iterate(reader);
      held.push(...(await untilCatchingUp(stream, blocks)));
      proxy.swallow();
      // The server must be there to be asked.
      proxy.open();
      const rest = (async () => {
        for (;;) held.push(((await blocks.next()) as { value: SourceBlock }).value);
      })();
      await expect(rest).rejects.toThrow(
        expect.objectContaining({
          code: 'SOURCE_DISCONNECTED',
          message: expect.stringMatching(/silent for .*leads nowhere/) as string,
        }) as Error,
      );
    }
    await database.query('SELECT pg_terminate_backend($1)', [await copyPid(stream)]);
    held.push(...(await stream.readAll(held.at(-1)!.last)));
    expect(ids(held)).toEqual(upTo(30_000));
  });

  test('a large transaction in it is no portion of it: the stream takes over, and portions go on after it', async () => {
    const stream = await backlog('mixed', 2000);
    await database.query(`INSERT INTO mixed SELECT g, repeat('v', 20) FROM generate_series(2001, 252000) g`);
    await database.query(`DO $$ BEGIN
      FOR i IN 252001 .. 254000 LOOP INSERT INTO mixed VALUES (i, ''); COMMIT; END LOOP; END $$`);
    expect(ids(await stream.readAll(undefined))).toEqual(upTo(254_000));
  });

  test.for([14, 16])('at a server of version %i', async (major, { skip }) => {
    const version = await postgresOf(major);
    if ('missing' in version) skip(version.missing);
    else {
      await using older = await startPostgres({ binaries: version.binaries, settings: { fsync: false } });
      const stream = await backlog('older', 2000, small, await older.createDatabase('older'));
      await using reader = await stream.open(undefined);
      const blocks = iterate(reader);
      const held = await untilCatchingUp(stream, blocks);
      while (ids(held).length < 2000) held.push(((await blocks.next()) as { value: SourceBlock }).value);
      expect(ids(held)).toEqual(upTo(2000));
    }
  });

  test('where there is no room for a copy of the slot, or no right to one, it is streamed', async () => {
    const stream = await backlog('no_room', 500, small);
    const taken: string[] = [];
    const count = () => database.value<number>('SELECT count(*)::int FROM pg_replication_slots');
    while ((await count()) < 10) {
      const name = `taken_${taken.length}`;
      await database.query(`SELECT pg_create_physical_replication_slot($1)`, [name]);
      taken.push(name);
    }
    expect(ids(await stream.readAll(undefined, { acknowledge: false }))).toEqual(upTo(500));
    for (const name of taken) await database.query('SELECT pg_drop_replication_slot($1)', [name]);
    await database.query(
      'REVOKE EXECUTE ON FUNCTION pg_copy_logical_replication_slot(name, name, boolean) FROM PUBLIC',
    );
    await database.query(`CREATE ROLE modest LOGIN REPLICATION PASSWORD 'modest'`);
    const modest = sourceOf(server.url(database.name, { user: 'modest', password: 'modest' }), portions);
    const marker = await stream.mark();
    await using reader = await stream.open(undefined, contextOf(), modest);
    expect(ids(await readUntil(reader, marker))).toEqual(upTo(500));
  });
});
