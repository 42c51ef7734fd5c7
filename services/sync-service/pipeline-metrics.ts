import type { SlotStatus, SourceBlock } from '#connectors/contract/source.ts';
import type { BatchOutcome } from '#connectors/contract/target.ts';
import { pairStates, type PairState } from '#schemas/pairs.ts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Names and labels as in the field; labels never hold keys of rows. Counted per block and batch, never per row. */
export class PipelineMetrics {
  readonly #read: Counter<'source'>;
  readonly #blocks: Counter<'source'>;
  readonly #bytes: Counter<'source'>;
  readonly #applied: Counter<'pair' | 'op'>;
  readonly #rejected: Counter<'pair' | 'stage'>;
  readonly #retries: Counter<'stage' | 'unit' | 'code'>;
  readonly #latency: Histogram<'pair'>;
  readonly #lagSeconds: Gauge<'pair'>;
  readonly #lagBytes: Gauge<'pair'>;
  readonly #retained: Gauge<'source'>;
  readonly #safe: Gauge<'source'>;
  readonly #budget: Gauge<'source'>;
  readonly #secondsLeft: Gauge<'source'>;
  readonly #copied: Counter<'pair'>;
  readonly #copiedBytes: Counter<'pair'>;
  readonly #state: Gauge<'pair' | 'state'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#read = new Counter({
      name: 'terrafusion_changes_read_total',
      help: 'Changes read from a source and stored in its topic.',
      labelNames: ['source'],
      registers,
    });
    this.#blocks = new Counter({
      name: 'terrafusion_blocks_stored_total',
      help: "Blocks stored in a source's topic.",
      labelNames: ['source'],
      registers,
    });
    this.#bytes = new Counter({
      name: 'terrafusion_stored_bytes_total',
      help: "Bytes of blocks stored in a source's topic.",
      labelNames: ['source'],
      registers,
    });
    this.#applied = new Counter({
      name: 'terrafusion_changes_applied_total',
      help: 'Rows written at a target, by operation.',
      labelNames: ['pair', 'op'],
      registers,
    });
    this.#rejected = new Counter({
      name: 'terrafusion_dead_letters_total',
      help: 'Changes that became dead letters, by stage.',
      labelNames: ['pair', 'stage'],
      registers,
    });
    this.#retries = new Counter({
      name: 'terrafusion_retries_total',
      help: 'Interruptions after which work was tried again, by error code.',
      labelNames: ['stage', 'unit', 'code'],
      registers,
    });
    this.#latency = new Histogram({
      name: 'terrafusion_end_to_end_latency_seconds',
      help: 'From the commit at the source to the commit at the target, for the last transaction of each batch.',
      labelNames: ['pair'],
      buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600],
      registers,
    });
    this.#lagSeconds = new Gauge({
      name: 'terrafusion_lag_seconds',
      help: 'Age of the oldest change that waits for the target; 0 when none does.',
      labelNames: ['pair'],
      registers,
    });
    this.#lagBytes = new Gauge({
      name: 'terrafusion_lag_bytes',
      help: "WAL between what the target holds and the source's end.",
      labelNames: ['pair'],
      registers,
    });
    this.#retained = new Gauge({
      name: 'terrafusion_slot_retained_bytes',
      help: 'WAL that the source keeps for our slot.',
      labelNames: ['source'],
      registers,
    });
    this.#safe = new Gauge({
      name: 'terrafusion_slot_safe_bytes',
      help: 'WAL until the source gives our slot up, where it has such a limit.',
      labelNames: ['source'],
      registers,
    });
    this.#budget = new Gauge({
      name: 'terrafusion_slot_budget_bytes',
      help: 'WAL that the source may keep for our slot.',
      labelNames: ['source'],
      registers,
    });
    this.#secondsLeft = new Gauge({
      name: 'terrafusion_slot_seconds_left',
      help: 'Until the budget of our slot is used up, at the present rate; absent while it does not grow.',
      labelNames: ['source'],
      registers,
    });
    this.#copied = new Counter({
      name: 'terrafusion_rows_loaded_total',
      help: 'Rows copied by loads.',
      labelNames: ['pair'],
      registers,
    });
    this.#copiedBytes = new Counter({
      name: 'terrafusion_bytes_loaded_total',
      help: 'Bytes of the rows copied by loads, as they travelled.',
      labelNames: ['pair'],
      registers,
    });
    this.#state = new Gauge({
      name: 'terrafusion_pair_state',
      help: '1 for the state that the pair is in.',
      labelNames: ['pair', 'state'],
      registers,
    });
  }

  stored(source: string, blocks: readonly SourceBlock[]): void {
    this.#blocks.inc({ source }, blocks.length);
    this.#read.inc(
      { source },
      blocks.reduce((sum, block) => sum + block.changes, 0),
    );
    this.#bytes.inc(
      { source },
      blocks.reduce((sum, block) => sum + block.bytes.length, 0),
    );
  }

  applied(pair: string, outcome: BatchOutcome): void {
    if (outcome.inserted > 0) this.#applied.inc({ pair, op: 'insert' }, outcome.inserted);
    if (outcome.updated > 0) this.#applied.inc({ pair, op: 'update' }, outcome.updated);
    if (outcome.deleted > 0) this.#applied.inc({ pair, op: 'delete' }, outcome.deleted);
  }

  deadLetters(pair: string, stage: 'process' | 'apply', count: number): void {
    this.#rejected.inc({ pair, stage }, count);
  }

  retried(stage: string, unit: string, code: string): void {
    this.#retries.inc({ stage, unit, code });
  }

  latency(pair: string, seconds: number): void {
    this.#latency.observe({ pair }, Math.max(0, seconds));
  }

  lag(pair: string, seconds: number, bytes: number | undefined): void {
    this.#lagSeconds.set({ pair }, seconds);
    if (bytes !== undefined) this.#lagBytes.set({ pair }, bytes);
  }

  slot(
    source: string,
    { retainedBytes, safeBytes }: SlotStatus,
    budget: { readonly budgetBytes: number; readonly secondsLeft: number | undefined },
  ): void {
    const tell = (gauge: Gauge<'source'>, value: number | undefined): void => {
      if (value === undefined) gauge.remove({ source });
      else gauge.set({ source }, value);
    };
    tell(this.#retained, retainedBytes);
    tell(this.#safe, safeBytes);
    tell(this.#budget, budget.budgetBytes);
    tell(this.#secondsLeft, budget.secondsLeft);
  }

  loaded(pair: string, rows: number, bytes: number): void {
    this.#copied.inc({ pair }, rows);
    this.#copiedBytes.inc({ pair }, bytes);
  }

  state(pair: string, state: PairState): void {
    for (const each of pairStates) this.#state.set({ pair, state: each }, each === state ? 1 : 0);
  }
}
