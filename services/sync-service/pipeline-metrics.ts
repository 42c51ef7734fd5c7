import type { ReaderStatus, SlotStatus, SourceBlock } from '#connectors/contract/source.ts';
import type { BatchOutcome } from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import type { HealingAction } from '#schemas/healing.ts';
import { pairStates } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { Counts } from '#services/stream-processor/compile.ts';
import type { Gauge } from 'prom-client';
import { pipelineSeries, type PipelineSeries } from './pipeline-series.ts';
import type { SourceStatus, SupervisedPair, TableProgress } from './ports.ts';
import type { WalBudget } from './wal-budget.ts';

const readerStates: readonly SourceStatus['state'][] = ['connecting', 'reading', 'waiting', 'halted'];
const circuitStates = ['closed', 'open', 'halted'] as const;
type CircuitState = (typeof circuitStates)[number];

/** "pair:<id>" is of the stage "pair". */
export const stageOf = (unit: string): string => unit.split(':', 1)[0]!;

/** What a target has committed, for counting. */
export interface CommittedBatch {
  readonly outcome: BatchOutcome;
  /** Of the last source transaction of each block, µs since 1970. */
  readonly commitTimes: readonly number[];
  /** From giving the batch to the target to its commit. */
  readonly seconds: number;
}

/**
 * Counts what the stages do. Everything is counted per block or per target transaction, never per row: at full speed that is some hundred
 * calls a second. Sources and pairs come in by their ids and are labelled by their names, as of the last look at the control database.
 */
export class PipelineMetrics {
  readonly #series: PipelineSeries;
  readonly #sources = new Map<string, string>();
  readonly #pairs = new Map<string, string>();

  /** @param circuits the state of each unit of work, asked for when somebody looks */
  constructor(metrics: Metrics, circuits: () => ReadonlyMap<string, CircuitState>) {
    this.#series = pipelineSeries(metrics, (gauge) => {
      gauge.reset();
      const states = [...circuits()].map(([unit, state]) => ({ stage: stageOf(unit), state }));
      for (const { stage } of states) for (const state of circuitStates) gauge.set({ stage, state }, 0);
      for (const labels of states) gauge.inc(labels);
    });
  }

  /**
   * Which pairs there are, at each look. What is told of one that is gone, or of an older name, is forgotten: it would stand there for ever.
   * @param tellStates this process is the one that tells states: two would contradict each other
   */
  know(pairs: readonly SupervisedPair[], tellStates: boolean): void {
    const alive = pairs.filter(({ deleted }) => !deleted);
    this.#rename(this.#sources, new Map(alive.map(({ sourceId, source }) => [sourceId, source.name])), 'source');
    this.#rename(this.#pairs, new Map(alive.map(({ id, name }) => [id, name])), 'pair');
    if (!tellStates) return;
    for (const { name, state, error } of alive) {
      for (const each of pairStates) this.#series.state.set({ pair: name, state: each }, each === state ? 1 : 0);
      this.#series.error.set({ pair: name }, error === undefined ? 0 : 1);
    }
  }

  stored(sourceId: string, blocks: readonly SourceBlock[]): void {
    const source = this.#source(sourceId);
    const { appended, appendedBlocks, appendedBytes } = this.#series;
    appendedBlocks.inc({ source }, blocks.length);
    appended.inc(
      { source },
      total(blocks, ({ changes }) => changes),
    );
    appendedBytes.inc(
      { source },
      total(blocks, ({ bytes }) => bytes.length),
    );
  }

  read(sourceId: string, changes: number): void {
    this.#series.read.inc({ source: this.#source(sourceId) }, changes);
  }

  reader(sourceId: string, state: SourceStatus['state'], status: ReaderStatus | undefined): void {
    const source = this.#source(sourceId);
    const { readerState, readerLag } = this.#series;
    for (const each of readerStates) readerState.set({ source, state: each }, each === state ? 1 : 0);
    const behind = status && Number(status.sourceLsn - status.acknowledgedLsn);
    tell(readerLag, { source }, behind === undefined ? undefined : Math.max(0, behind));
  }

  topic(sourceId: string, blocks: number, bytes: number | undefined): void {
    const source = this.#source(sourceId);
    this.#series.topicBlocks.set({ source }, blocks);
    tell(this.#series.topicBytes, { source }, bytes);
  }

  /** The reader runs here no more: who takes it over tells the rest. */
  readerGone(sourceId: string): void {
    const source = this.#source(sourceId);
    const { readerState, readerLag, topicBlocks, topicBytes } = this.#series;
    for (const state of readerStates) readerState.remove({ source, state });
    for (const gauge of [readerLag, topicBlocks, topicBytes]) gauge.remove({ source });
  }

  slot(sourceId: string, slot: SlotStatus, budget: WalBudget): void {
    const source = this.#source(sourceId);
    const { slotRetained, slotSafe, slotBudget, slotSecondsLeft, slotGrowth, slotActive } = this.#series;
    tell(slotRetained, { source }, slot.retainedBytes);
    tell(slotSafe, { source }, slot.safeBytes);
    tell(slotBudget, { source }, budget.budgetBytes);
    tell(slotSecondsLeft, { source }, budget.secondsLeft);
    tell(slotGrowth, { source }, budget.bytesPerSecond);
    tell(slotActive, { source }, slot.active ? 1 : 0);
  }

  slotGone(sourceId: string): void {
    const source = this.#source(sourceId);
    const { slotRetained, slotSafe, slotBudget, slotSecondsLeft, slotGrowth, slotActive } = this.#series;
    for (const gauge of [slotRetained, slotSafe, slotBudget, slotSecondsLeft, slotGrowth, slotActive])
      gauge.remove({ source });
  }

  /** A block has been through the chain. Of one that went over as it was, the summary knows how many changes it has. */
  processed(pairId: string, given: Buffer, made: { readonly bytes: Buffer; readonly counts: Counts }): void {
    const pair = this.#pair(pairId);
    if (made.bytes === given) {
      this.#series.processed.inc({ pair, outcome: 'passed' }, BlockReader.summary(given).changes);
      return;
    }
    this.counted(pairId, made.counts);
  }

  counted(pairId: string, { out, filtered, rejected, warned }: Counts): void {
    const pair = this.#pair(pairId);
    const { processed } = this.#series;
    if (out > 0) processed.inc({ pair, outcome: 'passed' }, out);
    if (filtered > 0) processed.inc({ pair, outcome: 'filtered' }, filtered);
    if (rejected > 0) processed.inc({ pair, outcome: 'rejected' }, rejected);
    for (const rule in warned) this.#series.warned.inc({ pair }, warned[rule]);
  }

  /** @param blocks undefined: the stream processor runs here no more */
  processorWaiting(pairId: string, blocks: number | undefined): void {
    tell(this.#series.processorWaiting, { pair: this.#pair(pairId) }, blocks);
  }

  committed(pairId: string, { outcome, commitTimes, seconds }: CommittedBatch, now: number): void {
    const pair = this.#pair(pairId);
    const { batchChanges, batchSeconds, latency } = this.#series;
    this.applied(pairId, outcome);
    batchChanges.observe({ pair }, outcome.inserted + outcome.updated + outcome.deleted);
    batchSeconds.observe({ pair }, seconds);
    // Clocks of two machines: what seems to come from the future took no time that could be told.
    for (const time of commitTimes) latency.observe({ pair }, Math.max(0, now / 1000 - time / 1_000_000));
  }

  applied(pairId: string, { inserted, updated, deleted, tables }: BatchOutcome): void {
    const pair = this.#pair(pairId);
    const { applied, tableApplied } = this.#series;
    if (inserted > 0) applied.inc({ pair, op: 'insert' }, inserted);
    if (updated > 0) applied.inc({ pair, op: 'update' }, updated);
    if (deleted > 0) applied.inc({ pair, op: 'delete' }, deleted);
    for (const { table, changes } of tables) tableApplied.inc({ pair, table: formatTableName(table) }, changes);
  }

  deadLetters(pairId: string, stage: 'process' | 'apply', count: number): void {
    this.#series.rejected.inc({ pair: this.#pair(pairId), stage }, count);
  }

  retried(stage: string, code: string): void {
    this.#series.retries.inc({ stage, code });
  }

  healed(action: HealingAction): void {
    this.#series.healing.inc({ action });
  }

  restarted(stage: string): void {
    this.#series.restarts.inc({ stage });
  }

  lag(pairId: string, seconds: number, bytes: number | undefined, blocks: number): void {
    const pair = this.#pair(pairId);
    this.#series.lagSeconds.set({ pair }, seconds);
    tell(this.#series.lagBytes, { pair }, bytes);
    this.#series.waitingBlocks.set({ pair }, blocks);
  }

  /** The stream runs here no more. */
  lagGone(pairId: string): void {
    const pair = this.#pair(pairId);
    for (const gauge of [this.#series.lagSeconds, this.#series.lagBytes, this.#series.waitingBlocks])
      gauge.remove({ pair });
  }

  loaded(pairId: string, rows: number, bytes: number): void {
    const pair = this.#pair(pairId);
    this.#series.loadedRows.inc({ pair }, rows);
    this.#series.loadedBytes.inc({ pair }, bytes);
  }

  loading(pairId: string, tables: readonly TableProgress[]): void {
    const pair = this.#pair(pairId);
    const { loadCopied, loadExpected, loadProgress } = this.#series;
    for (const { target, rowsCopied, rowsTotal } of tables) {
      const table = formatTableName(target);
      loadCopied.set({ pair, table }, rowsCopied);
      loadExpected.set({ pair, table }, rowsTotal);
    }
    const expected = total(tables, ({ rowsTotal }) => rowsTotal);
    loadProgress.set(
      { pair },
      expected === 0 ? 1 : Math.min(1, total(tables, ({ rowsCopied }) => rowsCopied) / expected),
    );
  }

  /** The load has ended, or is somebody else's. */
  loadGone(pairId: string, tables: readonly TableProgress[]): void {
    const pair = this.#pair(pairId);
    const { loadCopied, loadExpected, loadProgress } = this.#series;
    for (const { target } of tables) {
      const table = formatTableName(target);
      loadCopied.remove({ pair, table });
      loadExpected.remove({ pair, table });
    }
    loadProgress.remove({ pair });
  }

  #source(id: string): string {
    return this.#sources.get(id) ?? id;
  }

  #pair(id: string): string {
    return this.#pairs.get(id) ?? id;
  }

  #rename(names: Map<string, string>, now: ReadonlyMap<string, string>, label: 'source' | 'pair'): void {
    const gone = [...names].filter(([id, name]) => now.get(id) !== name);
    for (const [id, name] of now) names.set(id, name);
    for (const [id, name] of gone) {
      if (!now.has(id)) names.delete(id);
      for (const series of Object.values(this.#series)) forget(series as unknown as Forgettable, label, name);
    }
  }
}

/** What prom-client keeps of a series; it has no other way to ask for all label sets without waiting. */
interface Forgettable {
  readonly hashMap: Readonly<Record<string, { readonly labels: Record<string, string> }>>;
  remove(labels: Record<string, string>): void;
}

function forget(series: Forgettable, label: 'source' | 'pair', name: string): void {
  for (const { labels } of Object.values(series.hashMap)) if (labels[label] === name) series.remove(labels);
}

function tell<Label extends string>(
  gauge: Gauge<Label>,
  labels: Record<Label, string>,
  value: number | undefined,
): void {
  if (value === undefined) gauge.remove(labels);
  else gauge.set(labels, value);
}

function total<T>(items: readonly T[], figure: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += figure(item);
  return sum;
}
