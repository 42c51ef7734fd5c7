import { expect, test } from 'vitest';
import { healingActions } from '#schemas/healing.ts';
import type { HealingActionView } from '#schemas/http/self-healing.ts';
import { actionText } from '#services/gateway/dashboard/pages/audit/words.ts';
import { actionName, sorted, switchState, whyText } from '#services/gateway/dashboard/pages/alerts/healing.ts';

const action = (name: HealingActionView['action'], more: Partial<HealingActionView> = {}): HealingActionView => ({
  ...{ action: name, what: 'It goes on.', when: 'It breaks.', enabled: true, can_switch_off: true, off: 'It waits.' },
  ...{ fixed: null, switched_at: null, switched_by: null, times: 0, since: null, last: null },
  ...more,
});

test('every action has a name as people write it', () => {
  expect(actionName({ action: 'restart_stage' })).toBe('Restart stage');
  for (const each of healingActions) expect(actionName({ action: each })).not.toContain('_');
});

test('what is off is to be seen, and what nobody can switch says so', () => {
  expect(switchState(action('restart_stage'))).toEqual({ label: 'on', tone: 'good' });
  expect(switchState(action('restart_stage', { enabled: false }))).toEqual({ label: 'off', tone: 'bad' });
  expect(switchState(action('keep_reading', { can_switch_off: false }))).toEqual({ label: 'always on', tone: 'calm' });
});

test('what is off comes first, then what is done most', () => {
  const actions = [
    action('keep_reading', { times: 3 }),
    action('restart_stage', { times: 9 }),
    action('follow_failover', { enabled: false }),
  ];
  expect(sorted(actions).map(({ action: name }) => name)).toEqual(['follow_failover', 'restart_stage', 'keep_reading']);
  // What came is left as it is: it is drawn again from the same.
  expect(actions[0]!.action).toBe('keep_reading');
});

test('the reason is told with its code, where there is one', () => {
  const last = { at: '2026-01-31T08:15:30.123Z', subject: 'a', code: null, message: 'It broke', by: 'writer' };
  expect(whyText(action('restart_stage'))).toBeUndefined();
  expect(whyText(action('restart_stage', { last }))).toBe('It broke');
  expect(whyText(action('restart_stage', { last: { ...last, code: 'TARGET_BUSY' } }))).toBe('TARGET_BUSY: It broke');
});

test('the trail says it in words', () => {
  expect(actionText('self_healing.switch')).toBe('Self-healing switched');
  expect(actionText('self_healing.done')).toBe('Self-healing at work');
});
