import { describe, expect, test } from 'vitest';
import { defaultThresholds } from '#schemas/alerts.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { ComponentView } from '#schemas/http/status.ts';
import {
  judgedLive,
  judgedMeasured,
  liveConditions,
  measuredConditions,
  type Measured,
} from '#services/gateway/alerts/conditions.ts';
import type { Facts, Known } from '#services/gateway/alerts/facts.ts';
import { Meter } from '#services/gateway/alerts/measure.ts';
import type { MachineReading } from '#services/kernel/machine.ts';

const component = (name: string, more: Partial<ComponentView> = {}): ComponentView => ({
  name, state: 'up', message: 'Running', since: null, details: {}, ...more,
}); // prettier-ignore
const pair = (more: Partial<PairSummary>): PairSummary =>
  ({
    name: 'owners',
    state: 'streaming',
    desired: 'running',
    error: null,
    lag_seconds: 0,
    dead_letters: 0,
    ...more,
  }) as PairSummary;
const known = (more: Partial<Known>): Known => ({
  at: 0, pairs: [], byState: {}, components: [], slots: [], waiting: [], removals: [], healingOff: [],
  alerts: [], ...more,
}); // prettier-ignore
const error = { code: 'TARGET_UNREACHABLE', message: 'away', fix: 'Wait.', since: '2026-01-31T08:15:30.123Z' };

const live = (
  more: { known?: Known; components?: ComponentView[]; restarts?: number },
  thresholds = defaultThresholds,
) =>
  liveConditions(
    {
      components: more.components ?? [],
      known: more.known,
      open: false,
      supervision:
        more.restarts === undefined
          ? undefined
          : { state: 'up', pid: 1, startedAt: 0, restarts: 9, recentRestarts: more.restarts, lastReason: 'was killed' },
    },
    thresholds,
  ).map(({ code, severity, pair: name, subject, value }) => [code, severity, name ?? subject, value]);

describe('what is wrong by a look', () => {
  test('a part that is down, and a stage that is silent', () => {
    const components = [
      component('gateway'),
      component('bus', { state: 'down' }),
      component('sync-service', { state: 'degraded' }),
      component('writer host:7', { state: 'down', details: { stage: true } }),
    ];
    expect(live({ components })).toEqual([
      ['component_down', 'critical', 'bus', null],
      ['no_heartbeat', 'critical', 'writer host:7', null],
    ]);
  });

  test('restarts above the threshold', () => {
    expect(live({ restarts: 3 })).toEqual([]);
    expect(live({ restarts: 4 })).toEqual([['restarts', 'warning', 'sync-service', 4]]);
    expect(live({ restarts: 4 }, { ...defaultThresholds, restarts: 10 })).toEqual([]);
  });

  test('a pair that failed, is held up, lags or has dead letters', () => {
    const of = (more: Partial<PairSummary>) => live({ known: known({ pairs: [pair(more)] }) });
    expect(of({})).toEqual([]);
    expect(of({ state: 'failed', error })).toEqual([['pair_failed', 'critical', 'owners', null]]);
    expect(of({ state: 'catching_up', error })).toEqual([['pair_interrupted', 'warning', 'owners', null]]);
    // What an operator has paused waits for him.
    expect(of({ state: 'paused', desired: 'paused', error })).toEqual([]);
    expect(of({ lag_seconds: 60 })).toEqual([]);
    expect(of({ lag_seconds: 61 })).toEqual([['replication_lag', 'warning', 'owners', 61]]);
    expect(of({ lag_seconds: null, dead_letters: 2 })).toEqual([['dead_letters', 'warning', 'owners', 2]]);
  });

  test('slots, readers that wait, removals that are stuck, by source', () => {
    const found = live({
      known: known({
        slots: [
          { source: 'pacs', level: 'over', message: 'm', fix: 'f' },
          { source: 'gis', level: 'near', message: 'm', fix: 'f' },
        ],
        waiting: [{ source: 'pacs', code: 'BUS_FULL', message: 'm', fix: 'f' }],
        removals: [{ id: 'p1', message: 'm', fix: 'f' }],
      }),
    });
    expect(found).toEqual([
      ['removal_waiting', 'warning', 'p1', null],
      ['slot_wal_budget', 'critical', 'pacs', null],
      ['slot_wal_budget', 'warning', 'gis', null],
      ['source_waiting', 'warning', 'pacs', null],
    ]);
  });

  test('what is switched off of what heals by itself', () => {
    expect(live({ known: known({ healingOff: ['restart_stage', 'keep'] }) })).toEqual([
      ['healing_off', 'warning', 'restart_stage', null],
      ['healing_off', 'warning', 'keep', null],
    ]);
    expect(live({ known: known({}) })).toEqual([]);
  });

  test('the disk budget of the bus', () => {
    const bus = (used: number) => [
      component('bus', { details: { kind: 'embedded', used_bytes: used, max_bytes: 1000 } }),
    ];
    expect(live({ components: bus(850) })).toEqual([]);
    expect(live({ components: bus(900) })).toEqual([['bus_budget', 'warning', 'bus', 90]]);
    expect(live({ components: [component('bus', { details: { kind: 'kafka' } })] })).toEqual([]);
  });

  test('without the control database nothing is said of pairs, and nothing of them is over', () => {
    const judged = judgedLive({
      components: [component('bus', { state: 'unknown' })],
      known: undefined,
      supervision: undefined,
      open: false,
    });
    expect(judged).toEqual(['auth_not_required', 'component_down', 'restarts']);
  });
});

const nothing: Measured = {
  machine: { cpu: undefined, memory: 10, disk: undefined },
  failedOperations: undefined,
  newLetters: undefined,
  responses: [],
  deliveries: undefined,
};

describe('what is wrong by what was measured', () => {
  const found = (measured: Partial<Measured>, thresholds = defaultThresholds) =>
    measuredConditions({ ...nothing, ...measured }, thresholds).map(({ code, pair: name, subject }) => [
      code,
      name ?? subject,
    ]);

  test('above the threshold, and not at it', () => {
    expect(found({ machine: { cpu: 80, memory: 80, disk: 85 }, failedOperations: 5 })).toEqual([]);
    expect(found({ machine: { cpu: 81, memory: 81, disk: 86 }, failedOperations: 6 })).toEqual([
      ['cpu', null],
      ['memory', null],
      ['disk', null],
      ['failed_operations', null],
    ]);
    expect(found({ newLetters: [{ pair: 'owners', count: 1 }] })).toEqual([['dead_letters_growing', 'owners']]);
    expect(
      found({ newLetters: [{ pair: 'owners', count: 1 }] }, { ...defaultThresholds, dead_letters_growing: 5 }),
    ).toEqual([]);
    expect(found({ responses: [{ subject: 'gateway', ms: 501 }, { subject: 'sync-service', ms: 500 }] })).toEqual([
      ['response_time', 'gateway'],
    ]); // prettier-ignore
    expect(found({ deliveries: [{ channel: 'email', error: 'no' }] })).toEqual([['alert_delivery', 'email']]);
  });

  test('what could not be measured is not judged', () => {
    expect(judgedMeasured(nothing).sort()).toEqual(['memory', 'response_time']);
    expect(judgedMeasured({ ...nothing, newLetters: [], deliveries: [] })).toContain('alert_delivery');
  });
});

describe('measuring', () => {
  const facts = {
    database: { value: known({}), error: undefined, ms: 3 },
    health: { value: undefined, error: undefined, ms: 9 },
  } as unknown as Facts;
  const reading = (busy: number, idle: number): MachineReading => ({
    cpuSeconds: { user: busy, nice: 0, system: 0, idle, irq: 0 },
    cores: 2, load1: 1, memoryTotal: 1000, memoryAvailable: 250, disk: { total: 100, available: 10 }, network: undefined,
  }); // prettier-ignore
  const meter = (readings: MachineReading[], totals: () => { prompt: number; promptSeconds: number }) =>
    new Meter({
      control: {
        operations: { counts: () => Promise.resolve({ running: 0, completed: 0, failed: 7 }) },
        deadLetters: { newByPair: () => Promise.reject(new Error('away')) },
        alertDeliveries: { troubles: () => Promise.resolve([]) },
      } as never,
      dataFolder: '/',
      requestTotals: () => ({ requests: 0, errors: 0, seconds: 0, ...totals() }),
      read: () => Promise.resolve(readings.shift()!),
    });

  test('CPU is that of the time between two looks; what fails is left out', async () => {
    const one = meter([reading(10, 90), reading(19, 91)], () => ({ prompt: 0, promptSeconds: 0 }));
    expect((await one.measure(facts, 0, new Date())).machine).toEqual({ cpu: undefined, memory: 75, disk: 90 });
    const second = await one.measure(facts, 10_000, new Date());
    expect(second.machine.cpu).toBeCloseTo(90);
    expect(second).toMatchObject({ failedOperations: 7, newLetters: undefined, deliveries: [] });
    expect(second.responses).toEqual([{ subject: 'control-database', ms: 3 }]);
  });

  test("the gateway's own time is the mean over two minutes, of requests enough to say something", async () => {
    const totals = { prompt: 1000, promptSeconds: 1 };
    const one = meter(
      Array.from({ length: 9 }, () => reading(1, 1)),
      () => totals,
    );
    const own = async (at: number) =>
      (await one.measure(facts, at, new Date())).responses.find(({ subject }) => subject === 'gateway')?.ms;
    expect(await own(0)).toBeUndefined();
    Object.assign(totals, { prompt: 1009, promptSeconds: 10 });
    expect(await own(60_000)).toBeUndefined();
    Object.assign(totals, { prompt: 1010, promptSeconds: 11 });
    expect(await own(120_000)).toBe(1000);
    Object.assign(totals, { prompt: 1110, promptSeconds: 12 });
    // What was slow is more than two minutes ago.
    expect(await own(240_000)).toBe(10);
  });
});
