import { beforeEach, describe, expect, test } from 'vitest';
import { noteAudit, tellBursts, type AuditEvent } from '#services/kernel/audit-bursts.ts';
import { withControlDatabase } from './control-database.ts';

const control = withControlDatabase();
const event: AuditEvent = {
  actor: 'sync-service',
  action: 'pair.interrupted',
  entityKind: 'sync_pair',
  entityId: 'p',
  outcome: 'failure',
};
const note = (more: Partial<AuditEvent> = {}) =>
  control.database.transaction((tx) => noteAudit(tx, { ...event, ...more }));
const entries = () =>
  control.database.query<{ action: string; after: Record<string, unknown> | null }>(
    'SELECT action, after FROM terrafusion.audit_entries ORDER BY id',
  );
/** The time of what is counted is up. */
const later = () =>
  control.database.run(`UPDATE terrafusion.audit_bursts SET ends_at = clock_timestamp() - interval '1 second'`);

beforeEach(async () => {
  await control.database.transaction(async (tx) => {
    await tx.run('ALTER TABLE terrafusion.audit_entries DISABLE TRIGGER USER');
    await tx.run('TRUNCATE terrafusion.audit_entries, terrafusion.audit_bursts');
    await tx.run('ALTER TABLE terrafusion.audit_entries ENABLE TRIGGER USER');
  });
});

describe('events that repeat themselves', () => {
  test('are one entry at once, and one with the count of the others once their time is up', async () => {
    for (let count = 1; count <= 100; count += 1) await note({ after: { count, password: 'hunter2' } });
    expect(await entries()).toMatchObject([{ after: { count: 1, password: '[secret]' } }]);
    expect(await tellBursts(control.database)).toBe(0);
    await later();
    expect(await tellBursts(control.database)).toBe(1);
    const [, summary] = await entries();
    expect(summary).toMatchObject({
      action: 'pair.interrupted',
      after: {
        count: 100,
        repeated: 99,
        first_at: expect.any(String) as string,
        last_at: expect.any(String) as string,
      },
    });
    expect(JSON.stringify(await control.database.query('SELECT * FROM terrafusion.audit_bursts'))).not.toContain(
      'hunter2',
    );
  });

  test('are told less and less often as long as they go on, and afresh after a quiet time', async () => {
    const window = async () =>
      (await control.database.one<{ window_s: number }>('SELECT window_s FROM terrafusion.audit_bursts'))?.window_s;
    await note();
    const windows = [await window()];
    for (let round = 0; round < 8; round += 1) {
      await note();
      await later();
      await tellBursts(control.database);
      windows.push(await window());
    }
    expect(windows).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    await later();
    expect(await tellBursts(control.database)).toBe(0);
    expect(await window()).toBeUndefined();
    await note();
    expect((await entries()).length).toBe(10);
  });

  test('are told by the next one when nobody else has', async () => {
    await note({ after: { nth: 1 } });
    await note({ after: { nth: 2 } });
    await later();
    await note({ after: { nth: 3 } });
    expect(await entries()).toMatchObject([
      { after: { nth: 1 } },
      { after: { nth: 2, repeated: 1 } },
      { after: { nth: 3 } },
    ]);
  });

  test('are counted for themselves: another action, entity or code is another event', async () => {
    await note();
    await note({ action: 'pair.recovered' });
    await note({ entityId: 'q' });
    await note({ distinct: 'TARGET_BUSY' });
    expect(await entries()).toHaveLength(4);
  });

  test('are counted each once, however many come at once', async () => {
    await Promise.all(Array.from({ length: 30 }, () => note()));
    await later();
    await Promise.all([tellBursts(control.database), tellBursts(control.database)]);
    expect((await entries()).map(({ after }) => after?.['repeated'])).toEqual([undefined, 29]);
  });

  test('of a transaction that is rolled back were none', async () => {
    await expect(
      control.database.transaction(async (tx) => {
        await noteAudit(tx, event);
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await entries()).toEqual([]);
    await note();
    expect(await entries()).toHaveLength(1);
  });
});
