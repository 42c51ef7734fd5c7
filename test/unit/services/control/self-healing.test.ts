import { beforeEach, describe, expect, test, vi } from 'vitest';
import type { HealingAction } from '#schemas/healing.ts';
import { silentLog } from '#services/kernel/log.ts';
import { SelfHealing } from '#services/control/self-healing.ts';
import { withControl } from './fixture.ts';

const fixture = withControl();
let counted: HealingAction[];

beforeEach(async () => {
  counted = [];
  await fixture.control.database.run('DELETE FROM terrafusion.healing_actions');
});

const made = (control: Pick<typeof fixture.control, 'healing' | 'transaction'> = fixture.control) =>
  new SelfHealing({ control, by: 'sync-service', count: (action) => void counted.push(action), log: silentLog });
const trail = async (entityId: string) =>
  (await fixture.control.audit.list({ entityKind: 'self_healing', entityId }, { limit: 100 })).items;
const away = () => Promise.reject(new Error('away'));

describe('the switches, as a process knows them', () => {
  test('are on until something is switched off, and hold as of the last look', async () => {
    const healing = made();
    expect(healing.isOn('restart_stage')).toBe(true);
    await fixture.control.healing.turn('restart_stage', false, 'admin');
    expect(healing.isOn('restart_stage')).toBe(true);
    await healing.look();
    expect(healing.isOn('restart_stage')).toBe(false);
    expect(healing.isOn('restart_stuck_stage')).toBe(true);
    await fixture.control.healing.turn('restart_stage', true, 'admin');
    await healing.look();
    expect(healing.isOn('restart_stage')).toBe(true);
  });

  test('stay as they were while the control database is away', async () => {
    await fixture.control.healing.turn('restart_stage', false, 'admin');
    const healing = made();
    await healing.look();
    const broken = vi.spyOn(fixture.control.healing, 'switchedOff').mockImplementation(away);
    await expect(healing.look()).rejects.toThrow('away');
    broken.mockRestore();
    expect(healing.isOn('restart_stage')).toBe(false);
  });

  test('of what cannot be switched off is none, whatever stands in the table', async () => {
    await fixture.control.healing.turn('keep_reading', false, 'somebody in the database');
    const healing = made();
    await healing.look();
    expect(healing.isOn('keep_reading')).toBe(true);
  });
});

describe('what was done', () => {
  test('is counted at once, and noted with subject, code and reason; the trail shows no secret', async () => {
    const healing = made();
    const message = 'postgresql://sync:hunter2@db/x does not answer';
    healing.done('restart_stage', { subject: 'pacs-to-cama', code: 'TARGET_UNREACHABLE', message });
    expect(counted).toEqual(['restart_stage']);
    await healing.flush();
    const entries = await trail('restart_stage');
    expect(entries).toMatchObject([
      {
        ...{ action: 'self_healing.done', actor: 'sync-service', outcome: 'success' },
        after: { subject: 'pacs-to-cama', code: 'TARGET_UNREACHABLE', times: 1 },
      },
    ]);
    const record = (await fixture.control.healing.all()).get('restart_stage');
    expect(record).toMatchObject({ times: 1, enabled: true, last: { subject: 'pacs-to-cama', by: 'sync-service' } });
    expect(JSON.stringify([entries, record])).not.toContain('hunter2');
  });

  test('waits for the control database, each once with how often, and nothing is counted twice', async () => {
    let isAway = true;
    const { healing: repository } = fixture.control;
    const healing = made({
      healing: repository,
      transaction: (work) => (isAway ? away() : fixture.control.transaction(work)),
    });
    const note = { subject: 'cama', code: 'TARGET_UNREACHABLE', message: 'away' };
    for (let nth = 0; nth < 50; nth += 1) healing.done('keep_reading', { ...note, message: `try ${nth}` });
    healing.done('keep_reading', { ...note, subject: 'gis' });
    await expect(healing.flush()).rejects.toThrow('away');
    isAway = false;
    await healing.flush();
    await healing.flush();
    expect(counted).toHaveLength(51);
    expect((await fixture.control.healing.all()).get('keep_reading')).toMatchObject({ times: 51 });
    expect(await trail('keep_reading')).toMatchObject([
      { after: { subject: 'gis', times: 1 } },
      { after: { subject: 'cama', times: 50, message: 'try 49' } },
    ]);
  });

  test('takes no more memory than its bound, however long the control database is away', async () => {
    const { healing: repository } = fixture.control;
    let stored = 0;
    let isAway = true;
    const healing = made({
      healing: repository,
      transaction: (work) => {
        if (isAway) return away();
        stored += 1;
        return fixture.control.transaction(work);
      },
    });
    for (let nth = 0; nth < 1000; nth += 1) healing.done('take_over_work', { subject: `work ${nth}`, message: 'gone' });
    expect(counted).toHaveLength(1000);
    await healing.flush().catch(() => undefined);
    isAway = false;
    await healing.flush();
    expect(stored).toBe(200);
  });
});
