import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceBlock, SourceReader } from '#connectors/contract/source.ts';
import { acknowledgementOf } from '#connectors/postgres/source/resume.ts';
import { formatLsn, parseLsn } from '#schemas/lsn.ts';
import { LAST_ORDINAL } from '#schemas/position.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';
import { changesOf, contextOf, dataOf, readUntil, sourceOf, TestStream } from './postgres-source-fixture.ts';

/** Seconds: long enough for a machine that runs other tests beside it, too. */
const SENDER_TIMEOUT_S = 4;
const MIB = 2 ** 20;

let server: TestPostgres;
let database: TestDatabase;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: false, wal_sender_timeout: `${SENDER_TIMEOUT_S}s` } });
  database = await server.createDatabase('source');
});
afterAll(() => server.stop());

function withCode(code: string, text?: RegExp): Error {
  return expect.objectContaining({ code, ...(text && { message: expect.stringMatching(text) as string }) }) as Error;
}

/** Asks for blocks until the stream fails. */
async function failureOf(reader: SourceReader): Promise<unknown> {
  try {
    for await (const block of reader.blocks()) reader.acknowledge(block.last);
    return undefined;
  } catch (error) {
    return error;
  }
}

async function isActive(stream: TestStream): Promise<boolean> {
  return (await stream.source.slotStatus(stream.identity.slot, contextOf())).active;
}

async function confirmedAt(stream: TestStream): Promise<bigint> {
  return parseLsn(await stream.confirmed());
}

describe('Promise 1: the source forgets only what is acknowledged', () => {
  test('nothing before the first acknowledgement, whole transactions after it', async () => {
    await database.query('CREATE TABLE acknowledged (id int PRIMARY KEY, v text)');
    const stream = await TestStream.create(database, ['acknowledged'], {
      blockBytes: 500,
      sliceBytes: 100,
    });
    const before = await confirmedAt(stream);
    await using reader = await stream.open(undefined);
    await database.query(`INSERT INTO acknowledged SELECT g, repeat('v', 50) FROM generate_series(1, 100) g`);
    const blocks = await readUntil(reader, await stream.mark(), { acknowledge: false });
    const part = blocks.find(({ last }) => last.ordinal !== LAST_ORDINAL)!;
    const reported = async (after: bigint) => {
      await eventually(async () => (await confirmedAt(stream)) === after, {
        what: `the slot to stand at ${formatLsn(after)}`,
      });
    };

    // Two status updates have come, and said nothing new.
    const updates = `SELECT reply_time FROM pg_stat_replication s JOIN pg_replication_slots r ON r.active_pid = s.pid WHERE slot_name = '${stream.identity.slot}'`;
    for (let update = 0; update < 2; update++) {
      const seen = await database.value<Date>(updates);
      await eventually(async () => (await database.value<Date>(updates)) > seen);
    }
    expect(await confirmedAt(stream)).toBe(before);

    reader.acknowledge(part.last);
    await reported(part.last.commitLsn);
    const { last } = blocks.at(-1)!;
    reader.acknowledge(last);
    await reported(last.commitLsn + 1n);
    reader.acknowledge(part.last); // never moves backwards
    expect(reader.status().acknowledgedLsn).toBe(last.commitLsn + 1n);
  });

  test('what was never handed out cannot be acknowledged', async () => {
    const stream = await TestStream.create(database, []);
    await using reader = await stream.open(undefined);
    expect(() => {
      reader.acknowledge({ generation: 1, commitLsn: 1n << 60n, ordinal: LAST_ORDINAL });
    }).toThrow(withCode('INTERNAL'));
  });

  test('whatever is acknowledged at whatever moment, the slot never stands beyond it, and nothing is lost (property)', async () => {
    await database.query('CREATE TABLE haphazard (id serial PRIMARY KEY, v text)');
    const step = fc.record({
      rows: fc.integer({ min: 1, max: 30 }),
      take: fc.nat({ max: 4 }),
      acknowledge: fc.nat({ max: 5 }),
      reopen: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        await database.query('TRUNCATE haphazard RESTART IDENTITY');
        const stream = await TestStream.create(database, ['haphazard'], { blockBytes: 300, sliceBytes: 50 });
        const held: SourceBlock[] = [];
        let rows = 0;
        let reader = await stream.open(undefined);
        let blocks = reader.blocks()[Symbol.asyncIterator]();
        try {
          for (const { rows: more, take, acknowledge, reopen } of steps) {
            await database.query(`INSERT INTO haphazard (v) SELECT repeat('v', g) FROM generate_series(1, ${more}) g`);
            rows += more;
            if (reopen) {
              await reader[Symbol.asyncDispose]();
              // What is stored goes as far as the last block that was taken; it may be more than what was acknowledged.
              reader = await stream.open(held.at(-1)?.last);
              blocks = reader.blocks()[Symbol.asyncIterator]();
            }
            for (let i = 0; i < take && changedRows(held) < rows; i++) {
              const { value } = (await blocks.next()) as { value: SourceBlock };
              held.push(value);
            }
            const position = held[Math.min(acknowledge, held.length - 1)]?.last;
            if (position) reader.acknowledge(position);
            const stored = held.at(-1)?.last;
            if (stored) expect(await confirmedAt(stream)).toBeLessThanOrEqual(acknowledgementOf(stored));
          }
          await reader[Symbol.asyncDispose]();
          held.push(...(await stream.readAll(held.at(-1)?.last)));
          expect(dataOf(held).map(({ after }) => after?.[0])).toEqual(
            Array.from({ length: rows }, (_, i) => String(i + 1)),
          );
        } finally {
          await reader[Symbol.asyncDispose]();
          await stream.source.dropStream(stream.identity.slot, stream.identity.publication, contextOf());
        }
      }),
      { numRuns: 8 },
    );

    function changedRows(blocks: readonly SourceBlock[]): number {
      return dataOf(blocks).length;
    }
  });
});

describe('back-pressure', () => {
  test('CHECKLIST 1, 2, 3: a consumer that stalls for longer than wal_sender_timeout keeps its connection, and memory stays bounded', async () => {
    await database.query('CREATE TABLE stalled (id int PRIMARY KEY, v text)');
    const stream = await TestStream.create(database, ['stalled'], { bufferBytes: MIB });
    const before = await confirmedAt(stream);
    await using reader = await stream.open(undefined);
    const pid = () =>
      database.value<number | null>('SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1', [
        stream.identity.slot,
      ]);
    const sender = await pid();
    // 64 MB that nobody asks for.
    await database.query(`INSERT INTO stalled SELECT g, repeat(md5(g::text), 64) FROM generate_series(1, 32000) g`);
    const begun = await database.value<Date>('SELECT clock_timestamp()');
    let most = 0;
    await eventually(
      async () => {
        most = Math.max(most, reader.status().bufferedBytes);
        return database.value<boolean>(
          `SELECT reply_time > $1::timestamptz + ${2.5 * SENDER_TIMEOUT_S} * interval '1 second' FROM pg_stat_replication WHERE pid = $2`,
          [begun, sender],
        );
      },
      { within: 30_000 },
    );
    expect(await pid()).toBe(sender);
    expect(await confirmedAt(stream)).toBe(before);
    // What is asked for, an open block, and the chunk that was in hand when reading was paused.
    expect(most).toBeGreaterThan(MIB / 2);
    expect(most).toBeLessThan(MIB + 0.75 * MIB);

    expect(dataOf(await readUntil(reader, await stream.mark()))).toHaveLength(32_000);
    expect(await pid()).toBe(sender);
    expect(await server.log()).not.toContain('terminating walsender process due to replication timeout');
  });
});

describe('a quiet database', () => {
  test('a heartbeat moves the slot along WAL that holds nothing for us, and there is none without such WAL', async () => {
    const quiet = await server.createDatabase('quiet');
    await quiet.query('CREATE TABLE watched (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY, v text)');
    const stream = await TestStream.create(quiet, ['watched'], { heartbeatMs: 50 });
    const stop = new AbortController();
    const seen: string[] = [];
    const reader = await stream.open(undefined, contextOf(stop));
    const reading = (async () => {
      for await (const block of reader.blocks()) {
        seen.push(...changesOf(block).map(({ table }) => table));
        reader.acknowledge(block.last);
      }
    })();
    await quiet.query(`INSERT INTO other SELECT g, repeat('x', 100) FROM generate_series(1, 1000) g`);
    const end = parseLsn(await quiet.value('SELECT pg_current_wal_lsn()::text'));
    await eventually(async () => (await confirmedAt(stream)) > end, { what: 'the slot to be moved along' });
    expect(new Set(seen)).toEqual(new Set(['terrafusion.heartbeat']));
    // Our own messages write WAL too; were each worth another one, they would never end.
    const beats = seen.length;
    const sourceLsn = () => reader.status().sourceLsn;
    await eventually(() => sourceLsn() >= end);
    await stream.mark();
    await eventually(() => seen.length > beats);
    expect(seen.filter((table) => table === 'terrafusion.heartbeat').length).toBeLessThanOrEqual(beats + 1);
    stop.abort();
    await reading;
    await reader[Symbol.asyncDispose]();
  });

  test('a role that may not write messages: the WAL end is acknowledged once nothing is in flight', async () => {
    const quiet = await server.createDatabase('quiet');
    await quiet.query(`CREATE ROLE mute LOGIN REPLICATION PASSWORD 'mute'; GRANT CREATE ON DATABASE "${quiet.name}" TO mute;
      GRANT CREATE ON SCHEMA public TO mute; CREATE TABLE watched (id int PRIMARY KEY); ALTER TABLE watched OWNER TO mute; CREATE TABLE noise (g int);
      REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) FROM PUBLIC;
      REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, bytea, boolean) FROM PUBLIC`);
    const stream = await TestStream.create(quiet, ['watched']);
    const mute = sourceOf(server.url(quiet.name, { user: 'mute', password: 'mute' }));
    const stop = new AbortController();
    const reader = await stream.open(undefined, contextOf(stop), mute);
    const held: SourceBlock[] = [];
    const reading = (async () => {
      for await (const block of reader.blocks()) {
        held.push(block);
        if (held.length === 1) reader.acknowledge(block.last);
      }
    })();
    await quiet.query('INSERT INTO watched VALUES (1)');
    await eventually(() => held.length === 1);
    await quiet.query('INSERT INTO noise SELECT generate_series(1, 1000)');
    const end = parseLsn(await quiet.value('SELECT pg_current_wal_lsn()::text'));
    await eventually(async () => (await confirmedAt(stream)) >= end - 2n, { what: 'the WAL end to be acknowledged' });
    await quiet.query('INSERT INTO watched VALUES (2)');
    await eventually(() => held.length === 2);
    await quiet.query('INSERT INTO noise SELECT generate_series(1, 1000)');
    await eventually(() => reader.status().receivedLsn > held[1]!.last.commitLsn + 1000n);
    // The second is not stored: nothing beyond it may be acknowledged.
    expect(await confirmedAt(stream)).toBeLessThanOrEqual(held[1]!.last.commitLsn);
    stop.abort();
    await reading;
    await reader[Symbol.asyncDispose]();
    // What was acknowledged as quiet is no gap.
    expect((await stream.changes(held[0]!.last)).map(({ after }) => after)).toEqual([['2']]);
  });
});

describe('ends', () => {
  test('an abort ends the stream, and the slot is free at once', async () => {
    const stream = await TestStream.create(database, []);
    for (let round = 0; round < 3; round++) {
      const stop = new AbortController();
      const reader = await stream.open(undefined, contextOf(stop));
      expect(await isActive(stream)).toBe(true);
      setImmediate(() => {
        stop.abort();
      });
      for await (const block of reader.blocks()) reader.acknowledge(block.last);
      await reader[Symbol.asyncDispose]();
      expect(await isActive(stream)).toBe(false);
    }
  });

  test('also in the midst of a large transaction that nobody reads', async () => {
    await database.query('CREATE TABLE large (id int PRIMARY KEY, v text)');
    const stream = await TestStream.create(database, ['large'], { bufferBytes: 1000 });
    await database.query(`INSERT INTO large SELECT g, repeat('x', 500) FROM generate_series(1, 50000) g`);
    const reader = await stream.open(undefined);
    await eventually(() => reader.status().bufferedBytes > 1000);
    await reader[Symbol.asyncDispose]();
    await eventually(async () => !(await isActive(stream)), { within: 3000 });
    expect(await stream.changes()).toHaveLength(50_000);
  });

  test('an aborted signal opens nothing', async () => {
    const stream = await TestStream.create(database, []);
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    await expect(stream.open(undefined, contextOf(stop))).rejects.toThrow('stopped');
  });

  test('a session that the source ends is SOURCE_DISCONNECTED; what came before it is still handed out', async () => {
    await database.query('CREATE TABLE cut_off (id int PRIMARY KEY)');
    const stream = await TestStream.create(database, ['cut_off']);
    await using reader = await stream.open(undefined);
    await database.query('INSERT INTO cut_off VALUES (1)');
    const blocks = reader.blocks()[Symbol.asyncIterator]();
    const first = (await blocks.next()) as { value: SourceBlock };
    expect(changesOf(first.value)).toHaveLength(1);
    await database.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [
      stream.identity.slot,
    ]);
    await expect(blocks.next()).rejects.toThrow(withCode('SOURCE_DISCONNECTED'));
  });
});

describe('what the slot can no longer give', () => {
  test('no slot', async () => {
    const stream = await TestStream.create(database, []);
    await stream.source.dropSlot(stream.identity.slot, contextOf());
    await expect(stream.open(undefined)).rejects.toThrow(
      withCode('SOURCE_SLOT_MISSING', new RegExp(stream.identity.slot)),
    );
  });

  test('CHECKLIST 6: two readers never share a slot; the second one gets it as soon as the first one goes', async () => {
    const stream = await TestStream.create(database, [], { takeOverMs: 200 });
    await using first = await stream.open(undefined);
    const { slot } = stream.identity;
    const pid = await database.value('SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1', [slot]);
    // Who it is, so that a second installation is found.
    await expect(stream.open(undefined)).rejects.toThrow(
      withCode(
        'SOURCE_SLOT_IN_USE',
        new RegExp(`process ${pid} \\(user postgres, application terrafusion reader, from .*${slot}`),
      ),
    );
    const patient = sourceOf(database.url, { takeOverMs: 20_000 });
    const second = stream.open(undefined, contextOf(), patient);
    await first[Symbol.asyncDispose]();
    await (await second)[Symbol.asyncDispose]();
  });

  test('Promise 2: a topic that has lost its end is found out, be it by one transaction', async () => {
    await database.query('CREATE TABLE forgotten (id int PRIMARY KEY)');
    const stream = await TestStream.create(database, ['forgotten']);
    for (const id of [1, 2]) await database.query(`INSERT INTO forgotten VALUES (${id})`);
    const blocks = await stream.readAll(undefined);
    const position = dataOf(blocks)[0]!.position;
    const [, lsn] = /^1:([0-9A-F/]+):0$/.exec(position)!;
    const stored = { generation: 1, commitLsn: parseLsn(lsn!), ordinal: LAST_ORDINAL };
    await expect(stream.open(stored)).rejects.toThrow(withCode('SOURCE_HISTORY_LOST', /beyond/));
    // Without any stored block the stream goes on where the slot stands, and says so in its first block.
    await database.query('INSERT INTO forgotten VALUES (3)');
    expect((await stream.changes()).map(({ after }) => after)).toEqual([['3']]);
  });

  test('somebody else has read from the slot', async () => {
    await database.query('CREATE TABLE stolen (id int PRIMARY KEY)');
    const stream = await TestStream.create(database, ['stolen']);
    await database.query('INSERT INTO stolen VALUES (1)');
    const blocks = await stream.readAll(undefined);
    await database.query('INSERT INTO stolen VALUES (2)');
    await database.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [stream.identity.slot]);
    await expect(stream.open(blocks.at(-1)!.last)).rejects.toThrow(withCode('SOURCE_HISTORY_LOST', /somebody else/));
  });

  test('another server, another line of history, or one that has gone back in time', async () => {
    const stream = await TestStream.create(database, []);
    const open = (identity: Partial<TestStream['identity']>) =>
      stream.source.openReader(
        { sourceId: 'test', generation: 1, stream: { ...stream.identity, ...identity }, after: undefined },
        contextOf(),
      );
    await expect(open({ systemIdentifier: '7' })).rejects.toThrow(
      withCode('SOURCE_IDENTITY_CHANGED', /another server/),
    );
    await expect(open({ timeline: 9 })).rejects.toThrow(withCode('SOURCE_HISTORY_LOST', /timeline 1/));
    await expect(stream.open({ generation: 1, commitLsn: 1n << 60n, ordinal: LAST_ORDINAL })).rejects.toThrow(
      withCode('SOURCE_HISTORY_LOST', /back in time/),
    );
    expect(await isActive(stream)).toBe(false);
  });

  test('a publication that is dropped while we read, and one that is gone at the start', async () => {
    const stream = await TestStream.create(database, [], { heartbeatMs: 20 });
    await using reader = await stream.open(undefined);
    const failure = failureOf(reader);
    await database.query(`DROP PUBLICATION ${stream.identity.publication}`);
    expect(await failure).toEqual(withCode('SOURCE_HISTORY_LOST', /[Pp]ublication/));
    await reader[Symbol.asyncDispose]();
    await expect(stream.open(undefined)).rejects.toThrow(withCode('SOURCE_HISTORY_LOST', /Publication/));
  });
});
