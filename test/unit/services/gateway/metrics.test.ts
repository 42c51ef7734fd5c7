import { describe, expect, test } from 'vitest';
import { metricsHistory } from '#schemas/http/metrics.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { historyNames } from '#schemas/metric-history.ts';
import { makePair } from '../control/fixture.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
interface History {
  readonly step_s: number;
  readonly resolution_s: number;
  readonly truncated: boolean;
  readonly series: readonly { name: string; component: string; labels: object; points: [number, number, number][] }[];
}
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const history = async (query: string) => (await gateway.ask<History & Failure>(`/api/metrics?${query}`)).body;

describe('the history of metrics', () => {
  test('is answered in steps, by series and labels', async () => {
    const { metricHistory } = gateway.control;
    await metricHistory.record('sync-service', 'host:1', {
      lag_seconds: { '{"pair":"a"}': 1.5, '{"pair":"b"}': 4 },
      changes_applied_per_second: { '{"pair":"a","op":"insert"}': 10 },
    });
    const all = await history(`since=${ago(60)}&until=${ago(-60)}`);
    expect(metricsHistory.safeParse(all).error).toBeUndefined();
    expect(all.series.map(({ name }) => name)).toEqual(['changes_applied_per_second', 'lag_seconds', 'lag_seconds']);
    const one = await history(`since=${ago(60)}&until=${ago(-60)}&series=lag_seconds&pair=b`);
    expect(one).toMatchObject({
      resolution_s: 10,
      step_s: 10,
      truncated: false,
      series: [{ component: 'sync-service', labels: { pair: 'b' }, points: [[expect.any(Number), 4, 4]] }],
    });
    const other = await history(`since=${ago(60)}&until=${ago(-60)}&series=lag_seconds&component=gateway`);
    expect(other.series).toEqual([]);
  });

  test('is never larger than it says: steps grow, series end', async () => {
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, n) => [`{"pair":"p${n}"}`, n]));
    await gateway.control.metricHistory.record('writer', 'host:2', { lag_seconds: many });
    const all = await history(`since=${ago(60)}&until=${ago(-60)}&series=lag_seconds&component=writer`);
    expect([all.series.length, all.truncated]).toEqual([50, true]);
    const year = await history(`since=${ago(365 * 86_400)}&series=lag_seconds&step=10`);
    expect(year.resolution_s).toBe(3600);
    expect((365 * 86_400) / year.step_s).toBeLessThanOrEqual(1000);
    expect(year.step_s % year.resolution_s).toBe(0);
  });

  test('says what is wrong with a question', async () => {
    for (const [query, told] of [
      ['since=yesterday', 'since: must be a time'],
      [`since=${ago(0)}&until=${ago(60)}`, 'since: must be before until'],
      [`since=${ago(60)}&series=lag_seconds,nonsense`, 'series: there is no nonsense'],
      [`since=${ago(60)}&step=1`, 'step'],
      ['surprise=1', 'surprise'],
    ] as const) {
      const { error } = await history(query);
      expect([error.code, error.message], query).toEqual(['REQUEST_INVALID', expect.stringContaining(told)]);
    }
    expect((await history(`since=${ago(60)}&series=${historyNames.join(',')}`)).truncated).toBeDefined();
  });
});

describe('metrics that only the control database knows', () => {
  const text = async () => {
    // A gateway of its own: what was read is told again for some seconds.
    const app = await gateway.another();
    return (await app.inject({ url: '/metrics', headers: { 'x-api-key': gateway.keys.viewer } })).body;
  };

  test('are read when somebody looks', async () => {
    const { components, deadLetters } = gateway.control;
    const pair = await makePair(gateway.control, 'counted');
    await deadLetters.store(pair.id, [
      {
        position: '1:0/10:1',
        stage: 'process',
        source_table: { schema: 'pacs', name: 'property' },
        target_table: { schema: 'cama', name: 'parcel' },
        op: 'insert',
        rule: 'pin present',
        code: 'PAIR_ROW_INVALID',
        reason: 'no pin',
        row: { prop_id: 'a-key-of-a-row' },
        before: undefined,
      },
    ]);
    await components.beat({ name: 'writer', instance: 'host:7', version: '1', startedAt: new Date(0), status: {} });
    gateway.supervision = {
      state: 'up',
      pid: 1,
      startedAt: 0,
      restarts: 3,
      recentRestarts: 3,
      lastReason: 'was killed',
    };
    const told = await text();
    expect(told).toContain('terrafusion_dead_letters_open{pair="counted",component="gateway"} 1');
    expect(told).toMatch(/terrafusion_heartbeat_age_seconds\{stage="writer",component="gateway"\} \d/);
    expect(told).toContain('terrafusion_operations_ended_1h{outcome="failed",component="gateway"} 0');
    expect(told).toContain('terrafusion_restarts_total{stage="sync-service",component="gateway"} 3');
    expect(told).toContain('terrafusion_control_database_up{component="gateway"} 1');
    expect(told).toContain('terrafusion_sync_service_up{component="gateway"} 1');
    expect(told).not.toContain('a-key-of-a-row');
  });

  test('say so when the parts do not answer', async () => {
    const { health_ } = gateway.syncService;
    gateway.syncService.health_ = new TerraFusionError('SERVICE_UNAVAILABLE', 'gone');
    const broken = { ...gateway.control, components: { list: () => Promise.reject(new Error('gone')) } };
    const app = await gateway.another({}, { control: broken as unknown as typeof gateway.control });
    const { body, statusCode } = await app.inject({ url: '/metrics', headers: { 'x-api-key': gateway.keys.viewer } });
    gateway.syncService.health_ = health_;
    expect(statusCode).toBe(200);
    expect(body).toContain('terrafusion_control_database_up{component="gateway"} 0');
    expect(body).toContain('terrafusion_sync_service_up{component="gateway"} 0');
    expect(body).not.toContain('terrafusion_dead_letters_open{');
  });
});

test('a key that is limited to some systems sees the history of their pairs only', async () => {
  const [mine] = [await makePair(gateway.control, 'mine'), await makePair(gateway.control, 'theirs')];
  await gateway.control.metricHistory.record('sync-service', 'host:9', {
    lag_seconds: { '{"pair":"mine"}': 1, '{"pair":"theirs"}': 2 },
    slot_retained_bytes: { '{"source":"mine-source"}': 3, '{"source":"theirs-source"}': 4 },
    process_memory_bytes: { '{}': 5 },
  });
  const within = gateway.control.within([mine.sourceId, mine.targetId]);
  const points = await within.metricHistory.read({
    since: new Date(Date.now() - 60_000),
    until: new Date(Date.now() + 60_000),
    stepSeconds: 10,
    names: ['lag_seconds', 'slot_retained_bytes', 'process_memory_bytes'],
    component: 'sync-service',
    limit: 100,
  });
  const seen = points.map(({ labels }) => labels);
  expect(seen).toContain('{"pair":"mine"}');
  expect(seen).toContain('{"source":"mine-source"}');
  expect(seen).toContain('{}');
  expect(seen.join()).not.toContain('theirs');
});
