import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { postgresTarget } from '#connectors/postgres/target/target.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { contextOf, insert, Pair, remove, type Slice, table, truncate, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const parcel = table('public.parcel', ['id*', 'owner']);
const rows = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => insert(parcel, [String(from + i), 'o'.repeat(100)]));
const count = () => database.value('SELECT count(*)::int FROM parcel');
const writersAlive = () =>
  database.value<number>(
    `SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'terrafusion writer%' AND datname = current_database()`,
  );

const inTransaction = () =>
  database.value<number>(
    `SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'terrafusion writer%' AND state LIKE 'idle in%'
       AND datname = current_database()`,
  );

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query(`DROP SCHEMA public CASCADE; CREATE SCHEMA public;
    CREATE TABLE parcel (id int PRIMARY KEY, owner text)`);
  pair = new Pair(database);
  await pair.start();
});

afterEach(async () => {
  await eventually(async () => (await writersAlive()) === 0, { what: 'the writers to be gone' });
});

describe('one source transaction over many blocks (Promise 3)', () => {
  test('shows nothing before its end', async () => {
    const slices = pair.history.cut(Array.from({ length: 50 }, (_, i) => rows(i * 100, i * 100 + 100)));
    await using writer = await pair.open();
    for (const [i, slice] of slices.entries()) {
      expect(await count()).toBe(0);
      const { committed } = await writer.apply(pair.batch([slice]), pair.reject);
      expect(committed).toBe(i === 49);
    }
    expect(await count()).toBe(5000);
    expect((await pair.applied())?.position).toEqual(slices.at(-1)!.last);
  });

  test('is as if it had not been when its writer goes, and is then applied whole', async () => {
    const before = pair.history.block(rows(0, 10));
    const slices = pair.history.cut([rows(10, 20), [update(parcel, ['5', 'x'])], rows(20, 30)]);
    {
      await using writer = await pair.open();
      await writer.apply(pair.batch([before]), pair.reject);
      await writer.apply(pair.batch([slices[0]!]), pair.reject);
      await writer.apply(pair.batch([slices[1]!]), pair.reject);
    }
    expect(await count()).toBe(10);
    await using writer = await pair.open();
    expect(writer.held?.position).toEqual(before.last);
    for (const slice of slices) await writer.apply(pair.batch([slice]), pair.reject);
    expect(await count()).toBe(30);
  });

  test('holds no more memory than its blocks', { timeout: 120_000 }, async () => {
    await using writer = await pair.open();
    pair.history.begin();
    const parts = 150;
    let early = 0;
    for (let i = 0; i < parts; i++) {
      const slice = pair.history.slice(rows(i * 2000, i * 2000 + 2000), i === parts - 1);
      await writer.apply(pair.batch([slice]), pair.reject);
      if (i === 30) early = memory();
    }
    expect(await count()).toBe(300_000);
    expect(memory() - early).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('two batches in flight', () => {
  test('arrive in order', async () => {
    await using writer = await pair.open();
    const first = writer.apply(pair.batch([pair.history.block(rows(0, 1000))]), pair.reject);
    const second = writer.apply(pair.batch([pair.history.block([remove(parcel, ['5', null])])]), pair.reject);
    const third = writer.apply(pair.batch([pair.history.block([insert(parcel, ['5', 'again'])])]), pair.reject);
    await Promise.all([first, second, third]);
    expect(await database.value('SELECT owner FROM parcel WHERE id = 5')).toBe('again');
  });

  test.each([
    ['within', 'PRIMARY KEY'],
    ['at the commit', 'PRIMARY KEY DEFERRABLE INITIALLY DEFERRED'],
  ])('a first one that fails %s takes those behind it along', async (_, key) => {
    await database.query(
      `DROP TABLE parcel; CREATE TABLE parcel (id int ${key}, owner text); INSERT INTO parcel VALUES (5, 'x')`,
    );
    await using writer = await pair.open();
    const batches = [rows(0, 10), rows(100, 110), [insert(parcel, ['200', 'x'])]].map((changes) =>
      writer.apply(pair.batch([pair.history.block(changes)]), pair.reject),
    );
    const outcomes = await Promise.allSettled(batches);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'TARGET_CONSTRAINT' } });
    }
    await expect(writer.apply(pair.batch([pair.history.block(rows(300, 301))]), pair.reject)).rejects.toThrow();
    expect(await count()).toBe(1);
  });
});

describe('two writers of one pair', () => {
  test('the one left behind is fenced off', async () => {
    await using old = await pair.open();
    await using young = await pair.open();
    const block = pair.history.block(rows(0, 10));
    await young.apply(pair.batch([block]), pair.reject);
    await expect(old.apply(pair.batch([block]), pair.reject)).rejects.toMatchObject({
      code: 'TARGET_FENCED',
      heals: true,
    });
    expect(await count()).toBe(10);
  });

  test('also when both are at it, and also between transactions that are cut', async () => {
    await using old = await pair.open();
    await using young = await pair.open();
    const slices = pair.history.cut([rows(0, 10), rows(10, 20)]);
    await old.apply(pair.batch([slices[0]!]), pair.reject);
    const waiting = expect(young.apply(pair.batch([slices[0]!]), pair.reject)).rejects.toMatchObject({
      code: 'TARGET_FENCED',
    });
    await eventually(
      () => database.value(`SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`),
      { what: 'the second writer to wait' },
    );
    await old.apply(pair.batch([slices[1]!]), pair.reject);
    await waiting;
    expect(await count()).toBe(20);
  });
});

describe('a writer that was stopped in the middle of a transaction', () => {
  test('is sent away by whoever has its work, and what it had begun is gone', async () => {
    await using stopped = await pair.open();
    const slices = pair.history.cut([rows(0, 10), rows(10, 20)]);
    await stopped.apply(pair.batch([slices[0]!]), pair.reject);
    // It may be at work, for all that is known at first.
    await using early = await pair.open();
    expect(await inTransaction()).toBe(1);
    await early[Symbol.asyncDispose]();

    pair.target = postgresTarget({ url: database.url }, { stillMs: 0 });
    await using young = await pair.open();
    await young.apply(pair.batch([slices[0]!]), pair.reject);
    await young.apply(pair.batch([slices[1]!]), pair.reject);
    expect(await count()).toBe(20);
    await expect(stopped.apply(pair.batch([slices[1]!]), pair.reject)).rejects.toMatchObject({ heals: true });
    expect(await count()).toBe(20);
  });

  test('is left alone while that is switched off; when it is sent away, that is told', async () => {
    await using stopped = await pair.open();
    const slices = pair.history.cut([rows(0, 10), rows(10, 20)]);
    await stopped.apply(pair.batch([slices[0]!]), pair.reject);
    pair.target = postgresTarget({ url: database.url }, { stillMs: 0 });
    const done: string[] = [];
    const open = (on: boolean) =>
      pair.target.openWriter('pair-1', {
        ...contextOf(),
        healing: { isOn: () => on, done: (action, message) => void done.push(`${action}: ${message}`) },
      });
    await (await open(false))[Symbol.asyncDispose]();
    expect([await inTransaction(), done]).toEqual([1, []]);
    await (await open(true))[Symbol.asyncDispose]();
    expect(await inTransaction()).toBe(0);
    expect(done).toEqual([expect.stringMatching(/^end_left_behind_sessions: Sessions .* were ended: \d+$/)]);
  });

  test('a target tells whether it works for a writer: behind a lock it does, waiting for it it does not', async () => {
    const target = postgresTarget({ url: database.url });
    await using writer = await pair.open();
    const atWork = (pairId = 'pair-1') => target.isAtWork!('writer', pairId, contextOf());
    expect(await atWork()).toBe(false);
    const holder = await database.connect();
    await holder.query('BEGIN; LOCK TABLE parcel');
    const applying = writer.apply(pair.batch([pair.history.block(rows(0, 10))]), pair.reject);
    await eventually(() => atWork());
    expect(await atWork('pair-2')).toBe(false);
    await holder.query('ROLLBACK');
    await applying;
    expect(await atWork()).toBe(false);
  });

  test('sessions of other pairs, and those that rest between transactions, are left alone', async () => {
    await using resting = await pair.open();
    await using other = await pair.target.openWriter('pair-10', contextOf());
    const elsewhere = await database.connect();
    await elsewhere.query(`SET application_name = 'terrafusion writer pair-2'; BEGIN; SELECT 1`);
    pair.target = postgresTarget({ url: database.url }, { stillMs: 0 });
    await using young = await pair.open();
    expect(await inTransaction()).toBe(1);
    await elsewhere.query('COMMIT');
    await elsewhere.end();
    await young.apply(pair.batch([pair.history.block(rows(0, 10))]), pair.reject);
    await expect(resting.apply(pair.batch([pair.history.block(rows(10, 20))]), pair.reject)).rejects.toMatchObject({
      code: 'TARGET_FENCED',
    });
    await other[Symbol.asyncDispose]();
  });
});

test('with names that the server has cut, sessions of other pairs cannot be told apart: nobody is sent away', async () => {
  const named = new Pair(database);
  named.target = postgresTarget({ url: database.url, application_name: 'county '.repeat(9) }, { stillMs: 0 });
  await using busy = await named.target.openWriter('pair-1', contextOf());
  const [slice] = pair.history.cut([rows(0, 10), rows(10, 20)]);
  await busy.apply(pair.batch([slice!]), pair.reject);
  await using other = await named.target.openWriter('pair-2', contextOf());
  expect(other.held).toBeUndefined();
  expect(
    await database.value(
      `SELECT count(*)::int FROM pg_stat_activity WHERE application_name LIKE 'county%' AND state = 'idle in transaction'`,
    ),
  ).toBe(1);
});

describe('a connection that goes', () => {
  const terminate = () =>
    database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'terrafusion writer%' AND datname = current_database()`,
    );

  test('in the middle of a batch: nothing of it stays, a new writer goes on', async () => {
    const slices = pair.history.cut([rows(0, 100), rows(100, 200)]);
    {
      await using writer = await pair.open();
      await writer.apply(pair.batch([slices[0]!]), pair.reject);
      await terminate();
      await expect(writer.apply(pair.batch([slices[1]!]), pair.reject)).rejects.toMatchObject({ heals: true });
    }
    await pair.apply(slices);
    expect(await count()).toBe(200);
  });

  test('at the last moment, when rows and position are written: neither stays (Promise 3)', async () => {
    const slices = [pair.history.block(rows(0, 100)), pair.history.block(rows(100, 200))] as const;
    await pair.apply([slices[0]]);
    const cut = new Error('cut');
    {
      const steps = {
        beforeCommit: () => {
          throw cut;
        },
      };
      await using writer = await pair.target.openWriter(pair.id, contextOf(), steps);
      await expect(writer.apply(pair.batch([slices[1]]), pair.reject)).rejects.toMatchObject({ cause: cut });
    }
    expect(await count()).toBe(100);
    await using writer = await pair.open();
    expect(writer.held?.position).toEqual(slices[0].last);
    await writer.apply(pair.batch([slices[1]]), pair.reject);
    expect(await count()).toBe(200);
  });

  test('again and again at any moment: every row once', { timeout: 120_000 }, async () => {
    const slices: Slice[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 5 === 4)
        slices.push(...pair.history.cut([rows(i * 100, i * 100 + 50), rows(i * 100 + 50, i * 100 + 100)]));
      else slices.push(pair.history.block(rows(i * 100, i * 100 + 99), [insert(parcel, [String(i * 100 + 99), 'x'])]));
    }
    const stop = new AbortController();
    const killing = (async () => {
      while (!stop.signal.aborted) {
        await delay(Math.random() * 40);
        await terminate();
      }
    })();
    for (let done = false; !done;) {
      try {
        await using writer = await pair.open();
        const { position } = writer.held!;
        const rest = slices.filter(({ last }) => last.commitLsn > position.commitLsn);
        await Promise.all(rest.map((slice) => writer.apply(pair.batch([slice]), pair.reject)));
        done = true;
      } catch (error) {
        expect(['TARGET_UNREACHABLE', 'TARGET_RESOURCES', 'TARGET_FENCED']).toContain((error as { code: string }).code);
      }
    }
    stop.abort();
    await killing;
    expect(await count()).toBe(6000);
    expect(await database.value('SELECT count(DISTINCT id)::int FROM parcel')).toBe(6000);
  });

  test('by abort: the call ends at once; what was sent happens at the server whole or not at all', async () => {
    const stop = new AbortController();
    const blocker = await database.connect();
    await blocker.query('BEGIN; LOCK TABLE parcel');
    await using writer = await pair.target.openWriter(pair.id, contextOf(stop.signal));
    const block = pair.history.block(rows(0, 10));
    const applying = writer.apply(pair.batch([block]), pair.reject);
    const failed = expect(applying).rejects.toMatchObject({ code: 'TARGET_UNREACHABLE' });
    await eventually(() => database.value('SELECT count(*) > 0 FROM pg_locks WHERE NOT granted'));
    stop.abort();
    await failed;
    await blocker.query('ROLLBACK');
    await eventually(async () => (await writersAlive()) === 0);
    const held = (await pair.applied())!.position;
    expect(await count()).toBe(held.commitLsn === block.last.commitLsn ? 10 : 0);
  });
});

describe('the words for what goes wrong (CHECKLIST 32)', () => {
  const block = () => pair.history.block(rows(0, 10));

  test('table and column that are not there', async () => {
    const gone = table('public.gone', ['id*']);
    await expect(pair.apply([pair.history.block([insert(gone, ['1'])])])).rejects.toMatchObject({
      code: 'TARGET_TABLE_MISSING',
      message: expect.stringContaining('public.gone') as string,
    });
    await database.query('ALTER TABLE parcel DROP owner');
    await expect(pair.apply([block()])).rejects.toMatchObject({
      code: 'TARGET_COLUMN_MISSING',
      message: expect.stringContaining('owner') as string,
    });
  });

  test('a column or table that goes while we write', async () => {
    await using writer = await pair.open();
    await writer.apply(pair.batch([block()]), pair.reject);
    await database.query('ALTER TABLE parcel DROP owner');
    const more = pair.history.block(rows(10, 20));
    await expect(writer.apply(pair.batch([more]), pair.reject)).rejects.toMatchObject({
      code: 'TARGET_COLUMN_MISSING',
    });
  });

  test('a missing privilege', async () => {
    const login = `writer_${database.name}`;
    await database.query(`CREATE ROLE "${login}" LOGIN PASSWORD 'secret'; GRANT CREATE ON DATABASE "${database.name}" TO "${login}";
      GRANT SELECT ON parcel TO "${login}"; GRANT USAGE ON SCHEMA public TO "${login}";
      DROP SCHEMA _terrafusion CASCADE`);
    try {
      const url = new URL(database.url);
      [url.username, url.password] = [login, 'secret'];
      const limited = postgresTarget({ url: url.href });
      await using load = await limited.openLoad(
        { pairId: pair.id, number: 1, tables: [], existingRows: 'refuse', begun: '' },
        contextOf(),
      );
      await load.commit({ position: pair.history.position, topic: 't', nextOffset: 0n, overlayUntil: 0n });
      await using writer = await limited.openWriter(pair.id, contextOf());
      await expect(writer.apply(pair.batch([block()]), pair.reject)).rejects.toMatchObject({
        code: 'TARGET_NO_PRIVILEGE',
        heals: false,
      });
    } finally {
      await database.query(`DROP OWNED BY "${login}"; DROP ROLE "${login}"`);
    }
  });

  test('a lock that nobody lets go of', async () => {
    const blocker = await database.connect();
    await blocker.query('BEGIN; LOCK TABLE parcel');
    const impatient = postgresTarget({ url: database.url }, { lockTimeoutMs: 50 });
    await using writer = await impatient.openWriter(pair.id, contextOf());
    for (const changes of [rows(0, 10), truncate([parcel])]) {
      const applying = writer.apply(pair.batch([pair.history.block(changes)]), pair.reject);
      await expect(applying).rejects.toMatchObject({ code: 'TARGET_BUSY', heals: true });
    }
    await blocker.query('ROLLBACK');
  });

  test('a deadlock with somebody else', async () => {
    await pair.apply([block()]);
    await database.query(`ALTER DATABASE "${database.name}" SET deadlock_timeout = '50ms'`);
    const other = await database.connect();
    await using writer = await pair.open();
    await other.query(`SET deadlock_timeout = '20s'; BEGIN; UPDATE parcel SET owner = 'them' WHERE id = 2`);
    pair.history.begin();
    await writer.apply(pair.batch([pair.history.slice([update(parcel, ['1', 'us'])], false)]), pair.reject);
    const theirs = other.query(`UPDATE parcel SET owner = 'them' WHERE id = 1`);
    const ours = writer.apply(pair.batch([pair.history.slice([update(parcel, ['2', 'us'])], true)]), pair.reject);
    await expect(ours).rejects.toMatchObject({ code: 'TARGET_BUSY', heals: true });
    await theirs;
    await other.query('ROLLBACK');
    await database.query(`ALTER DATABASE "${database.name}" RESET deadlock_timeout`);
  });

  test('a database that takes no writes for now', async () => {
    await database.query(`ALTER DATABASE "${database.name}" SET default_transaction_read_only = on`);
    await pair.apply([block()]);
    await database.query(`ALTER DATABASE "${database.name}" RESET default_transaction_read_only`);
    expect(await count()).toBe(10);
  });
});

function memory(): number {
  globalThis.gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
