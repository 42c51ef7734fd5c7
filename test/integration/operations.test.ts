import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import {
  resumeOperation,
  startFull,
  startIncremental,
  stopOperation,
  type OperationWish,
} from '#services/control/pair-commands.ts';
import type { OperationState } from '#schemas/http/operations.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';
import { CRASH_POINT_VARIABLE, crashPoints } from '#services/kernel/crash-points.ts';
import { parseLsn } from '#schemas/lsn.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { openInstallation, type Installation, type TestPair } from '#test/support/installation.ts';
import { freshDatabase } from '#test/support/servers.ts';

let installation: Installation;
let source: TestDatabase;
let target: TestDatabase;
let pair: TestPair;
const wish: OperationWish = { by: 'test', pauseAfter: true };

beforeAll(async () => {
  installation = await openInstallation({ server: inject('targetServer') });
});
afterAll(() => installation.close());

beforeEach(async () => {
  [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(
    `CREATE TABLE parcel (id int PRIMARY KEY, pin text); CREATE TABLE owner (id int PRIMARY KEY, name text);
     INSERT INTO parcel SELECT n, 'pin ' || n FROM generate_series(1, 100) n; INSERT INTO owner VALUES (1, 'Ann')`,
  );
  pair = await installation.addPair({ source, target, desired: 'paused' });
});

const operationNow = (id: string) => installation.control.operations.get(id);
const until = (operation: OperationRecord, state: OperationState) =>
  eventually(
    async () => {
      const now = await operationNow(operation.id);
      return now.state === state && now;
    },
    { within: 60_000, what: `the operation to be ${state}` },
  );
const full = (more: Partial<OperationWish> = {}) =>
  installation.control.transaction(async (transaction) =>
    startFull(transaction, await transaction.pairs.lock(pair.id), { ...wish, ...more }),
  );
async function incremental(): Promise<OperationRecord> {
  const lsn = await source.value(`SELECT pg_logical_emit_message(true, 'terrafusion.fence', '')::text`);
  return installation.control.transaction(async (transaction) =>
    startIncremental(transaction, await transaction.pairs.lock(pair.id), parseLsn(lsn), wish),
  );
}
const rows = (database: TestDatabase) =>
  database.query('SELECT id::text, pin AS text FROM parcel UNION ALL SELECT id::text, name FROM owner ORDER BY 1, 2');
async function expectSame(): Promise<void> {
  expect(await rows(target)).toEqual(await rows(source));
}

async function loadOnce(): Promise<void> {
  const made = await until(await full(), 'completed');
  expect(made.counts).toMatchObject({ rows_copied: 101, dead_letters: 0 });
  await pair.until('paused');
  await expectSame();
}

/** 10 inserts, 3 updates, 2 deletes. */
async function work(): Promise<void> {
  await source.query("INSERT INTO parcel SELECT n, 'new' FROM generate_series(1001, 1010) n");
  await source.query("UPDATE parcel SET pin = 'changed' WHERE id IN (1, 2, 3)");
  await source.query('DELETE FROM parcel WHERE id IN (4, 5)');
}

describe('operations', () => {
  test('full, then incremental every night: each is completed with what it did, and the pair rests in between', async () => {
    const service = installation.start();
    await loadOnce();
    await work();
    for (const counts of [
      { inserted: 10, updated: 3, deleted: 2, rows_copied: 0, dead_letters: 0 },
      { inserted: 0, updated: 0, deleted: 0, rows_copied: 0, dead_letters: 0 },
    ]) {
      const done = await until(await incremental(), 'completed');
      expect(done.counts).toEqual(counts);
      await pair.until('paused');
      await expectSame();
    }
    // What comes after the call is another night's work.
    await source.query("INSERT INTO owner VALUES (2, 'Bob')");
    expect(await target.value('SELECT count(*)::int FROM owner')).toBe(1);
    await service.stop();
  });

  test('killed in the middle, they go on and end once', async () => {
    {
      const service = installation.start();
      await loadOnce();
      await service.stop();
    }
    await work();
    const made = await incremental();
    {
      // Committed at the target, and nobody was told.
      await using killed = installation.startProcess({
        [CRASH_POINT_VARIABLE]: crashPoints.WRITER_COMMITTED_NOT_NOTED,
      });
      expect((await killed.exited).signal).toBe('SIGKILL');
    }
    expect(await operationNow(made.id)).toMatchObject({ state: 'running' });
    await using service = installation.startProcess();
    const done = await until(made, 'completed');
    await pair.until('paused');
    await expectSame();
    // What was applied in the second before the kill is in nobody's count; nothing is counted twice.
    expect(done.counts.inserted + done.counts.updated + done.counts.deleted).toBeLessThanOrEqual(15);
    expect((await service.stop()).code).toBe(0);
    expect((await operationNow(made.id)).finishedAt).toEqual(done.finishedAt);
  });

  test('a load is stopped, and resumed', async () => {
    const service = installation.start();
    // The target's tables are there, and somebody holds one of them: the load waits in the middle of its work.
    await target.query(
      'CREATE TABLE parcel (id int PRIMARY KEY, pin text); CREATE TABLE owner (id int PRIMARY KEY, name text)',
    );
    const holder = await target.connect();
    await holder.query('BEGIN; LOCK TABLE parcel, owner IN SHARE MODE');
    const made = await full();
    await pair.until('loading');
    await until(made, 'running');
    await installation.control.transaction(async (transaction) => {
      await transaction.pairs.lock(pair.id);
      await stopOperation(transaction, await transaction.operations.get(made.id));
    });
    const stopped = await until(made, 'stopped');
    expect(stopped).toMatchObject({ error: undefined, finishedAt: undefined });
    await pair.until('paused');
    await holder.query('ROLLBACK');
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(0);

    await work();
    await installation.control.transaction(async (transaction) => {
      const held = await transaction.pairs.lock(pair.id);
      await resumeOperation(transaction, await transaction.operations.get(made.id), held);
    });
    const done = await until(made, 'completed');
    expect(done.counts.rows_copied).toBe(109);
    await pair.until('paused');
    await expectSame();
    expect((await installation.control.operations.list({ pairId: pair.id }, { limit: 9 })).items).toHaveLength(1);
    await holder.end();
    await service.stop();
  });
});
