import { afterEach, describe, expect, test } from 'vitest';
import type { SourceBlock } from '#connectors/contract/source.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type Settings, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';
import { contextOf, dataOf, readUntil, TestStream } from './postgres-source-fixture.ts';

let server: TestPostgres;
let database: TestDatabase;
afterEach(() => server.stop());

async function start(settings: Settings = {}): Promise<void> {
  server = await startPostgres({ settings: { fsync: false, ...settings } });
  database = await server.createDatabase('source');
  await database.query('CREATE TABLE kept (id int PRIMARY KEY)');
}

/** Reads on in the background; `failure` resolves with what ended it. */
async function follow(stream: TestStream, { acknowledge }: { acknowledge: boolean }) {
  const held: SourceBlock[] = [];
  const reader = await stream.open(undefined);
  const failure = (async () => {
    try {
      for await (const block of reader.blocks()) {
        held.push(block);
        if (acknowledge) reader.acknowledge(block.last);
      }
      return undefined;
    } catch (error) {
      return asTerraFusionError(error);
    } finally {
      await reader[Symbol.asyncDispose]();
    }
  })();
  return { held, failure };
}

describe('Promise 5 and 7: the source goes and comes back', () => {
  test.each([true, false])(
    'an orderly shutdown does not wait for us, acknowledged or not (%s)',
    async (acknowledge) => {
      await start();
      const stream = await TestStream.create(database, ['kept']);
      const { held, failure } = await follow(stream, { acknowledge });
      await database.query('INSERT INTO kept VALUES (1)');
      await eventually(() => held.length === 1);
      const begun = performance.now();
      await server.shutdown('fast');
      expect(performance.now() - begun).toBeLessThan(10_000);
      expect((await failure)?.code).toBe('SOURCE_DISCONNECTED');
      await expect(stream.open(undefined)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });

      await server.start();
      await database.query('INSERT INTO kept VALUES (2)');
      const rest = await stream.changes(acknowledge ? held.at(-1)?.last : undefined);
      expect(rest.map(({ after }) => after?.[0])).toEqual(acknowledge ? ['2'] : ['1', '2']);
    },
  );

  test('nor for a consumer that stalls, with more on its way than it takes', async () => {
    await start();
    const stream = await TestStream.create(database, ['kept'], { bufferBytes: 1000, heartbeatMs: 100 });
    await using reader = await stream.open(undefined);
    const blocks = reader.blocks()[Symbol.asyncIterator]();
    await database.query('INSERT INTO kept SELECT generate_series(1, 500000)');
    await blocks.next();
    const begun = performance.now();
    await server.shutdown('fast');
    expect(performance.now() - begun).toBeLessThan(15_000);
    await server.start();
    expect(await stream.changes()).toHaveLength(500_000);
  });

  test('a server that is killed loses us nothing that was committed, and repeats nothing', async () => {
    await start();
    const stream = await TestStream.create(database, ['kept']);
    const { held, failure } = await follow(stream, { acknowledge: true });
    await database.query('INSERT INTO kept VALUES (1)');
    await eventually(() => held.length === 1);
    await database.query('INSERT INTO kept VALUES (2)');
    await server.kill9();
    expect((await failure)?.code).toBe('SOURCE_DISCONNECTED');
    await server.start();
    await database.query('INSERT INTO kept VALUES (3)');
    held.push(...(await stream.readAll(held.at(-1)?.last)));
    expect(dataOf(held).map(({ after }) => after?.[0])).toEqual(['1', '2', '3']);
  });
});

describe('Promise 7, CHECKLIST 10: WAL that the source no longer keeps', () => {
  const limited = { max_slot_wal_keep_size: '16MB', min_wal_size: '32MB', max_wal_size: '64MB' };

  async function writePastTheLimit(): Promise<void> {
    for (let segment = 0; segment < 6; segment++) {
      await database.query(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 1000))`);
      await database.query('SELECT pg_switch_wal()');
    }
    await database.query('CHECKPOINT');
  }

  test('is SOURCE_HISTORY_LOST, told with the state of the slot', async () => {
    await start(limited);
    const stream = await TestStream.create(database, ['kept']);
    await database.query('INSERT INTO kept VALUES (1)');
    const held = await stream.readAll(undefined);
    expect(await stream.source.slotStatus(stream.identity.slot, contextOf())).toMatchObject({
      exists: true,
      active: false,
      state: 'reserved',
      invalidationReason: undefined,
    });
    await writePastTheLimit();
    await expect(stream.open(held.at(-1)!.last)).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST' });
    expect(await stream.source.slotStatus(stream.identity.slot, contextOf())).toMatchObject({
      exists: true,
      state: 'lost',
      invalidationReason: 'wal_removed',
    });
    await stream.source.dropStream(stream.identity.slot, stream.identity.publication, contextOf());
    await stream.source.dropStream(stream.identity.slot, stream.identity.publication, contextOf());
    expect(await stream.source.slotStatus(stream.identity.slot, contextOf())).toMatchObject({
      exists: false,
      state: 'missing',
    });
  });

  test('under a reader that stalls: the connection ends, and the next one says why', async () => {
    await start(limited);
    const stream = await TestStream.create(database, ['kept'], { bufferBytes: 1000, heartbeatMs: 0 });
    await using reader = await stream.open(undefined);
    const blocks = reader.blocks()[Symbol.asyncIterator]();
    await database.query('INSERT INTO kept SELECT generate_series(1, 100000)');
    await blocks.next();
    await writePastTheLimit();
    const end = (async () => {
      while (!(await blocks.next()).done);
    })();
    await expect(end).rejects.toMatchObject({
      code: expect.stringMatching(/^SOURCE_(DISCONNECTED|HISTORY_LOST)$/) as string,
    });
    await expect(stream.open(undefined)).rejects.toMatchObject({ code: 'SOURCE_HISTORY_LOST' });
  });

  test('a slot that is dropped under its reader', async () => {
    await start();
    const stream = await TestStream.create(database, ['kept']);
    const { failure } = await follow(stream, { acknowledge: true });
    await stream.source.dropSlot(stream.identity.slot, contextOf());
    expect((await failure)?.code).toBe('SOURCE_DISCONNECTED');
    await expect(stream.open(undefined)).rejects.toMatchObject({ code: 'SOURCE_SLOT_MISSING' });
  });
});

test('CHECKLIST 12: a slot that can follow the source to its standby', async () => {
  await start();
  const stream = await TestStream.create(database, ['kept']);
  expect(
    await database.value<boolean>('SELECT failover FROM pg_replication_slots WHERE slot_name = $1', [
      stream.identity.slot,
    ]),
  ).toBe(true);
  await using reader = await stream.open(undefined);
  await database.query('INSERT INTO kept VALUES (1)');
  expect(dataOf(await readUntil(reader, await stream.mark()))).toHaveLength(1);
});
