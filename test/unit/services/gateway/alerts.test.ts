import { describe, expect, test } from 'vitest';
import { alertCodes, defaultThresholds, keyOf, type Condition } from '#schemas/alerts.ts';
import { alertRecordView, alertRulesView } from '#schemas/http/alerts.ts';
import { transitions } from '#services/gateway/alerts/transitions.ts';
import type { Channel } from '#services/gateway/alerts/channels.ts';
import { makePair } from '../control/fixture.ts';
import { askApp, withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
interface Alert {
  readonly id: string;
  readonly state: string;
  readonly code: string;
  readonly acknowledged_by: string | null;
  readonly silenced_until: string | null;
}
interface Page {
  readonly items: Alert[];
  readonly next_cursor: string | null;
}
const condition = (pair: string, more: Partial<Condition> = {}): Condition => ({
  code: 'pair_failed', pair, subject: null, severity: 'critical', message: 'no slot', value: null, ...more,
}); // prettier-ignore

/** As the keeper would: what is not among the conditions is over. */
async function look(conditions: readonly Condition[], at = new Date()): Promise<void> {
  const { alerts } = gateway.control;
  const timing = { now: at, repeatMs: 3600_000, calmMs: 0 };
  await alerts.apply(transitions(await alerts.open(), conditions, new Set(alertCodes), timing), at);
}
const open = async (): Promise<Alert[]> => (await gateway.ask<Page>('/api/alerts?state=open')).body.items;

describe('alerts over REST', () => {
  test('are listed with what was, filtered and in pages', async () => {
    await look([condition('a'), condition('b', { code: 'replication_lag', severity: 'warning', value: 90 })]);
    await look([condition('b', { code: 'replication_lag', severity: 'warning', value: 95 }), condition('c')]);
    const { items } = (await gateway.ask<Page>('/api/alerts', { as: 'viewer' })).body;
    for (const item of items) expect(alertRecordView.safeParse(item).error).toBeUndefined();
    expect(items.map(({ code, state }) => [code, state])).toEqual([
      ['pair_failed', 'firing'],
      ['replication_lag', 'pending'],
      ['pair_failed', 'resolved'],
    ]);
    const codes = async (query: string) => (await gateway.ask<Page>(`/api/alerts?${query}`)).body.items.length;
    expect(await codes('state=open')).toBe(2);
    expect(await codes('state=resolved')).toBe(1);
    expect(await codes('code=pair_failed')).toBe(2);
    expect(await codes('pair=b&severity=warning')).toBe(1);
    const first = (await gateway.ask<Page>('/api/alerts?limit=2')).body;
    const rest = (await gateway.ask<Page>(`/api/alerts?limit=2&cursor=${first.next_cursor!}`)).body;
    expect([first.items.length, rest.items.length, rest.next_cursor]).toEqual([2, 1, null]);
    expect((await gateway.ask<Alert>(`/api/alerts/${items[1]!.id}`)).body).toMatchObject({ value: 95, threshold: 60 });
  });

  test('are acknowledged and silenced, which is in the trail and in the status', async () => {
    const pair = await makePair(gateway.control, 'seen-to');
    await gateway.control.runs.setDesired(pair.id, 'running');
    await gateway.control.runs.recordState(pair.id, 'failed');
    await look([condition('seen-to')]);
    const [alert] = await open();
    const seen = await gateway.ask<Alert>(`/api/alerts/${alert!.id}/acknowledge`, {
      method: 'POST',
      as: 'operator',
      body: { comment: 'on it' },
    });
    expect(seen.body).toMatchObject({ comment: 'on it' });
    expect(seen.body.acknowledged_by).toContain('the operator');
    const until = new Date(Date.now() + 3600_000).toISOString();
    const silent = await gateway.ask<Alert>(`/api/alerts/${alert!.id}/silence`, { method: 'POST', body: { until } });
    expect(silent.body).toMatchObject({ silenced_until: until, comment: 'on it' });
    const { alerts } = (await gateway.ask<{ alerts: (Alert & { pair: string })[] }>('/api/status')).body;
    expect(alerts.find((each) => each.pair === 'seen-to')).toMatchObject({
      id: alert!.id,
      state: 'firing',
      silenced_until: until,
      runbook: '/runbooks/pair-failed',
    });
    const loud = await gateway.ask<Alert>(`/api/alerts/${alert!.id}/silence`, {
      method: 'POST',
      body: { until: null },
    });
    expect(loud.body).toMatchObject({ silenced_until: null, silenced_by: null });
    const trail = (await gateway.ask<{ items: { action: string; entity_id: string }[] }>('/api/audit?limit=3')).body;
    expect(trail.items.map(({ action }) => action)).toEqual(['alert.silence', 'alert.silence', 'alert.acknowledge']);
    expect(trail.items[0]!.entity_id).toBe(alert!.id);
  });

  test('what is over, unknown or wrong is refused', async () => {
    await look([condition('over')]);
    const [alert] = await open();
    await look([]);
    const post = async (path: string, body: unknown) => {
      const reply = await gateway.ask<Failure>(`/api/alerts/${path}`, { method: 'POST', body });
      return [reply.status, reply.body.error.code];
    };
    expect(await post(`${alert!.id}/acknowledge`, {})).toEqual([409, 'CONFLICTING_STATE']);
    expect(await post('none/acknowledge', {})).toEqual([404, 'NOT_FOUND']);
    expect(await post(`${alert!.id}/silence`, { until: '2020-01-01T00:00:00Z' })).toEqual([400, 'REQUEST_INVALID']);
    const late = new Date(Date.now() + 40 * 86_400_000).toISOString();
    expect(await post(`${alert!.id}/silence`, { until: late })).toEqual([400, 'REQUEST_INVALID']);
    expect(await post(`${alert!.id}/silence`, {})).toEqual([400, 'REQUEST_INVALID']);
  });

  test("a key that is limited to some systems sees those of its pairs and sources, and what is everybody's", async () => {
    const [mine] = [await makePair(gateway.control, 'mine'), await makePair(gateway.control, 'theirs')];
    const slot = { code: 'slot_wal_budget', pair: null, severity: 'warning' } as const;
    await look([
      condition('mine'),
      condition('theirs'),
      condition('', { ...slot, subject: 'mine-source' }),
      condition('', { ...slot, subject: 'theirs-source' }),
      condition('', { code: 'disk', pair: null }),
    ]);
    const { alerts } = gateway.control.within([mine.sourceId, mine.targetId]);
    const seen = (await alerts.open()).map(({ pair, subject, code }) => pair ?? subject ?? code);
    expect(seen.sort()).toEqual(['disk', 'mine', 'mine-source']);
    const theirs = (await gateway.control.alerts.open()).find(({ pair }) => pair === 'theirs')!;
    await expect(alerts.get(theirs.id)).rejects.toThrow('There is no alert');
    await expect(alerts.acknowledge(theirs.id, 'me', undefined, new Date())).rejects.toThrow('There is no alert');
    expect((await alerts.list({ open: true }, { limit: 9 })).items).toHaveLength(3);
  });

  test('say by which thresholds they are raised, and where they go', async () => {
    const email: Channel = {
      name: 'email',
      to: 'ops@county.example',
      send: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const thresholds = { ...defaultThresholds, replication_lag: 300 };
    const app = await gateway.another({ alerts: { thresholds, channels: [email], repeatMs: 600_000, groupMs: 0 } });
    const { body } = await askApp(app, gateway.keys, '/api/alerts/rules', { as: 'viewer' });
    const told = alertRulesView.parse(body);
    expect(told.rules.map(({ code }) => code)).toEqual(alertCodes);
    expect(told.rules.find(({ code }) => code === 'replication_lag')).toMatchObject({
      threshold: 300,
      default_threshold: 60,
      setting: 'ALERT_LAG_SECONDS',
    });
    expect(told.channels).toEqual([{ channel: 'email', to: 'ops@county.example' }]);
    expect(told).toMatchObject({ repeat_minutes: 10, group_s: 0 });
  });

  test('that only show over a while are in the status as long as they are open', async () => {
    const cpu = condition('', { code: 'cpu', pair: null, severity: 'warning', value: 91 });
    const at = Date.now() - 400_000;
    await look([cpu], new Date(at));
    await look([cpu], new Date(at + 300_000));
    const alerts = async () => (await gateway.ask<{ alerts: Alert[] }>('/api/status')).body.alerts;
    expect(await alerts()).toContainEqual(expect.objectContaining({ code: 'cpu', state: 'firing', value: 91 }));
    await look([]);
    expect((await alerts()).filter(({ code }) => code === 'cpu')).toEqual([]);
    expect(keyOf(cpu)).toBe('cpu||');
  });
});
