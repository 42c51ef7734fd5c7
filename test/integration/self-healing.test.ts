import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Installation, RunningService, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

let installation: Installation;
let service: RunningService;
let source: TestDatabase;
let target: TestDatabase;
let pair: TestPair;

beforeAll(async () => {
  installation = await freshInstallation({ environment: { STUCK_AFTER_SECONDS: '5' } });
  service = installation.start();
});

afterAll(() => service.stop());

beforeEach(async () => {
  [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(`CREATE TABLE owner (id int PRIMARY KEY, name text);
    INSERT INTO owner SELECT n, 'owner ' || n FROM generate_series(1, 20) n`);
  pair = await installation.addPair({ source, target });
  await pair.until('streaming');
});

afterEach(async () => {
  vi.restoreAllMocks();
  await installation.control.database.run('UPDATE terrafusion.healing_actions SET enabled = true');
  await installation.control.runs.setDesired(pair.id, 'paused');
});

const nameOf = async (): Promise<string> => (await installation.control.pairs.get(pair.id)).name;
const times = async (action: string): Promise<number> =>
  (await installation.control.healing.all()).get(action)?.times ?? 0;
/** What the trail holds of an action about this pair. */
const trail = async (action: string) => {
  const name = await nameOf();
  const { items } = await installation.control.audit.list(
    { entityKind: 'self_healing', entityId: action },
    { limit: 100 },
  );
  return items
    .map(({ after }) => after as { subject: string; code: string; message: string })
    .filter(({ subject }) => subject === name);
};

/** The next block is not told of: as if a wake-up were lost. Reading anew finds it. */
function loseWakeUp(): { readonly lost: () => boolean } {
  let lost = false;
  const read = Object.getOwnPropertyDescriptor(LmdbBus.prototype, 'read')!.value as LmdbBus['read'];
  vi.spyOn(LmdbBus.prototype, 'read').mockImplementation(async function* (this: LmdbBus, name, from, signal) {
    for await (const block of read.call(this, name, from, signal)) {
      if (!lost) {
        lost = true;
        if (!signal.aborted) await once(signal, 'abort');
        return;
      }
      yield block;
    }
  });
  return { lost: () => lost };
}

/** @returns whether there was a session to end */
async function endSession(): Promise<boolean> {
  const ended = await target.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1`,
    [`terrafusion writer ${pair.id}`],
  );
  return ended.length > 0;
}
const endWriter = () => eventually(endSession);

describe('a writer', () => {
  test('that is stuck is started again, with the same rows at the end; it is counted and audited', async () => {
    const lossy = loseWakeUp();
    // The stream that runs has its read already: it begins another one.
    await endWriter();
    await source.query(`INSERT INTO owner SELECT n, 'late ' || n FROM generate_series(21, 2000) n`);
    await eventually(() => lossy.lost());
    const before = await times('restart_stuck_stage');
    await pair.fence();
    await expectSameRows(source, target);
    expect(await times('restart_stuck_stage')).toBe(before + 1);
    expect(await trail('restart_stuck_stage')).toMatchObject([
      { code: 'STAGE_STUCK', message: expect.stringMatching(/^The writer of .* though \d+ blocks wait/) as string },
    ]);
  });

  test('that is stuck is left as it is when that is switched off, and says so', async () => {
    await installation.control.healing.turn('restart_stuck_stage', false, 'a test');
    const lossy = loseWakeUp();
    await endWriter();
    await source.query(`INSERT INTO owner VALUES (21, 'late')`);
    await eventually(() => lossy.lost());
    expect(await pair.untilError('STAGE_STUCK')).toContain('switched off');
    expect(await trail('restart_stuck_stage')).toEqual([]);
    // Switched on it is seen to, without anything being started again.
    await installation.control.healing.turn('restart_stuck_stage', true, 'a test');
    await pair.fence();
    await expectSameRows(source, target);
    expect(await trail('restart_stuck_stage')).toHaveLength(1);
  });

  test('that waits for a lock is not stuck: the target is at its work', async () => {
    const holder = await target.connect();
    await holder.query('BEGIN; LOCK TABLE owner');
    const since = performance.now();
    await source.query(`INSERT INTO owner VALUES (21, 'late')`);
    await eventually(() => performance.now() - since > 15_000);
    expect(await trail('restart_stuck_stage')).toEqual([]);
    await holder.query('ROLLBACK');
    await pair.fence();
    await expectSameRows(source, target);
    expect(await trail('restart_stuck_stage')).toEqual([]);
  });

  test('whose connection breaks is not started again when that is switched off; the pair says so, and is resumed', async () => {
    await endWriter();
    await source.query(`INSERT INTO owner VALUES (21, 'late')`);
    await pair.fence();
    await eventually(async () => (await trail('restart_stage')).length > 0);

    await installation.control.healing.turn('restart_stage', false, 'a test');
    // The switch is heard of without anything being started again; until then it connects again. What is broken is noticed with the next change.
    let id = 21;
    await eventually(
      async () => {
        await endSession();
        await source.query(`INSERT INTO owner VALUES (${(id += 1)}, 'later')`);
        return (await pair.state()).state === 'failed';
      },
      { every: 300 },
    );
    const { error } = await pair.state();
    expect(error).toMatch(/^HEALING_SWITCHED_OFF: TARGET_[A-Z]+: .*restart_stage is switched off$/);
    await installation.control.healing.turn('restart_stage', true, 'a test');
    await installation.control.runs.setDesired(pair.id, 'running');
    await pair.fence();
    await expectSameRows(source, target);
  });

  test('halts at a change that the target refuses when setting aside is switched off, and sets it aside once it may', async () => {
    await target.query(`ALTER TABLE owner ADD CHECK (name <> 'nobody')`);
    await installation.control.healing.turn('quarantine_refused_change', false, 'a test');
    await source.query(`INSERT INTO owner VALUES (21, 'nobody'), (22, 'somebody')`);
    await pair.until('failed');
    expect((await pair.state()).error).toMatch(/^HEALING_SWITCHED_OFF: .*public\.owner.*quarantine_refused_change/);
    expect(await pair.countDeadLetters()).toBe(0);
    expect(await trail('quarantine_refused_change')).toEqual([]);

    await installation.control.healing.turn('quarantine_refused_change', true, 'a test');
    await installation.control.runs.setDesired(pair.id, 'running');
    await pair.fence();
    expect(await pair.deadLetters()).toHaveLength(1);
    expect(await target.value(`SELECT name FROM owner WHERE id = 22`)).toBe('somebody');
    await eventually(async () => (await trail('quarantine_refused_change')).length > 0);
    expect(JSON.stringify(await trail('quarantine_refused_change'))).not.toContain('nobody');
  });
});
