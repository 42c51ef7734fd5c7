import { beforeEach, describe, expect, test } from 'vitest';
import { healingActions, healingRules } from '#schemas/healing.ts';
import type { HealingActionView, SelfHealingView } from '#schemas/http/self-healing.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
const control = () => gateway.control;

beforeEach(() => control().database.run('DELETE FROM terrafusion.healing_actions'));

const list = async (): Promise<readonly HealingActionView[]> =>
  (await gateway.ask<SelfHealingView>('/api/self-healing', { as: 'viewer' })).body.actions;
const of = async (action: string) => (await list()).find((each) => each.action === action);
const turn = <T = HealingActionView>(action: string, body: unknown) =>
  gateway.ask<T>(`/api/self-healing/${action}`, { method: 'PATCH', body });

describe('what is done by itself', () => {
  test('is listed whole, with what it does and when, also before any of it was done', async () => {
    const actions = await list();
    expect(actions.map(({ action }) => action)).toEqual(healingActions);
    for (const each of actions) {
      expect(each).toMatchObject({ ...{ enabled: true, times: 0, since: null, last: null, switched_at: null } });
      expect([each.what, each.when, each.off ?? each.fixed].every((text) => text !== null && text.length > 10)).toBe(
        true,
      );
      expect(each.can_switch_off).toBe(each.off !== null);
      expect(each.can_switch_off).toBe(each.fixed === null);
    }
    expect(await of('restart_stage')).toMatchObject({ ...healingRules.restart_stage, fixed: null });
  });

  test('is shown with how often, about what and why the last time, secrets masked', async () => {
    const note = (message: string) => ({ subject: 'pacs-to-cama', code: 'TARGET_UNREACHABLE', message });
    await control().healing.record('restart_stage', note('first'), { times: 2, by: 'sync-service' });
    await control().healing.record('restart_stage', note('postgresql://a:hunter2@b/c is away'), {
      ...{ times: 1, by: 'writer' },
    });
    expect(await of('restart_stage')).toMatchObject({
      times: 3,
      since: expect.stringMatching(/Z$/) as string,
      last: { subject: 'pacs-to-cama', code: 'TARGET_UNREACHABLE', by: 'writer' },
    });
    expect(JSON.stringify(await list())).not.toContain('hunter2');
    expect(await of('restart_stuck_stage')).toMatchObject({ times: 0, last: null });
  });
});

describe('a switch', () => {
  test('turns an action off and on, and says who did it; what was counted stays', async () => {
    const note = { subject: 'a', message: 'b' };
    await control().healing.record('restart_stage', note, { times: 5, by: 'sync-service' });
    expect((await turn('restart_stage', { enabled: false })).body).toMatchObject({
      ...{ action: 'restart_stage', enabled: false, times: 5 },
      switched_by: expect.stringContaining('the admin') as string,
    });
    expect(await control().healing.switchedOff()).toEqual(new Set(['restart_stage']));
    expect(await of('restart_stage')).toMatchObject({ enabled: false });
    await turn('restart_stage', { enabled: true });
    expect(await control().healing.switchedOff()).toEqual(new Set());
    const { items } = await control().audit.list({ entityKind: 'self_healing' }, { limit: 2 });
    expect(items).toMatchObject([
      {
        action: 'self_healing.switch',
        entityId: 'restart_stage',
        before: { enabled: false },
        after: { enabled: true },
      },
      { before: { enabled: true }, after: { enabled: false } },
    ]);
  });

  test('of what cannot be switched off is refused with the reason, and nothing is noted', async () => {
    const refused = await turn<Failure>('keep_reading', { enabled: false });
    expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICTING_STATE']);
    expect(refused.body.error.message).toContain(healingRules.keep_reading.fixed);
    expect(await control().healing.switchedOff()).toEqual(new Set());
  });

  test('is for administrators of all systems', async () => {
    const body = { enabled: false };
    for (const as of ['viewer', 'operator', 'editor'] as const)
      expect((await gateway.ask('/api/self-healing/restart_stage', { method: 'PATCH', as, body })).status).toBe(403);
    const system = await control().systems.create({
      ...{ name: 'one', connector: 'postgres', connection: { url: 'postgresql://a@b/c' }, secretFields: [] },
    });
    // What it was done about may be anybody's.
    const { key } = await control().apiKeys.create({ name: 'limited', role: 'editor', systems: [system.id] });
    expect((await gateway.ask('/api/self-healing', { as: { key: key.reveal() } })).status).toBe(403);
    expect(await control().healing.switchedOff()).toEqual(new Set());
  });

  test('of nothing that there is, or that says nothing, is refused', async () => {
    const unknown = await turn<Failure>('make_coffee', { enabled: false });
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'NOT_FOUND']);
    expect(unknown.body.error.message).toContain('restart_stage');
    expect((await turn('restart_stage', {})).status).toBe(400);
    expect((await turn('restart_stage', { enabled: 'no' })).status).toBe(400);
  });

  test('is told to who listens, what was done is not', async () => {
    let heard: string[] = [];
    await using listening = control().database.listen('terrafusion_changes', (payload) => {
      if (payload !== undefined) heard.push(payload);
    });
    await expect
      .poll(async () => {
        await turn('give_up_silent_connection', { enabled: false });
        return heard.length;
      })
      .toBeGreaterThan(0);
    expect(listening).toBeDefined();
    heard = [];
    await control().healing.record('restart_stage', { subject: 'a', message: 'b' }, { times: 1, by: 'x' });
    await control().healing.record('restart_stage', { subject: 'a', message: 'c' }, { times: 1, by: 'x' });
    await turn('end_left_behind_sessions', { enabled: false });
    await expect.poll(() => heard.join()).toContain('end_left_behind_sessions');
    expect(heard.join()).not.toContain('restart_stage');
  });
});
