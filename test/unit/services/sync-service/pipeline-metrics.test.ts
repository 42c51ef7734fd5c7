import { beforeEach, expect, test } from 'vitest';
import type { SlotStatus } from '#connectors/contract/source.ts';
import { createMetrics, type Metrics } from '#services/kernel/metrics.ts';
import { PipelineMetrics } from '#services/sync-service/pipeline-metrics.ts';
import type { SupervisedPair, TableProgress } from '#services/sync-service/ports.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { write } from '#test/unit/schemas/block-model.ts';
import { block, definition, insert, quarantine, table } from '#test/unit/services/stream-processor/fixture.ts';

let metrics: Metrics;
let pipeline: PipelineMetrics;
const circuits = new Map<string, 'closed' | 'open' | 'halted'>();

const pair = (id: string, name: string, more: Partial<SupervisedPair> = {}): SupervisedPair =>
  ({
    id,
    name,
    sourceId: 's1',
    source: { name: 'pacs' },
    state: 'streaming',
    deleted: false,
    ...more,
  }) as SupervisedPair;

/** Lines of this metric, without the label that all of them have. */
const lines = async (name: string): Promise<string[]> =>
  (await metrics.render()).text
    .split('\n')
    .filter((line) => line.startsWith(`terrafusion_${name}{`) || line.startsWith(`terrafusion_${name} `))
    .map((line) => line.slice('terrafusion_'.length).replace(/,?component="sync-service",?/, ''));

beforeEach(() => {
  metrics = createMetrics({ component: 'sync-service', processMetrics: false });
  pipeline = new PipelineMetrics(metrics, () => circuits);
  pipeline.know([pair('p1', 'owners'), pair('p2', 'values', { state: 'paused' })], true);
});

test('sources and pairs are called by their names', async () => {
  pipeline.read('s1', 5);
  pipeline.stored('s1', [
    { bytes: Buffer.alloc(9), changes: 5, transactions: 1, lastCommitTime: 0, last: undefined as never },
  ]);
  pipeline.deadLetters('p1', 'apply', 2);
  expect(await lines('changes_read_total')).toEqual(['changes_read_total{source="pacs"} 5']);
  expect(await lines('changes_appended_total')).toEqual(['changes_appended_total{source="pacs"} 5']);
  expect(await lines('appended_bytes_total')).toEqual(['appended_bytes_total{source="pacs"} 9']);
  expect(await lines('changes_rejected_total')).toEqual(['changes_rejected_total{pair="owners",stage="apply"} 2']);
});

test('states of pairs are told by one process, as the control database has them', async () => {
  const told = await lines('pair_state');
  expect(told).toContain('pair_state{pair="owners",state="streaming"} 1');
  expect(told).toContain('pair_state{pair="values",state="streaming"} 0');
  expect(told).toContain('pair_state{pair="values",state="paused"} 1');
  pipeline.know([pair('p1', 'owners', { error: { code: 'TARGET_UNREACHABLE' } }), pair('p2', 'values')], true);
  expect(await lines('pair_error')).toEqual(['pair_error{pair="owners"} 1', 'pair_error{pair="values"} 0']);
  const writer = createMetrics({ component: 'writer', processMetrics: false });
  new PipelineMetrics(writer, () => new Map()).know([pair('p1', 'owners')], false);
  expect((await writer.render()).text).not.toMatch(/pair_state\{/);
});

test('a pair that is deleted, or called otherwise, is forgotten; a source of the same name is not', async () => {
  pipeline.know([pair('p1', 'owners'), pair('p3', 'pacs')], true);
  pipeline.read('s1', 1);
  pipeline.committed('p3', { outcome: outcome(1), commitTimes: [1_000_000], seconds: 0.1 }, 2000);
  pipeline.loaded('p1', 1, 1);
  pipeline.know([pair('p1', 'people'), pair('p3', 'pacs', { deleted: true })], true);
  pipeline.loaded('p1', 1, 1);
  const { text } = await metrics.render();
  expect(text).not.toContain('pair="pacs"');
  expect(text).not.toContain('pair="owners"');
  expect(text).toContain('source="pacs"');
  expect(await lines('rows_loaded_total')).toEqual(['rows_loaded_total{pair="people"} 1']);
});

const outcome = (inserted: number) => ({
  committed: true,
  inserted,
  updated: 0,
  deleted: 1,
  rejected: 0,
  tables: [{ table: { schema: 'cama', name: 'parcel' }, changes: inserted + 1, lastCommitTime: 0 }],
});

test('a target transaction counts changes by operation and table, and its latency once a block', async () => {
  pipeline.committed(
    'p1',
    { outcome: outcome(3), commitTimes: [9_000_000, 9_900_000, 99_000_000], seconds: 0.2 },
    10_000,
  );
  expect(await lines('changes_applied_total')).toEqual([
    'changes_applied_total{pair="owners",op="insert"} 3',
    'changes_applied_total{pair="owners",op="delete"} 1',
  ]);
  expect(await lines('table_changes_applied_total')).toEqual([
    'table_changes_applied_total{pair="owners",table="cama.parcel"} 4',
  ]);
  expect(await lines('end_to_end_latency_seconds_count')).toEqual([
    'end_to_end_latency_seconds_count{pair="owners"} 3',
  ]);
  // One second, a tenth, and one that seems to come from the future.
  expect((await lines('end_to_end_latency_seconds_sum'))[0]).toMatch(/ 1\.1\d*$| 1\.0999/);
  expect(await lines('batch_changes_sum')).toEqual(['batch_changes_sum{pair="owners"} 4']);
  expect(await lines('batch_apply_seconds_sum')).toEqual(['batch_apply_seconds_sum{pair="owners"} 0.2']);
});

test('what a chain lets through is counted by what becomes of it, also where it looks into no row', async () => {
  const owner = table('pacs.owner', ['id* int4', 'name text']);
  const bytes = write(block([owner], [insert(['1', 'Ann']), insert(['2', '']), insert(['3', 'Bob'])]));
  pipeline.processed('p2', bytes, compilePair(definition([{ source: 'pacs.owner' }])).process(bytes, 1n));
  expect(await lines('changes_processed_total')).toEqual(['changes_processed_total{pair="values",outcome="passed"} 3']);
  const rules = [{ name: 'has a name', check: 'row.name != ""' }];
  const strict = definition([{ source: 'pacs.owner', where: 'row.id != 3', rules }], quarantine);
  pipeline.processed('p1', bytes, compilePair(strict).process(bytes, 1n));
  expect((await lines('changes_processed_total')).filter((line) => line.includes('owners'))).toEqual([
    'changes_processed_total{pair="owners",outcome="passed"} 1',
    'changes_processed_total{pair="owners",outcome="filtered"} 1',
    'changes_processed_total{pair="owners",outcome="rejected"} 1',
  ]);
});

test('what runs elsewhere from now on is told no more', async () => {
  pipeline.lag('p1', 3, 4096, 2);
  pipeline.reader('s1', 'reading', { sourceLsn: 100n, receivedLsn: 90n, acknowledgedLsn: 60n, bufferedBytes: 0 });
  pipeline.topic('s1', 7, 1000);
  pipeline.slot('s1', { exists: true, active: true, retainedBytes: 5 } as SlotStatus, {
    level: 'ok', budgetBytes: 100, ofSource: false, bytesPerSecond: 2, secondsLeft: 47,
  }); // prettier-ignore
  pipeline.processorWaiting('p1', 4);
  const progress = { target: { schema: 'cama', name: 'parcel' }, rowsCopied: 25, rowsTotal: 100 } as TableProgress;
  pipeline.loading('p1', [progress]);
  expect(await lines('reader_lag_bytes')).toEqual(['reader_lag_bytes{source="pacs"} 40']);
  expect(await lines('slot_seconds_left')).toEqual(['slot_seconds_left{source="pacs"} 47']);
  expect(await lines('load_progress_ratio')).toEqual(['load_progress_ratio{pair="owners"} 0.25']);
  pipeline.lagGone('p1');
  pipeline.readerGone('s1');
  pipeline.slotGone('s1');
  pipeline.processorWaiting('p1', undefined);
  pipeline.loadGone('p1', [progress]);
  const { text } = await metrics.render();
  const left = text.split('\n').filter((line) => line.includes('{') && !/pair_(state|error)/.test(line));
  expect(left).toEqual([]);
});

test('circuits are counted by stage when somebody looks', async () => {
  circuits.set('reader:s1', 'open').set('reader:s2', 'open').set('pair:p1', 'closed').set('pair:p2', 'halted');
  const told = await lines('circuit_state');
  expect(told).toContain('circuit_state{stage="reader",state="open"} 2');
  expect(told).toContain('circuit_state{stage="reader",state="closed"} 0');
  expect(told).toContain('circuit_state{stage="pair",state="halted"} 1');
  circuits.clear();
  expect(await lines('circuit_state')).toEqual([]);
});
