import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually, Hopeless } from '#test/support/eventually.ts';
import type { Installation, NewTestPair, RunningService, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

/** Slow enough that a load cannot be over before it is interrupted. */
const SLOW = { load_chunk_rows: 20, load_max_rows_per_second: 150 };

interface Interrupted {
  readonly schema: string;
  readonly tables: NonNullable<NewTestPair['tables']>;
  readonly config?: NewTestPair['config'];
  readonly atTarget?: string;
  /** How many chunks must be there before it is interrupted. */
  readonly after?: number;
  /** What happens at the source meanwhile. */
  readonly meanwhile?: (source: TestDatabase, target: TestDatabase) => Promise<void>;
}

interface Loaded {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly pair: TestPair;
  /** Rows that the target held when it was interrupted, by table. */
  readonly before: ReadonlyMap<string, number>;
}

/** A load that is interrupted between two chunks goes on with the next one, in another snapshot. (DESIGN section 6, CHECKLIST 27 and 28) */
describe('an interrupted load', () => {
  let installation: Installation;

  beforeAll(async () => {
    installation = await freshInstallation();
  });

  let pair: TestPair | undefined;
  let running: RunningService | undefined;

  afterEach(async () => {
    await running?.stop();
    if (pair) await installation.control.pairs.delete(pair.id);
  });

  afterAll(() => installation.close());

  async function interrupt(options: Interrupted): Promise<Loaded> {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(options.schema);
    await source.query('VACUUM ANALYZE');
    if (options.atTarget !== undefined) await target.query(options.atTarget);
    running = installation.start();
    const config = { ...SLOW, ...options.config };
    pair = await installation.addPair({ source, target, tables: options.tables, config });
    const chunks = async (which: string): Promise<number> =>
      (await target.value<boolean>(`SELECT to_regclass('_terrafusion.load_chunks') IS NOT NULL`))
        ? await target.value<number>(`SELECT count(*)::int FROM _terrafusion.load_chunks WHERE ${which}`)
        : 0;
    const enough = async (): Promise<boolean> => {
      const { state, error } = await pair!.state();
      // Nothing here is to be waited for.
      if (error !== undefined) throw new Hopeless(`The pair is ${state}: ${error}`);
      return (await chunks('finished_at IS NOT NULL')) >= (options.after ?? 2);
    };
    await eventually(enough, {
      within: 60_000,
      every: 5,
      what: 'some chunks to be there',
    });
    await running.stop();
    expect(await chunks('finished_at IS NULL')).toBeGreaterThan(0);
    const before = new Map<string, number>();
    for (const { source: name, target: to = name } of options.tables)
      before.set(to, await target.value<number>(`SELECT count(*)::int FROM ${to}`));
    await options.meanwhile?.(source, target);
    const { definition } = await installation.control.pairs.get(pair.id);
    await installation.control.pairs.change(pair.id, {
      definition: { tables: definition.tables, config: { ...definition.config, load_max_rows_per_second: null } },
    });
    running = installation.start();
    await pair.until('streaming');
    await pair.fence();
    await running.stop();
    return { source, target, pair, before };
  }

  /** How many snapshots the table was read in. */
  const snapshots = (target: TestDatabase, table: string): Promise<number> =>
    target.value<number>('SELECT count(DISTINCT until)::int FROM _terrafusion.load_chunks WHERE table_name = $1', [
      table,
    ]);

  const numbers = (schema: string, more = ''): string =>
    `${schema}; INSERT INTO parcel SELECT g, 'v' || g FROM generate_series(1, 400) g; ${more}`;
  const PARCEL = 'CREATE TABLE parcel (id int PRIMARY KEY, v text)';

  test('what the source keeps unique is unique at the target once both moments have been brought together', async () => {
    const { target } = await interrupt({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, pin text, value int);
        INSERT INTO parcel SELECT n, 'p' || n, n FROM generate_series(1, 200) AS n; CREATE UNIQUE INDEX parcel_pin ON parcel (pin);
        CREATE INDEX parcel_value ON parcel (value)`,
      tables: [{ source: 'public.parcel' }],
      // A number goes from a row that was read to one that was not: read together they are two of the same.
      meanwhile: (source) =>
        source
          .query(`UPDATE parcel SET pin = 'gone' WHERE id = 1; UPDATE parcel SET pin = 'p1' WHERE id = 200`)
          .then(() => undefined),
    });
    expect(await target.query(`SELECT indexname FROM pg_indexes WHERE tablename = 'parcel' ORDER BY 1`)).toEqual([
      { indexname: 'parcel_pin' },
      { indexname: 'parcel_pkey' },
      { indexname: 'parcel_value' },
    ]);
  });

  test('a primary key that changes hands between two moments is made once its table was read again, at one', async () => {
    const { source, target, before } = await interrupt({
      // Told apart, and cut, by another index than the key.
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, pin int NOT NULL); CREATE UNIQUE INDEX parcel_pin ON parcel (pin);
        ALTER TABLE parcel REPLICA IDENTITY USING INDEX parcel_pin; INSERT INTO parcel SELECT n, n FROM generate_series(1, 200) n;
        ${PARCEL.replace('parcel', 'other')}; INSERT INTO other SELECT n, 'v' FROM generate_series(1, 20) n`,
      tables: [{ source: 'public.other' }, { source: 'public.parcel' }],
      after: 4,
      meanwhile: async (database) => {
        await database.query(`UPDATE parcel SET id = -1 WHERE pin = 1; UPDATE parcel SET id = 1 WHERE pin = 200`);
      },
    });
    expect(before.get('public.parcel')).toBeGreaterThan(0);
    await expectSameRows(source, target, ['public.other', 'public.parcel']);
    expect(await snapshots(target, 'parcel')).toBe(1);
    expect(
      await target.value(
        `SELECT count(*)::int FROM pg_constraint WHERE conrelid = 'parcel'::regclass AND contype = 'p'`,
      ),
    ).toBe(1);
  });

  test('reads the rest only, and what has changed in both parts is right', async () => {
    const {
      source,
      target,
      pair: loaded,
      before,
    } = await interrupt({
      schema: numbers(PARCEL),
      tables: [{ source: 'public.parcel' }],
      meanwhile: async (database) => {
        await database.query(`UPDATE parcel SET v = 'changed' WHERE id IN (1, 5, 350); DELETE FROM parcel WHERE id IN (2, 360);
          INSERT INTO parcel VALUES (0, 'first'), (500, 'last'); UPDATE parcel SET id = -1 WHERE id = 3;
          UPDATE parcel SET id = 600 WHERE id = 4; UPDATE parcel SET id = -2 WHERE id = 370; DELETE FROM parcel WHERE id = 0`);
        await database.query("INSERT INTO parcel VALUES (0, 'again')");
      },
    });
    expect(await snapshots(target, 'parcel')).toBe(2);
    // What was there was not read a second time.
    expect(before.get('public.parcel')).toBeGreaterThanOrEqual(40);
    expect(
      await target.value(
        `SELECT sum(rows)::int FROM (SELECT rows FROM _terrafusion.load_chunks ORDER BY until, chunk LIMIT 2) s`,
      ),
    ).toBe(40);
    await expectSameRows(source, target, ['public.parcel']);
    expect(await loaded.countDeadLetters()).toBe(0);
  });

  test('is strict again once the stream has passed it', async () => {
    const {
      source,
      target,
      pair: loaded,
    } = await interrupt({
      schema: numbers(PARCEL),
      tables: [{ source: 'public.parcel' }],
    });
    await target.query('DELETE FROM parcel WHERE id = 7');
    running = installation.start();
    await source.query("UPDATE parcel SET v = 'gone' WHERE id = 7");
    await loaded.fence();
    expect((await loaded.deadLetters()).map(({ code }) => code)).toEqual(['TARGET_CONFLICT']);
  });

  test('a table without a key is emptied and read again, so that each of equal rows is there once', async () => {
    const { source, target } = await interrupt({
      schema: `CREATE TABLE event (kind text, note text); ALTER TABLE event REPLICA IDENTITY FULL;
        INSERT INTO event SELECT 'sale', repeat('x', 1900) FROM generate_series(1, 400)`,
      tables: [{ source: 'public.event' }],
      meanwhile: async (database) => {
        await database.query(`INSERT INTO event VALUES ('sale', 'new'), ('sale', 'new');
          DELETE FROM event WHERE ctid = (SELECT min(ctid) FROM event)`);
      },
    });
    expect(await snapshots(target, 'event')).toBe(1);
    await expectSameRows(source, target, ['public.event']);
  });

  test('CHECKLIST 16: rows that moved between its parts keep the large values that the stream does not send', async () => {
    const {
      source,
      target,
      pair: loaded,
    } = await interrupt({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, v text, note text); ALTER TABLE parcel ALTER note SET STORAGE EXTERNAL;
        INSERT INTO parcel SELECT g, 'v', repeat(md5(g::text), 100) FROM generate_series(1, 400) g`,
      tables: [{ source: 'public.parcel' }],
      meanwhile: async (database) => {
        // From what is still to be read to what was read already: in neither of them. And the other way round: in both.
        await database.query('UPDATE parcel SET id = -1 WHERE id = 390; UPDATE parcel SET id = 1000 WHERE id = 5');
        await database.query("UPDATE parcel SET v = 'w' WHERE id IN (-1, 1000, 6, 380)");
      },
    });
    await expectSameRows(source, target, ['public.parcel']);
    expect(await loaded.countDeadLetters()).toBe(0);
  });

  test('CHECKLIST 16: a row that was read at both its keys has one of them afterwards', async () => {
    const { source, target } = await interrupt({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, v text, note text); ALTER TABLE parcel ALTER note SET STORAGE EXTERNAL;
        INSERT INTO parcel SELECT g, 'v', repeat(md5(g::text), 100) FROM generate_series(1, 400) g`,
      tables: [{ source: 'public.parcel', columns: { id: { from: 'id' }, note: { from: 'note' }, v: { from: 'v' } } }],
      meanwhile: async (database) => {
        await database.query("UPDATE parcel SET id = 1000, v = 'w' WHERE id = 5");
      },
    });
    await expectSameRows(source, target, ['public.parcel']);
  });

  test('rows that come into a filter without their large values are read again', async () => {
    const { source, target } = await interrupt({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, v text, note text); ALTER TABLE parcel ALTER note SET STORAGE EXTERNAL;
        INSERT INTO parcel SELECT g, CASE WHEN g = 5 THEN 'hidden' ELSE 'v' END, repeat(md5(g::text), 100) FROM generate_series(1, 400) g`,
      tables: [{ source: 'public.parcel', where: 'row.v != "hidden"' }],
      meanwhile: async (database) => {
        await database.query(
          "UPDATE parcel SET v = 'shown' WHERE id = 5; UPDATE parcel SET v = 'hidden' WHERE id = 380",
        );
      },
    });
    expect(await target.value('SELECT v FROM parcel WHERE id = 5')).toBe('shown');
    await source.query("DELETE FROM parcel WHERE v = 'hidden'");
    await expectSameRows(source, target, ['public.parcel']);
  });

  test('a child whose parent came later does not end it: both are read again', async () => {
    const schema = `CREATE TABLE owner (id int PRIMARY KEY); CREATE TABLE parcel (id int PRIMARY KEY, owner_id int REFERENCES owner)`;
    const {
      source,
      target,
      pair: loaded,
    } = await interrupt({
      schema: `${schema}; INSERT INTO owner SELECT g FROM generate_series(1, 40) g;
        INSERT INTO parcel SELECT g, 1 + g % 40 FROM generate_series(1, 400) g`,
      atTarget: schema,
      tables: [{ source: 'public.parcel' }, { source: 'public.owner' }],
      after: 4,
      meanwhile: async (database) => {
        await database.query('INSERT INTO owner VALUES (99); INSERT INTO parcel VALUES (500, 99)');
      },
    });
    await expectSameRows(source, target, ['public.owner', 'public.parcel']);
    expect(await loaded.countDeadLetters()).toBe(0);
  });

  test('a table that was truncated or rewritten meanwhile is read as it is now', async () => {
    const {
      source,
      target,
      pair: loaded,
    } = await interrupt({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, v text); INSERT INTO parcel SELECT g, 'v' FROM generate_series(1, 400) g`,
      tables: [{ source: 'public.parcel' }],
      meanwhile: async (database) => {
        await database.query("TRUNCATE parcel; INSERT INTO parcel SELECT g, 'new' FROM generate_series(100, 300) g");
      },
    });
    await expectSameRows(source, target, ['public.parcel']);
    expect(await loaded.countDeadLetters()).toBe(0);
  });

  test('a row that the chain refuses is one dead letter, in whatever snapshot its chunk was read', async () => {
    const { pair: loaded } = await interrupt({
      schema: numbers(PARCEL, "UPDATE parcel SET v = '' WHERE id % 100 = 0"),
      tables: [
        { source: 'public.parcel', rules: [{ name: 'has a value', check: 'row.v != ""', on_failure: 'quarantine' }] },
      ],
    });
    expect(await loaded.countDeadLetters()).toBe(4);
  });

  test('CHECKLIST 10: with its slot gone it is not gone on with; a resync reads everything again', async () => {
    const { source, target } = await interrupt({
      schema: numbers(PARCEL),
      tables: [{ source: 'public.parcel' }],
      meanwhile: async (database) => {
        await database.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()',
        );
        await database.query("UPDATE parcel SET v = 'unseen' WHERE id = 1");
        running = installation.start();
        await pair!.untilError('SOURCE_SLOT_MISSING');
        await running.stop();
        await installation.control.runs.requestResync(pair!.id);
      },
    });
    expect(await snapshots(target, 'parcel')).toBe(1);
    await expectSameRows(source, target, ['public.parcel']);
  });

  test('CHECKLIST 10: it ends at once when its slot dies', async () => {
    const source = await freshDatabase('source');
    await source.query(numbers(PARCEL));
    await source.query('ANALYZE');
    running = installation.start();
    pair = await installation.addPair({
      source,
      target: await freshDatabase('target'),
      tables: [{ source: 'public.parcel' }],
      // It would take an hour.
      config: { load_chunk_rows: 20, load_max_rows_per_second: 5 },
    });
    await pair.until('loading');
    await eventually(async () => (await installation.control.tables.list(pair!.id))[0]?.state === 'loading');
    await eventually(
      async () => {
        await source.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database();
          SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active`);
        return source.value<boolean>(
          'SELECT count(*) = 0 FROM pg_replication_slots WHERE database = current_database()',
        );
      },
      { within: 60_000, what: 'the slot to be dropped' },
    );
    await pair.untilError('SOURCE_SLOT_MISSING');
    expect((await pair.state()).state).toBe('failed');
  });

  test('rests outside of its window, says until when, and goes on when it is changed', async () => {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(numbers(PARCEL));
    running = installation.start();
    const hour = new Date().getUTCHours();
    const time = (hours: number): string => `${String((hour + hours) % 24).padStart(2, '0')}:00`;
    const window = { from: time(4), to: time(6), zone: 'UTC' };
    pair = await installation.addPair({ source, target, config: { load_window: window } });
    const { control } = installation;
    const progress = async () => {
      const page = await control.operations.list({ pairId: pair!.id }, { limit: 1, cursor: undefined });
      return page.items[0]?.progress;
    };
    await eventually(async () => (await progress())?.['resting_until'] !== undefined, { within: 60_000 });
    expect(Date.parse((await progress())!['resting_until'] as string)).toBeGreaterThan(Date.now() + 2 * 3_600_000);
    expect((await pair.state()).state).toBe('loading');
    const { definition } = await control.pairs.get(pair.id);
    await control.pairs.change(pair.id, {
      definition: { tables: definition.tables, config: { ...definition.config, load_window: null } },
    });
    await pair.until('streaming');
    expect(await progress()).not.toHaveProperty('resting_until');
    expect((await control.tables.list(pair.id))[0]).toMatchObject({ rowsCopied: 400, rowsTotal: 400 });
    await expectSameRows(source, target, ['public.parcel']);
  });
});
