import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Installation, RunningService, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation, loneSource } from '#test/support/servers.ts';
import { PairSyncs } from './table-sync-suite.ts';

describe('tables loaded beside the stream', () => {
  let installation: Installation;
  let service: RunningService;
  let source: TestDatabase;
  let target: TestDatabase;
  let pair: TestPair;
  let syncs: PairSyncs;

  beforeAll(async () => {
    source = await loneSource();
    target = await freshDatabase('target');
    await source.query(`CREATE TABLE parcel (id int PRIMARY KEY, note text);
      CREATE TABLE owner (id int PRIMARY KEY, name text);
      CREATE TABLE event (kind text); ALTER TABLE event REPLICA IDENTITY FULL;
      CREATE TABLE permit (id int PRIMARY KEY, amount int); INSERT INTO permit VALUES (1, 1), (2, -2);
      INSERT INTO parcel SELECT n, 'note ' || n FROM generate_series(1, 100) n;
      INSERT INTO owner VALUES (1, 'one'); INSERT INTO event VALUES ('sale'), ('sale')`);
    installation = await freshInstallation();
    service = installation.start();
    pair = await installation.addPair({ source, target, tables: inputs });
    await pair.until('streaming');
    syncs = new PairSyncs(installation, pair);
  });

  afterAll(() => service.stop());

  const names = ['public.parcel', 'public.owner', 'public.event'];
  const inputs = names.map((name) => ({ source: name }));

  test('rows that were spoiled at the target are mended, and the other tables never stop', async () => {
    await target.query("UPDATE parcel SET note = 'spoiled'; DELETE FROM event; INSERT INTO event VALUES ('made up')");
    const sync = await syncs.resync('public.parcel', 'public.event');
    await source.query(
      "INSERT INTO owner VALUES (2, 'two'); UPDATE parcel SET note = 'later' WHERE id = 1; INSERT INTO event VALUES ('sale')",
    );
    await syncs.until(sync, 'done');
    await equal();
  });

  test('what a sync has brought, the stream of a pair that lags behind it does not bring again', async () => {
    const blocker = await target.connect();
    let sync = 0;
    await withoutSnapshot(async () => {
      sync = await syncs.resync('public.event');
      await syncs.until(sync, 'loading');
      // The pair's stream stands still in the middle of a transaction …
      await blocker.query('BEGIN; SELECT FROM owner WHERE id = 1 FOR UPDATE');
      await source.query("UPDATE owner SET name = 'held up' WHERE id = 1");
      await eventually(() => waiting(target), { what: 'the stream to wait', within: 60_000 });
      // … while this is committed, and comes with the snapshot.
      await source.query("INSERT INTO event VALUES ('late'), ('late'), ('late')");
    });
    await eventually(async () => (await target.query("SELECT FROM event WHERE kind = 'late'")).length === 3, {
      what: 'the snapshot to be at the target',
      within: 60_000,
    });
    await blocker.query('COMMIT');
    await blocker.end();
    await syncs.until(sync, 'done');
    await equal();
  });

  test('cancelled before its rows were replaced, a table goes on with those it had', async () => {
    await target.query("UPDATE parcel SET note = 'kept' WHERE id = 7");
    let sync = 0;
    await withoutSnapshot(async () => {
      sync = await syncs.resync('public.parcel');
      await syncs.until(sync, 'loading');
      await source.query("UPDATE parcel SET note = 'while apart' WHERE id = 8; DELETE FROM parcel WHERE id = 9");
      await syncs.cancel(sync);
      await syncs.until(sync, 'rejoining', 'done');
    });
    await syncs.until(sync, 'done');
    await pair.fence();
    expect(await target.query('SELECT id, note FROM parcel WHERE id BETWEEN 7 AND 10 ORDER BY id')).toEqual([
      { id: 7, note: 'kept' },
      { id: 8, note: 'while apart' },
      { id: 10, note: 'note 10' },
    ]);
    expect(await operationOf(sync)).toMatchObject({ type: 'resync', state: 'cancelled', error: undefined });
    await target.query("UPDATE parcel SET note = 'note 7' WHERE id = 7");
    await equal();
  });

  test('a resync that the target refuses says why, and leaves the rows as they were, in step', async () => {
    await source.query('INSERT INTO parcel VALUES (1000, NULL)');
    await pair.fence();
    await target.query(
      `ALTER TABLE parcel ADD CHECK (id < 1000) NOT VALID; UPDATE parcel SET note = 'kept' WHERE id = 7`,
    );
    const sync = await syncs.resync('public.parcel');
    await syncs.until(sync, 'done');
    expect(await operationOf(sync)).toMatchObject({ state: 'failed', error: { code: 'TARGET_ROW_REJECTED' } });
    expect(await states()).toMatchObject({ 'public.parcel': 'streaming', 'public.owner': 'streaming' });
    await source.query(
      "UPDATE parcel SET note = 'goes on' WHERE id = 2; UPDATE owner SET name = 'goes on' WHERE id = 1",
    );
    await pair.fence();
    await expectSameRows(source, target, ['public.owner', 'public.event']);
    expect(await target.query('SELECT id, note FROM parcel WHERE id IN (2, 7, 1000) ORDER BY id')).toEqual([
      { id: 2, note: 'goes on' },
      { id: 7, note: 'kept' },
      { id: 1000, note: null },
    ]);
    expect(await target.query("SELECT FROM pg_class WHERE relname LIKE 'staged%'")).toEqual([]);
    await target.query('ALTER TABLE parcel DROP CONSTRAINT parcel_id_check');
    await syncs.until(await syncs.resync('public.parcel'), 'done');
    await equal();
    expect(await states()).toMatchObject({ 'public.parcel': 'streaming' });
  });

  test('a new table whose load is cancelled is left out, is told to be, and is loaded by the next resync', async () => {
    const permit = {
      source: 'public.permit',
      rules: [{ name: 'not negative', check: 'row.amount >= 0', on_failure: 'quarantine' as const }],
    };
    let sync = 0;
    await withoutSnapshot(async () => {
      await syncs.change(names, [permit]);
      sync = (await syncs.list())[0]!.number;
      await syncs.until(sync, 'loading');
      await syncs.cancel(sync);
      await syncs.until(sync, 'left_out');
    });
    await source.query('INSERT INTO permit VALUES (3, 3)');
    await pair.fence();
    expect(await target.value('SELECT count(*)::int FROM permit')).toBe(0);
    expect(await states()).toMatchObject({ 'public.permit': 'left_out' });
    const [table] = (await installation.control.tables.list(pair.id)).filter(
      ({ source: { name } }) => name === 'permit',
    );
    expect(table!.error).toMatchObject({ code: 'TABLE_LEFT_OUT' });

    const again = await syncs.resync('public.permit');
    await syncs.until(again, 'done');
    await source.query('INSERT INTO permit VALUES (4, 4), (5, -5)');
    await pair.fence();
    expect(await target.query('SELECT id FROM permit ORDER BY id')).toEqual([{ id: 1 }, { id: 3 }, { id: 4 }]);
    expect(await pair.countDeadLetters()).toBe(2);
    expect(await states()).toMatchObject({ 'public.permit': 'streaming' });

    // Its rows are looked at again: what the load had refused is forgotten, what the stream had refused is not.
    await syncs.until(await syncs.resync('public.permit'), 'done');
    await pair.fence();
    expect(await pair.countDeadLetters()).toBe(3);
    await syncs.change(names);
    expect(await states()).toMatchObject({ 'public.permit': 'removed' });
  });

  test('foreign keys at the target bring connected tables along', async () => {
    await source.query(`CREATE TABLE deed (id int PRIMARY KEY, owner int NOT NULL); INSERT INTO deed VALUES (1, 1)`);
    await target.query(`CREATE TABLE deed (id int PRIMARY KEY, owner int NOT NULL REFERENCES owner)`);
    await syncs.change([...names, 'public.deed']);
    await syncs.untilSettled();
    const sync = await syncs.resync('public.owner');
    await source.query("INSERT INTO owner VALUES (50, 'fifty'); INSERT INTO deed VALUES (2, 50)");
    const done = await syncs.until(sync, 'done');
    expect(done.tables.map(({ source: { name } }) => name).sort()).toEqual(['deed', 'owner']);
    await pair.fence();
    await expectSameRows(source, target, [...names, 'public.deed']);
    await syncs.change(names);
  });

  test('pausing interrupts a sync, resuming goes on with it; two go side by side', async () => {
    let both: number[] = [];
    await target.query('DELETE FROM owner WHERE id = 2; DELETE FROM parcel WHERE id > 50');
    await target.query('DROP TABLE IF EXISTS deed');
    await withoutSnapshot(async () => {
      both = [await syncs.resync('public.owner'), await syncs.resync('public.parcel')];
      for (const sync of both) await syncs.until(sync, 'loading');
      await installation.control.runs.setDesired(pair.id, 'paused');
      await pair.until('paused');
    });
    await source.query("INSERT INTO owner VALUES (60, 'while paused')");
    await installation.control.runs.setDesired(pair.id, 'running');
    for (const sync of both) await syncs.until(sync, 'done');
    await equal();
  });

  test('a resync of the whole pair takes the place of all of them', async () => {
    let sync = 0;
    await withoutSnapshot(async () => {
      sync = await syncs.resync('public.event');
      await syncs.until(sync, 'loading');
      await installation.control.runs.requestResync(pair.id);
      await syncs.until(sync, 'overtaken');
    });
    await eventually(async () => (await installation.control.pairs.get(pair.id)).load.state === 'done', {
      within: 60_000,
    });
    await equal();
    await syncs.until(await syncs.resync('public.event'), 'done');
    await equal();
  });

  test('a pair that is deleted meanwhile leaves nothing behind', async () => {
    const other = await installation.addPair({
      source,
      target: await freshDatabase('target'),
      sourceOf: pair,
      tables: inputs,
    });
    await other.until('streaming');
    const its = new PairSyncs(installation, other);
    await withoutSnapshot(async () => {
      await its.until(await its.resync('public.event'), 'loading');
      await installation.control.pairs.delete(other.id);
    });
    await other.untilPurged();
    await equal();
  });

  const equal = async (): Promise<void> => {
    await pair.fence();
    await expectSameRows(source, target, names);
  };

  /** While `work` runs no snapshot can be taken: a transaction that writes has to end first. */
  async function withoutSnapshot(work: () => Promise<void>): Promise<void> {
    const holder: pg.Client = await source.connect();
    try {
      await holder.query('CREATE TEMPORARY TABLE mark (id int)');
      await holder.query('BEGIN');
      await holder.query('INSERT INTO mark VALUES (1)');
      await work();
    } finally {
      await holder.query('COMMIT');
      await holder.end();
    }
  }

  const waiting = async (database: TestDatabase): Promise<boolean> =>
    (
      await database.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      )
    ).length > 0;

  async function operationOf(sync: number) {
    const { operationId } = (await syncs.list()).find(({ number }) => number === sync)!;
    return installation.control.operations.get(operationId!);
  }

  async function states(): Promise<Record<string, string>> {
    const tables = await installation.control.tables.list(pair.id);
    return Object.fromEntries(tables.map(({ source: { schema, name }, state }) => [`${schema}.${name}`, state]));
  }
});
