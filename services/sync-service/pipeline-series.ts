import { healingCounter } from '#services/control/self-healing.ts';
import { durationBuckets, type Metrics } from '#services/kernel/metrics.ts';
import type { Gauge } from 'prom-client';

/** From a millisecond on a quiet machine to the hours that an outage takes. */
const latencyBuckets = [...durationBuckets.slice(0, 1), 0.002, ...durationBuckets.slice(2), 30, 60, 300, 3600];
const sizeBuckets = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

/** What the stages count and measure: every name, once. Labels are pair, source, table and stage, never a key of a row. */
export function pipelineSeries(metrics: Metrics, circuits: (gauge: Gauge<'stage' | 'state'>) => void) {
  const source = ['source'] as const;
  const pair = ['pair'] as const;
  return {
    // From the source to the topic.
    read: metrics.counter({ name: 'changes_read_total', help: 'Changes read from a source.', labels: source }),
    appended: metrics.counter({
      name: 'changes_appended_total',
      help: "Changes that a source's topic holds durably.",
      labels: source,
    }),
    appendedBlocks: metrics.counter({
      name: 'blocks_appended_total',
      help: "Blocks that a source's topic holds durably.",
      labels: source,
    }),
    appendedBytes: metrics.counter({
      name: 'appended_bytes_total',
      help: 'Bytes of these blocks.',
      labels: source,
    }),
    readerLag: metrics.gauge({
      name: 'reader_lag_bytes',
      help: "WAL between what the topic holds and the source's end.",
      labels: source,
    }),
    readerState: metrics.gauge({
      name: 'reader_state',
      help: '1 for the state that the reader of a source is in: connecting, reading, waiting.',
      labels: ['source', 'state'],
    }),

    // The slot.
    slotRetained: metrics.gauge({
      name: 'slot_retained_bytes',
      help: 'WAL that the source keeps for our slot.',
      labels: source,
    }),
    slotBudget: metrics.gauge({
      name: 'slot_budget_bytes',
      help: 'WAL that the source may keep for our slot.',
      labels: source,
    }),
    slotSafe: metrics.gauge({
      name: 'slot_safe_bytes',
      help: 'WAL until the source gives our slot up; absent where it has no such limit.',
      labels: source,
    }),
    slotSecondsLeft: metrics.gauge({
      name: 'slot_seconds_left',
      help: 'Until the budget of our slot is used up at the present rate; absent while it does not grow.',
      labels: source,
    }),
    slotGrowth: metrics.gauge({
      name: 'slot_growth_bytes_per_second',
      help: 'How fast what the source keeps for our slot grows; absent while it is not known.',
      labels: source,
    }),
    slotActive: metrics.gauge({
      name: 'slot_active',
      help: '1 while somebody reads from our slot, else 0.',
      labels: source,
    }),

    // The stream processor.
    processed: metrics.counter({
      name: 'changes_processed_total',
      help: "Changes that went through a pair's chain, by what became of them: passed, filtered, rejected.",
      labels: ['pair', 'outcome'],
    }),
    processorWaiting: metrics.gauge({
      name: 'processor_waiting_blocks',
      help: "Blocks in the source's topic that a stream processor with a topic of its own has not processed yet.",
      labels: pair,
    }),
    warned: metrics.counter({
      name: 'changes_warned_total',
      help: 'Rows that broke a rule which only warns, and went on.',
      labels: pair,
    }),

    // The writer.
    applied: metrics.counter({
      name: 'changes_applied_total',
      help: 'Changes applied at a target, by operation.',
      labels: ['pair', 'op'],
    }),
    tableApplied: metrics.counter({
      name: 'table_changes_applied_total',
      help: 'Changes applied at a target, by its table.',
      labels: ['pair', 'table'],
    }),
    rejected: metrics.counter({
      name: 'changes_rejected_total',
      help: 'Changes that became dead letters, by stage: process or apply.',
      labels: ['pair', 'stage'],
    }),
    batchChanges: metrics.histogram(
      { name: 'batch_changes', help: 'Changes of one target transaction.', labels: pair },
      sizeBuckets,
    ),
    batchSeconds: metrics.histogram({
      name: 'batch_apply_seconds',
      help: 'From giving a batch to the target to its commit there.',
      labels: pair,
    }),
    latency: metrics.histogram(
      {
        name: 'end_to_end_latency_seconds',
        help: 'From the commit at the source to the commit at the target: one observation a block, of its last transaction.',
        labels: pair,
      },
      latencyBuckets,
    ),
    lagSeconds: metrics.gauge({
      name: 'lag_seconds',
      help: 'Age of the oldest change that waits for the target; 0 when none does.',
      labels: pair,
    }),
    lagBytes: metrics.gauge({
      name: 'lag_bytes',
      help: "WAL between what the target holds and the source's end; 0 when nothing waits.",
      labels: pair,
    }),
    waitingBlocks: metrics.gauge({
      name: 'waiting_blocks',
      help: 'Blocks in the topic that the target does not hold yet.',
      labels: pair,
    }),

    // Loads.
    loadedRows: metrics.counter({ name: 'rows_loaded_total', help: 'Rows copied by loads.', labels: pair }),
    loadedBytes: metrics.counter({
      name: 'bytes_loaded_total',
      help: 'Bytes of the rows copied by loads, as they travelled.',
      labels: pair,
    }),
    loadCopied: metrics.gauge({
      name: 'load_rows_copied',
      help: 'Rows that the load under way has copied; absent without one.',
      labels: ['pair', 'table'],
    }),
    loadExpected: metrics.gauge({
      name: 'load_rows_expected',
      help: 'Rows that it will have copied, as far as that can be known.',
      labels: ['pair', 'table'],
    }),
    loadProgress: metrics.gauge({
      name: 'load_progress_ratio',
      help: 'Part of its rows that the load under way has copied, from 0 to 1; absent without one.',
      labels: pair,
    }),

    // The bus.
    topicBlocks: metrics.gauge({
      name: 'bus_topic_blocks',
      help: "Blocks that a source's topic retains: the depth of the bus.",
      labels: source,
    }),
    topicBytes: metrics.gauge({
      name: 'bus_topic_bytes',
      help: "Disk held by a source's topic; absent where that is the broker's business.",
      labels: source,
    }),

    // Pairs, and what goes wrong.
    state: metrics.gauge({
      name: 'pair_state',
      help: '1 for the state that the pair is in; told by the supervisor alone.',
      labels: ['pair', 'state'],
    }),
    error: metrics.gauge({
      name: 'pair_error',
      help: '1 while an error holds the pair up, else 0; told by the supervisor alone.',
      labels: pair,
    }),
    retries: metrics.counter({
      name: 'retries_total',
      help: 'Interruptions after which work was tried again by itself, by error code.',
      labels: ['stage', 'code'],
    }),
    circuit: metrics.gauge(
      {
        name: 'circuit_state',
        help: 'Pieces of work by the state of their circuit: closed (running), open (waits after a failure, then tries again), halted (waits for somebody).',
        labels: ['stage', 'state'],
      },
      circuits,
    ),
    restarts: metrics.counter({
      name: 'restarts_total',
      help: 'Work or processes that were started again after a failure.',
      labels: ['stage'],
    }),
    healing: healingCounter(metrics),
  };
}

export type PipelineSeries = ReturnType<typeof pipelineSeries>;
