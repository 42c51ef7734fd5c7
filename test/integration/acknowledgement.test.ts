import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import type { Source, StreamIdentity } from '#connectors/contract/source.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import { ReaderStage } from '#services/reader/reader.ts';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';

const SENDER_TIMEOUT_S = 2;
const ROWS = 100_000;

describe('acknowledgement', () => {
  let server: TestPostgres;
  let source: TestDatabase;
  let folder: string;

  beforeEach(async () => {
    server = await startPostgres({
      settings: { fsync: 'off', wal_sender_timeout: `${SENDER_TIMEOUT_S}s` },
    });
    source = await server.createDatabase('source');
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-bus-'));
  });

  afterEach(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('with the bus stalled the connection lives, nothing is acknowledged that is not stored, and memory stays bounded', async () => {
    await source.query('CREATE TABLE parcel (id bigint PRIMARY KEY, notes text)');
    const { postgres, stream } = await openStream(source);
    await using bus = await LmdbBus.open({ folder, maxBytes: 2 ** 30 }, silentLog);
    const stalled = new StallingBus(bus);
    const abort = new AbortController();
    const stage = new ReaderStage({
      sourceId: 'acknowledgement',
      topic: TOPIC,
      generation: 1,
      stream,
      source: postgres,
      bus: stalled.bus,
      observer: { failedOver: () => Promise.resolve(), connected() {}, stored() {}, interrupted() {}, paused() {} },
    });
    const finished = stage.run({ log: silentLog, clock: systemClock, signal: abort.signal });

    const sender = await eventually(() => walsender(source, stream.slot), { what: 'the reader to connect' });
    await source.query("INSERT INTO parcel VALUES (0, 'stored')");
    await eventually(async () => (await storedRows(bus)) === 1, { what: 'the first row to be stored' });
    stalled.stall();
    const memoryBefore = process.memoryUsage().rss;
    const begun = await source.value<Date>('SELECT clock_timestamp()');
    const client = await source.connect();
    await client.query('BEGIN');
    await client.query("INSERT INTO parcel VALUES (-1, 'in hand, whole, and not stored')");
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
    const beforeCommit = rows[0]!.lsn;
    await client.query('COMMIT');
    // 200 MB, a hundred times what may wait in memory.
    await client.query(`INSERT INTO parcel SELECT n, repeat(md5(n::text), 64) FROM generate_series(1, ${ROWS}) AS n`);
    await eventually(
      () =>
        source.value<boolean>(
          `SELECT reply_time > $1::timestamptz + ${2 * SENDER_TIMEOUT_S} * interval '1 second' FROM pg_stat_replication WHERE pid = $2`,
          [begun, sender],
        ),
      { within: 30_000, what: 'keep-alives to be answered for twice the timeout' },
    );
    // The same connection lives (CHECKLIST 1, 2), and Promise 1 holds: the source keeps what the topic does not.
    expect(await walsender(source, stream.slot)).toBe(sender);
    expect(await confirms(source, stream.slot, '<=', beforeCommit)).toBe(true);
    // Promise 6. The margin is the garbage that a collector leaves lying when nobody needs the room.
    expect((process.memoryUsage().rss - memoryBefore) / 2 ** 20).toBeLessThan(96);

    stalled.release();
    const end = await source.value('SELECT pg_current_wal_insert_lsn()');
    await source.query("INSERT INTO parcel VALUES (-2, 'last')");
    await eventually(() => confirms(source, stream.slot, '>', end), {
      within: 60_000,
      what: 'everything to be acknowledged',
    });
    expect(await storedRows(bus)).toBe(ROWS + 3);
    abort.abort();
    await finished;
  });
});

const TOPIC = 'changes.acknowledgement';

async function openStream(source: TestDatabase): Promise<{ postgres: Source; stream: StreamIdentity }> {
  const postgres = postgresSource(postgresSettings.parse({ url: source.url }));
  const context = { log: silentLog, clock: systemClock, signal: new AbortController().signal };
  await postgres.publish('acknowledgement', [{ schema: 'public', name: 'parcel' }], context);
  return { postgres, stream: await postgres.createStream('acknowledgement', 'acknowledgement', context) };
}

/** Appends wait while stalled, as with a disk or a broker that does not answer. */
class StallingBus {
  readonly bus: Bus;
  #gate: Promise<void> = Promise.resolve();
  #open = (): void => undefined;

  constructor(bus: Bus) {
    this.bus = new Proxy(bus, {
      get: (target, name) => {
        if (name === 'append') {
          return async (topic: string, blocks: readonly Buffer[]) => {
            await this.#gate;
            return target.append(topic, blocks);
          };
        }
        const member = Reflect.get(target, name, target) as unknown;
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }

  stall(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  release(): void {
    this.#open();
  }
}

async function walsender(source: TestDatabase, slot: string): Promise<number | undefined> {
  const rows = await source.query<{ active_pid: number | null }>(
    'SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  );
  return rows[0]?.active_pid ?? undefined;
}

/** Compares what the source was told with a place in its history. */
function confirms(source: TestDatabase, slot: string, operator: '<=' | '>', lsn: string): Promise<boolean> {
  return source.value<boolean>(
    `SELECT confirmed_flush_lsn ${operator} $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1`,
    [slot, lsn],
  );
}

/** Changes of rows in the topic; messages are none. */
async function storedRows(bus: Bus): Promise<number> {
  const { first, next } = await bus.range(TOPIC);
  let rows = 0;
  if (next === first) return rows;
  for await (const { offset, bytes } of bus.read(TOPIC, first, new AbortController().signal)) {
    const block = BlockReader.open(bytes);
    while (block.nextTransaction()) while (block.nextChange()) if (block.table >= 0) rows += 1;
    if (offset + 1n === next) break;
  }
  return rows;
}
