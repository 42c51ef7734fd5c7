import { beforeEach, describe, expect, test } from 'vitest';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { parseLsn } from '#schemas/lsn.ts';
import type { SlotReading } from '#schemas/slots.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { auditEvents, keeps, type AuditLevel } from '#services/control/audit-events.ts';
import { supervisionStore } from '#services/sync-service/supervision-store.ts';
import { makePair, withControl } from '../control/fixture.ts';

const fixture = withControl();
const away = new TerraFusionError('TARGET_UNREACHABLE', 'away');
const lost = new TerraFusionError('SOURCE_SLOT_MISSING', 'gone');
let pair: PairOverview;

const store = () => supervisionStore(fixture.control);
/** What the trail holds of a thing, oldest first. */
const trail = async (entityId: string) =>
  (await fixture.control.audit.list({ entityId }, { limit: 1000 })).items.toReversed();
const actions = async (entityId = pair.id) => (await trail(entityId)).map(({ action }) => action);
const seen = async () => ({ id: pair.id, runs: (await fixture.control.pairs.get(pair.id)).runs });
const timeIsUp = () =>
  fixture.control.database.run(`UPDATE terrafusion.audit_bursts SET ends_at = clock_timestamp() - interval '1 second'`);
const level = (to: AuditLevel) =>
  fixture.control.database.run(
    `UPDATE terrafusion.sync_pairs SET definition = jsonb_set(definition::jsonb, '{config,audit_level}', to_jsonb($2::text))::json WHERE id = $1`,
    [pair.id, to],
  );

beforeEach(async () => {
  pair = await makePair(fixture.control);
  await fixture.control.runs.setDesired(pair.id, 'running');
});

describe('what the pipeline tells the trail', () => {
  test('of a load, its operation and its stream, each once, though it is said again after a kill', async () => {
    const operation = await fixture.control.operations.create({
      ...{ pairId: pair.id, type: 'full', requestedBy: 'admin' },
    });
    const done = { state: 'done', number: 1, startOffset: 7n, startPosition: '1:0/10' } as const;
    const run = await seen();
    for (let nth = 0; nth < 2; nth += 1) {
      await store().recordState(run, 'loading');
      await store().recordState(run, 'catching_up');
      await store().recordLoad(pair.id, done);
      await store().recordState(run, 'streaming');
    }
    expect(await actions()).toEqual(['pair.started', 'pair.loaded']);
    expect(await trail(operation.id)).toMatchObject([
      {
        ...{ action: 'sync_operation.completed', actor: 'sync-service', outcome: 'success' },
        after: { type: 'full', pair: { id: pair.id, name: pair.name }, counts: { rows_copied: 0 } },
      },
    ]);
  });

  test('of a word that is not taken, nothing', async () => {
    const run = await seen();
    await fixture.control.runs.setDesired(pair.id, 'running');
    expect(await store().recordState(run, 'failed', lost)).toBe(false);
    expect(await store().recordState({ id: '00000000-0000-4000-8000-000000000000', runs: 1 }, 'failed', lost)).toBe(
      false,
    );
    expect(await actions()).toEqual([]);
  });

  test('of a failure, with its operation', async () => {
    const operation = await fixture.control.operations.create({
      ...{ pairId: pair.id, type: 'full', requestedBy: 'admin' },
    });
    await store().recordState(await seen(), 'loading');
    await store().recordState(await seen(), 'failed', lost);
    expect((await trail(pair.id)).at(-1)).toMatchObject({
      ...{ action: 'pair.halted', outcome: 'failure' },
      after: { state: 'loading', code: 'SOURCE_SLOT_MISSING', message: 'gone' },
    });
    expect(await trail(operation.id)).toMatchObject([
      { action: 'sync_operation.failed', outcome: 'failure', after: { code: 'SOURCE_SLOT_MISSING' } },
    ]);
  });

  test('of a pair that fails and recovers a hundred times, a handful', async () => {
    for (let nth = 0; nth < 100; nth += 1) {
      await store().recordState(await seen(), 'streaming');
      await store().recordState(await seen(), 'failed', lost);
      await fixture.control.runs.setDesired(pair.id, 'running');
    }
    await timeIsUp();
    await fixture.control.audit.tellRepeated();
    const entries = await trail(pair.id);
    expect(entries.length).toBeLessThanOrEqual(6);
    const counted = (action: string) =>
      entries
        .filter((entry) => entry.action === action)
        .reduce((sum, { after }) => sum + ((after as { repeated?: number } | null)?.repeated ?? 1), 0);
    expect([counted('pair.halted'), counted('pair.recovered')]).toEqual([100, 99]);
    expect(await fixture.control.audit.verify()).toMatchObject({ ok: true });
  });

  test('of dead letters, that they have begun, and nothing of the rows', async () => {
    const letter = (nth: number): DeadLetter => ({
      position: `1:0/${nth}:0`,
      stage: 'process',
      source_table: { schema: 'pacs', name: 'property' },
      target_table: { schema: 'cama', name: 'parcel' },
      op: 'insert',
      rule: 'pin present',
      code: 'PAIR_ROW_INVALID',
      reason: 'no pin in county-data-4711',
      row: { owner: 'county-data-4711' },
      before: undefined,
    });
    const told = store();
    for (let nth = 1; nth <= 20; nth += 1) await told.storeDeadLetters(pair.id, [letter(nth)]);
    // Another process stores the same ones again.
    await store().storeDeadLetters(pair.id, [letter(1)]);
    expect(await trail(pair.id)).toMatchObject([
      {
        ...{ action: 'pair.dead_letters', outcome: 'failure' },
        after: { letters: 1, first: { source_table: 'pacs.property', code: 'PAIR_ROW_INVALID', rule: 'pin present' } },
      },
    ]);
    expect(JSON.stringify(await trail(pair.id))).not.toContain('county-data');
    expect(await fixture.control.deadLetters.countOpen()).toBeGreaterThanOrEqual(20);
  });

  test('of a source that is interrupted and read again, also by another process', async () => {
    const status = { generation: 1, sourceLsn: undefined, receivedLsn: undefined, acknowledgedLsn: undefined };
    const tell = (
      to: ReturnType<typeof store>,
      state: 'connecting' | 'reading' | 'waiting',
      error?: TerraFusionError,
    ) => to.recordSourceStatus(pair.sourceId, { ...status, state, error });
    const first = store();
    await tell(first, 'connecting');
    await tell(first, 'reading');
    await tell(first, 'waiting', away);
    await tell(first, 'waiting', away);
    // It tries again, and that alone is no recovery.
    await tell(first, 'connecting');
    await tell(first, 'waiting', away);
    const second = store();
    await tell(second, 'connecting');
    await tell(second, 'waiting', away);
    await tell(second, 'reading');
    await tell(second, 'reading');
    expect(await trail(pair.sourceId)).toMatchObject([
      { action: 'source.interrupted', after: { code: 'TARGET_UNREACHABLE', state: 'waiting' } },
      { action: 'source.recovered', after: { code: 'TARGET_UNREACHABLE' } },
    ]);
  });

  test('of what a source keeps for us, when its level changes', async () => {
    const reading = (to: SlotReading['level']): SlotReading => ({
      ...{ name: 'tf_1', generation: 1, state: 'reserved', active: true, active_pid: 7, restart_lsn: '0/1' },
      ...{ confirmed_lsn: '0/1', retained_bytes: 90, safe_bytes: null, invalidation_reason: null, conflicting: false },
      ...{ inactive_since: null, failover: true, budget_bytes: 100, bytes_per_second: null, seconds_left: null },
      level: to,
      problem: to === 'ok' ? null : { code: 'SOURCE_WAL_NEAR_BUDGET', message: 'near', fix: 'look' },
    });
    for (const to of ['ok', 'near', 'near', 'over', 'over', 'ok', 'ok'] as const) {
      await store().recordSlot(pair.sourceId, reading(to));
    }
    expect(await actions(pair.sourceId)).toEqual([
      'source.wal_budget',
      'source.wal_budget',
      'source.wal_within_budget',
    ]);
    expect((await trail(pair.sourceId))[0]).toMatchObject({
      after: { level: 'near', retained_bytes: 90, message: 'near' },
    });
  });

  test('of slots that come along or are given up, and of schema changes, each once', async () => {
    const stream = {
      ...{ slot: 'tf_1', publication: 'tf_1', systemIdentifier: '7', timeline: 1 },
      consistentPoint: parseLsn('0/1'),
    };
    const generation = { generation: 1, stream };
    await store().recordGeneration(pair.sourceId, generation);
    await store().recordGeneration(pair.sourceId, { ...generation, stream: { ...stream, timeline: 2 } }, true);
    await store().giveUpGeneration(pair.sourceId, generation, 'the disk is full');
    await store().giveUpGeneration(pair.sourceId, generation, 'the disk is full');
    expect(await actions(pair.sourceId)).toEqual(['source.failed_over', 'slot.given_up']);

    const change = {
      id: 'c1',
      position: '1:0/5:0',
      steps: [{ kind: 'additive' as const, what: 'new', sql: ['ALTER'] }],
    };
    expect(await store().noteSchemaChange(pair.id, change, true)).toBe('approved');
    expect(await store().settleSchemaChanges(pair.id, '1:0/5')).toHaveLength(1);
    expect(await store().settleSchemaChanges(pair.id, '1:0/6')).toEqual([]);
    expect(await trail(pair.id)).toMatchObject([
      { action: 'pair.schema_changed', after: { change: 'c1', decided_by: 'policy', steps: change.steps } },
    ]);
  });

  test('of a pair that is gone, last of all', async () => {
    await fixture.control.pairs.delete(pair.id);
    await store().purge(pair.id, { name: pair.name });
    await store().purge(pair.id, { name: pair.name });
    expect(await trail(pair.id)).toMatchObject([{ action: 'pair.removed', after: { name: pair.name } }]);
  });
});

describe('the audit_level of a pair', () => {
  test.each([
    ['minimal', ['pair.halted', 'pair.recovered', 'sync_operation.failed']],
    [
      'standard',
      [
        'pair.started',
        'pair.interrupted',
        'pair.halted',
        'sync_operation.failed',
        'pair.paused',
        'pair.started',
        'pair.recovered',
      ],
    ],
    [
      'detailed',
      [
        'pair.started',
        'pair.streaming',
        'pair.interrupted',
        'pair.halted',
        'sync_operation.failed',
        'pair.paused',
        'pair.started',
        'pair.recovered',
        'pair.streaming',
      ],
    ],
  ] as const)('%s keeps what it says', async (to, kept) => {
    await level(to);
    const operation = await fixture.control.operations.create({
      ...{ pairId: pair.id, type: 'full', requestedBy: 'admin' },
    });
    await store().recordState(await seen(), 'streaming');
    await store().recordState(await seen(), 'streaming', away);
    await store().recordState(await seen(), 'failed', lost);
    await fixture.control.runs.setDesired(pair.id, 'running');
    await store().recordState(await seen(), 'paused');
    await store().recordState(await seen(), 'catching_up');
    await store().recordState(await seen(), 'streaming');
    const all = (await fixture.control.audit.list({ entityIds: [pair.id, operation.id] }, { limit: 100 })).items;
    // What came twice is counted.
    expect(all.map(({ action }) => action).sort()).toEqual([...new Set(kept)].sort());
  });

  test('keeps more with every level, and what is no level as much as the usual one', () => {
    for (const name of Object.keys(auditEvents) as (keyof typeof auditEvents)[]) {
      expect(keeps('detailed', name)).toBe(true);
      if (keeps('minimal', name)) expect(keeps('standard', name)).toBe(true);
      expect(keeps('loud', name)).toBe(keeps('standard', name));
      expect(keeps(undefined, name)).toBe(keeps('standard', name));
    }
  });
});
