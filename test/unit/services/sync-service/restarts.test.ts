import { expect, test } from 'vitest';
import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Healing } from '#schemas/healing.ts';
import { mayRestart, noteRestart, switchedOff } from '#services/sync-service/restarts.ts';

const noted: string[] = [];
const off: Healing = {
  isOn: (action) => action !== 'restart_stage',
  done: (action, { subject, code }) => void noted.push(`${action} ${subject} ${code ?? ''}`),
};
const error = (code: ErrorCode) => new TerraFusionError(code, 'why');

test('a failure is gone on after only while that is switched on; what belongs to the work goes on always, and is not counted', () => {
  for (const code of ['TARGET_UNREACHABLE', 'SOURCE_DISCONNECTED', 'BUS_UNREACHABLE', 'INTERNAL'] as const) {
    expect(mayRestart(off, error(code)), code).toBe(false);
    expect(mayRestart({ ...off, isOn: () => true }, error(code)), code).toBe(true);
  }
  for (const code of ['LEASE_LOST', 'TARGET_FENCED', 'SOURCE_TABLE_CHANGED', 'STAGE_STUCK'] as const) {
    expect(mayRestart(off, error(code)), code).toBe(true);
    noteRestart(off, 'pacs', error(code));
  }
  noteRestart(off, 'pacs', error('TARGET_BUSY'));
  expect(noted).toEqual(['restart_stage pacs TARGET_BUSY']);
});

test('what a stage halts with names the action, and what was met', () => {
  const refused = switchedOff('restart_stage', 'TARGET_UNREACHABLE: away');
  expect([refused.code, refused.heals]).toEqual(['HEALING_SWITCHED_OFF', false]);
  expect(refused.message).toBe('TARGET_UNREACHABLE: away; restart_stage is switched off');
});
