import { expect, test } from 'vitest';
import type { Installation, TestPair } from '#test/support/installation.ts';
import type { TestDatabase } from '#test/support/postgres.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { startPrimaryAndStandby, type PrimaryAndStandby } from '#test/support/standby.ts';
import { databaseAt } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';

/*
 * CHECKLIST 12: the source's primary dies and a physical standby takes its place. What is compared: rows at source and target, as
 * text; what must never be: a gap, or rows at the target that the source has never had.
 */

const settings = { fsync: 'off', wal_sender_timeout: '5s' };

interface Scene {
  readonly servers: PrimaryAndStandby;
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly installation: Installation;
  readonly pair: TestPair;
  readonly slot: string;
  /** The source's database at the new primary, to which the system leads from now on. */
  readonly moveSystem: () => Promise<TestDatabase>;
}

async function play(scene: (scene: Scene) => Promise<void>): Promise<void> {
  let made: TestDatabase | undefined;
  await using servers = await startPrimaryAndStandby(settings, async (primary) => {
    made = await primary.createDatabase('source');
    await made.query(`CREATE TABLE parcel (id int PRIMARY KEY, notes text); INSERT INTO parcel VALUES (1, 'loaded')`);
  });
  // The primary was down for the copy.
  await using source = databaseAt(servers.primary.url(made!.name));
  const target = await freshDatabase('target');
  const installation = await freshInstallation();
  const service = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  await source.query(`INSERT INTO parcel VALUES (2, 'streamed')`);
  await pair.fence();
  const slot = await source.value(`SELECT slot_name FROM pg_replication_slots WHERE slot_type = 'logical'`);
  const moved: TestDatabase[] = [];
  try {
    await scene({
      servers,
      source,
      target,
      installation,
      pair,
      slot,
      moveSystem: async () => {
        const url = servers.standby.url(made!.name);
        const { sourceId } = await installation.control.pairs.get(pair.id);
        await installation.control.systems.change(sourceId, { connection: { settings: { url }, secretFields: [] } });
        const there = databaseAt(url);
        moved.push(there);
        return there;
      },
    });
  } finally {
    await service.stop();
    for (const each of moved) await each[Symbol.asyncDispose]();
  }
}

const rowsOf = (database: TestDatabase) => database.query('SELECT id, notes FROM parcel ORDER BY id');
/** Like `TestPair.fence`, at another server than the one that the pair was made with. */
async function untilEqual(source: TestDatabase, target: TestDatabase): Promise<void> {
  const wanted = JSON.stringify(await rowsOf(source));
  await eventually(async () => JSON.stringify(await rowsOf(target)) === wanted, {
    within: 90_000,
    what: 'the target to be equal',
  });
}

test('a slot that has come along is read on, on the new timeline; nothing is missing, and nothing is loaded anew', async () => {
  await play(async ({ servers, source, target, installation, pair, slot, moveSystem }) => {
    await servers.untilSynced(slot, source);
    await source.query(`INSERT INTO parcel SELECT n, 'before' FROM generate_series(10, 100) n`);
    await pair.fence();
    await servers.untilReplayed();
    await servers.failOver();
    const there = await moveSystem();
    await there.query(`UPDATE parcel SET notes = 'after' WHERE id > 90; INSERT INTO parcel VALUES (3, 'after')`);
    await untilEqual(there, target);
    const { sourceId, load } = await installation.control.pairs.get(pair.id);
    expect(load.number).toBe(1);
    expect(await installation.control.generations.latest(sourceId)).toMatchObject({
      generation: 1,
      stream: { slot, timeline: 2 },
    });
    // Again, from a position that was read on the new timeline.
    await there.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [slot]);
    await there.query(`INSERT INTO parcel VALUES (4, 'later')`);
    await untilEqual(there, target);
    expect((await pair.state()).state).not.toBe('failed');
    const { items } = await installation.control.audit.list(
      { action: 'source.failed_over' },
      { limit: 10, cursor: undefined },
    );
    expect(items).toHaveLength(1);
  });
});

test('Promise 2: a new primary that never had what we hold is not continued', async () => {
  await play(async ({ servers, source, target, pair, slot, installation, moveSystem }) => {
    await servers.untilSynced(slot, source);
    await servers.untilReplayed();
    await servers.cutOff();
    await source.query(`INSERT INTO parcel VALUES (5, 'only at the old primary')`);
    await pair.fence();
    await servers.failOver();
    // The new primary goes beyond where the old one had been, so that by its location alone it looks like the same.
    await servers.askStandby(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000))`);
    const there = await moveSystem();
    await there.query(`INSERT INTO parcel VALUES (6, 'only at the new primary')`);
    expect(await pair.untilError('SOURCE_HISTORY_LOST')).toMatch(
      /timeline 2, which left timeline 1 at .*never at the new primary/,
    );
    expect((await pair.state()).state).toBe('failed');
    expect(await target.query('SELECT id FROM parcel WHERE id > 2')).toEqual([{ id: 5 }]);
    await installation.control.runs.requestResync(pair.id);
    await untilEqual(there, target);
    expect(await target.query('SELECT id FROM parcel WHERE id > 2')).toEqual([{ id: 6 }]);
    // Loaded is not yet in step: what comes after must arrive too.
    await there.query(`INSERT INTO parcel VALUES (8, 'streamed from the new primary')`);
    await untilEqual(there, target);
  });
});

test('without the slot it is said that the failover has cost it; a standby that waits for its promotion is waited for', async () => {
  await play(async ({ servers, target, pair, installation, moveSystem }) => {
    await servers.untilReplayed();
    // Too early: the system leads to the standby while that follows still.
    const there = await moveSystem();
    await servers.primary.kill9();
    const { sourceId } = await installation.control.pairs.get(pair.id);
    await eventually(
      async () => (await installation.control.sourceStatuses.of(sourceId))?.error?.code === 'SOURCE_IS_STANDBY',
      {
        within: 60_000,
        what: 'the reader to wait',
      },
    );
    expect((await pair.state()).state).not.toBe('failed');
    await servers.failOver();
    expect(await pair.untilError('SOURCE_SLOT_MISSING')).toContain('timeline 2, the stream was read on 1');
    await there.query(`INSERT INTO parcel VALUES (7, 'after')`);
    await installation.control.runs.requestResync(pair.id);
    await untilEqual(there, target);
  });
});
