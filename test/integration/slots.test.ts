import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PairRecord } from '#services/control/pair-records.ts';
import { eventually } from '#test/support/eventually.ts';
import { openInstallation, type Installation, type TestPair } from '#test/support/installation.ts';
import { startPostgres, type TestDatabase, type TestPostgres } from '#test/support/postgres.ts';

/*
 * Slots over a life (Promise 7, CHECKLIST 5, 10). On a server of its own: WAL is of a whole cluster, and so are the transactions for
 * which a slot waits.
 */

const MIB = 2 ** 20;
const BUDGET = 64 * MIB;

let server: TestPostgres;
let filler: TestDatabase;
beforeAll(async () => {
  server = await startPostgres({ settings: { fsync: 'off', synchronous_commit: 'off' } });
  filler = await server.createDatabase('filler');
});
afterAll(() => server.stop());

/** WAL of another database: it holds nothing for anybody, and is kept all the same. */
async function fillWal(mib: number): Promise<void> {
  for (let written = 0; written < mib; written += 16)
    await filler.query(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', ${16 * MIB}))`);
}

async function ends(): Promise<{ source: TestDatabase; target: TestDatabase }> {
  const [source, target] = [await server.createDatabase('source'), await server.createDatabase('target')];
  await source.query(`CREATE TABLE parcel (id bigint PRIMARY KEY, notes text); INSERT INTO parcel VALUES (1, 'first')`);
  return { source, target };
}

const recordOf = ({ control }: Installation, { id }: TestPair): Promise<PairRecord> => control.pairs.get(id);
async function readingOf(installation: Installation, pair: TestPair) {
  return (await installation.control.sourceSlots.of((await recordOf(installation, pair)).sourceId))?.reading;
}
async function resync({ control }: Installation, { id }: TestPair): Promise<void> {
  await control.runs.requestResync(id);
}
const slotsOf = (database: TestDatabase): Promise<string[]> =>
  database
    .query<{ slot_name: string }>(
      'SELECT slot_name FROM pg_replication_slots WHERE database = current_database() ORDER BY 1',
    )
    .then((rows) => rows.map(({ slot_name }) => slot_name));

test('near its budget a slot is an alarm with its cause; at the budget it is given up where that was asked for', async () => {
  const { source, target } = await ends();
  await using installation = await openInstallation({ server: server.url() });
  const { control } = installation;
  await using service = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  const { sourceId } = await recordOf(installation, pair);
  await control.systems.change(sourceId, { walBudgetBytes: BUDGET });
  const healthy = await eventually(
    async () => {
      const reading = await readingOf(installation, pair);
      return reading?.budget_bytes === BUDGET && reading;
    },
    { within: 60_000, what: 'the slot to be looked at' },
  );
  expect(healthy).toMatchObject({ state: 'reserved', level: 'ok', problem: null, failover: true, active: true });

  const open = await source.connect();
  await open.query(`BEGIN; INSERT INTO parcel VALUES (2, 'not yet')`);
  await fillWal(48);
  const near = await eventually(
    async () => {
      const reading = await readingOf(installation, pair);
      // At first the reader seems to be behind: its slot moves with the next heartbeat.
      return reading?.level === 'near' && reading.problem?.message.includes('still open at the source') && reading;
    },
    { within: 60_000, what: 'the alarm' },
  );
  expect(near.retained_bytes).toBeGreaterThan(0.6 * BUDGET);
  expect(near.problem?.code).toBe('SOURCE_WAL_NEAR_BUDGET');
  expect((await control.pairs.get(pair.id)).slotProblem).toEqual(near.problem);
  expect(await control.sourceSlots.alarms()).toMatchObject([{ level: 'near' }]);
  expect((await pair.state()).state).toBe('streaming');

  // Alarm only, unless told: the pair goes on beyond the budget.
  await fillWal(32);
  await eventually(async () => (await readingOf(installation, pair))?.level === 'over', { within: 60_000 });
  expect((await pair.state()).state).toBe('streaming');
  await control.systems.change(sourceId, { onWalBudget: 'drop_slot' });
  expect(await pair.untilError('SOURCE_SLOT_GIVEN_UP')).toContain('of its budget');
  expect((await pair.state()).state).toBe('failed');
  await eventually(async () => (await slotsOf(source)).length === 0, { within: 60_000, what: 'the slot to go' });
  await open.query('COMMIT');
  await open.end();

  await control.systems.change(sourceId, { onWalBudget: 'alarm', walBudgetBytes: null });
  await resync(installation, pair);
  await pair.until('streaming');
  await source.query(`INSERT INTO parcel VALUES (3, 'after')`);
  await pair.fence();
  expect(await target.query('SELECT id::int FROM parcel ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  expect(await slotsOf(source)).toEqual([expect.stringMatching(/_2$/)]);
  await eventually(async () => (await readingOf(installation, pair))?.generation === 2, { within: 60_000 });
  const { items } = await control.audit.list({ action: 'slot.given_up' }, { limit: 10, cursor: undefined });
  expect(items).toMatchObject([{ entityKind: 'system', entityId: sourceId }]);
  await service.stop();
});

test('a slot that goes while a load runs fails the load at once; it is not redone blindly', async () => {
  const { source, target } = await ends();
  await target.query('CREATE TABLE parcel (id bigint PRIMARY KEY, notes text)');
  await using installation = await openInstallation({ server: server.url() });
  const service = installation.start();
  const blocker = await target.connect();
  await blocker.query('BEGIN; LOCK TABLE parcel IN SHARE ROW EXCLUSIVE MODE');
  const pair = await installation.addPair({ source, target });
  await pair.untilBegun();
  const [slot] = await slotsOf(source);
  await eventually(
    async () => {
      await source.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1', [
        slot,
      ]);
      return source
        .query('SELECT pg_drop_replication_slot($1)', [slot])
        .then(() => true)
        .catch(() => false);
    },
    { within: 60_000, what: 'the slot to be dropped by somebody' },
  );
  await pair.untilError('SOURCE_SLOT_MISSING');
  expect((await pair.state()).state).toBe('failed');
  await blocker.query('ROLLBACK');
  await blocker.end();
  expect(await target.query('SELECT * FROM parcel')).toEqual([]);

  // Resumed, it says the same again; nothing is made anew behind the operator's back.
  await installation.control.runs.setDesired(pair.id, 'running');
  await pair.untilError('SOURCE_SLOT_MISSING');
  expect(await slotsOf(source)).toEqual([]);
  await resync(installation, pair);
  await pair.until('streaming');
  await pair.fence();
  expect(await target.query('SELECT notes FROM parcel')).toEqual([{ notes: 'first' }]);
  await service.stop();
});

test('a full bus leads to the alarm, and is named in it', async () => {
  const { source, target } = await ends();
  await using installation = await openInstallation({
    server: server.url(),
    environment: { BUS_MAX_BYTES: String(64 * MIB), SOURCE_WAL_BUDGET_BYTES: String(BUDGET) },
  });
  const { control } = installation;
  const service = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  await control.runs.setDesired(pair.id, 'paused');
  await pair.until('paused');
  // Little WAL, since it is compressed there; a lot for the topic.
  await source.query(`INSERT INTO parcel SELECT 10 + n, repeat('x', 400000) FROM generate_series(1, 200) n`);
  await eventually(async () => (await control.sourceStatuses.waiting())[0]?.code === 'BUS_FULL', {
    within: 90_000,
    what: 'the bus to be full',
  });
  await fillWal(48);
  const reading = await eventually(
    async () => {
      const now = await readingOf(installation, pair);
      return now?.level === 'near' && now;
    },
    { within: 60_000, what: 'the alarm' },
  );
  expect(reading.problem?.message).toContain('BUS_FULL');
  await service.stop();
});

test('Promise 9: after a restart the state from before is not told as that of now', async () => {
  const { source, target } = await ends();
  await using installation = await openInstallation({ server: server.url() });
  const first = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  expect(await installation.control.pairs.get(pair.id)).toMatchObject({ state: 'streaming', isWorkedOn: true });
  await first.stop();
  expect(await installation.control.pairs.get(pair.id)).toMatchObject({ state: 'streaming', isWorkedOn: false });

  // The next process cannot see yet what the target holds: it says so, and not that it streams.
  const locker = await target.connect();
  await locker.query('BEGIN; LOCK TABLE _terrafusion.applied_positions');
  const second = installation.start();
  await eventually(async () => (await installation.control.pairs.get(pair.id)).state === 'catching_up', {
    within: 60_000,
    what: 'the state of now',
  });
  await locker.query('ROLLBACK');
  await locker.end();
  await pair.until('streaming');
  await second.stop();
});

test('CHECKLIST 5: a slot that cannot be made names the transaction in its way, and is made once that has ended', async () => {
  const { source, target } = await ends();
  const open = await source.connect();
  await open.query(`SET application_name = 'month end'; BEGIN`);
  const { rows } = await open.query<{ pid: number; xid: string }>(
    'SELECT pg_backend_pid() AS pid, pg_current_xact_id()::xid::text AS xid',
  );
  await using installation = await openInstallation({ server: server.url() });
  const service = installation.start();
  const pair = await installation.addPair({ source, target, sourceSettings: { slot_wait_s: 1 } });
  const error = await pair.untilError('SOURCE_SLOT_BLOCKED');
  expect(error).toMatch(
    new RegExp(
      `process ${rows[0]!.pid} \\(user postgres, application month end, idle in transaction since 20.*, xid ${rows[0]!.xid}\\)`,
    ),
  );
  expect((await pair.state()).state).toBe('loading');
  expect(await slotsOf(source)).toEqual([]);
  await open.query('COMMIT');
  await open.end();
  await pair.until('streaming');
  await service.stop();
});
