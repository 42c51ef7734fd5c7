import type { Clock, Log } from '#connectors/contract/context.ts';
import type { SlotStatus, Source } from '#connectors/contract/source.ts';
import { asTerraFusionError, errorKinds, type TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import type { SlotReading, WalBudgetLevel } from '#schemas/slots.ts';
import { failPairs, isLeftBehind, restsOn } from './fail-pairs.ts';
import type { PipelineMetrics } from './pipeline-metrics.ts';
import type { ControlPort, Generation } from './ports.ts';
import { leftBehind, whyGone } from './source-setup.ts';
import { describeBudget, WalBudgetWatch, type WalBudget } from './wal-budget.ts';
import type { WorkUnit } from './work.ts';

/** Between two looks, in milliseconds: each costs the source a connection. */
const LOOK_MS = 5000;

export interface SlotUnitOptions {
  readonly sourceId: string;
  readonly generation: Generation;
  readonly control: ControlPort;
  readonly metrics: PipelineMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** What a source may keep unless its system says otherwise, in bytes. */
  readonly walBudgetBytes: number;
}

/**
 * Looks after a source's slot, whether a reader runs or not: a reader that is away, halted or waits behind a full bus is when the WAL
 * grows. Tells state, budget, rate and time left; raises the alarm; gives the slot up where the operator has asked for that; and fails
 * the pairs when the slot is gone. (Promise 7, CHECKLIST 10)
 */
export function slotUnit(options: SlotUnitOptions): WorkUnit {
  const { sourceId, generation } = options;
  return {
    name: `slot:${sourceId}`,
    version: `generation ${generation.generation}${generation.givenUp === undefined ? '' : ' given up'}`,
    run: async (signal) => {
      try {
        await new SlotWatch(options, signal).run();
      } finally {
        options.metrics.slotGone(sourceId);
      }
    },
    // Of the control database, or a defect: the pairs tell their own troubles.
    interrupted: () => Promise.resolve(),
    halted: () => Promise.resolve(),
  };
}

class SlotWatch {
  readonly #options: SlotUnitOptions;
  readonly #signal: AbortSignal;
  #budget = new WalBudgetWatch();
  #level: WalBudgetLevel = 'ok';
  #unreachable = false;

  constructor(options: SlotUnitOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { control, clock, sourceId, generation } = this.#options;
    const before = await control.slotReading(sourceId);
    if (before?.generation === generation.generation) {
      this.#level = before.level;
      this.#budget = new WalBudgetWatch(before.level);
    }
    while (!this.#signal.aborted) {
      await this.#look();
      await clock.sleep(LOOK_MS, this.#signal).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { control, clock, log, sourceId, generation } = this.#options;
    // Opened anew each time: its connection may have been changed.
    let source: Source;
    let slot: SlotStatus;
    try {
      source = await control.openSource(sourceId);
      slot = await source.slotStatus(generation.stream.slot, { clock, log, signal: this.#signal });
    } catch (thrown) {
      if (this.#signal.aborted) return;
      const error = asTerraFusionError(thrown);
      // The last reading stays, and its age is shown. The reader tells what is wrong; without one, this does.
      if (!this.#unreachable)
        log.warn({ source: sourceId, code: error.code, error }, 'The slot could not be looked at.');
      this.#unreachable = true;
      return;
    }
    this.#unreachable = false;
    // What a standby says of its copies is not what the stream was made on: it waits for its promotion.
    if (slot.inRecovery) return;
    await this.#judge(source, slot);
  }

  async #judge(source: Source, slot: SlotStatus): Promise<void> {
    const { control, clock, metrics, sourceId, generation, walBudgetBytes } = this.#options;
    const policy = await control.walPolicy(sourceId);
    const budget = this.#budget.look(slot, clock.monotonic(), policy.budgetBytes ?? walBudgetBytes);
    let gone = whyGone(slot, generation);
    if (gone?.code === 'SOURCE_SLOT_MISSING') gone = await source.whyMissing(generation.stream, this.#context);
    const { slot: name } = generation.stream;
    const problem = gone ?? describeBudget(name, slot, budget, await control.readerTrouble(sourceId));
    metrics.slot(sourceId, slot, budget);
    await control.recordSlot(sourceId, readingOf(slot, budget, generation, problem));
    this.#tellChange(slot, budget, problem?.message);
    if (gone !== undefined) {
      await this.#fail(gone, restsOn(generation.generation));
      // Killed between noting that it is given up and dropping it.
      if (generation.givenUp !== undefined && slot.exists) await source.dropSlot(name, this.#context);
    } else if (budget.level === 'over' && policy.onBudget === 'drop_slot') {
      await this.#giveUp(source, slot, problem!.message);
    } else {
      await this.#fail(leftBehind(name), isLeftBehind(generation.generation));
    }
  }

  /** Once per change: a log that repeats itself is not read. */
  #tellChange(slot: SlotStatus, { level, budgetBytes, secondsLeft }: WalBudget, message: string | undefined): void {
    if (level === this.#level) return;
    this.#level = level;
    const { log, sourceId, generation } = this.#options;
    const fields = {
      source: sourceId,
      slot: generation.stream.slot,
      retainedBytes: slot.retainedBytes,
      budgetBytes,
      secondsLeft,
    };
    if (level === 'ok') log.info(fields, 'What the source keeps for us is well within its budget again.');
    else if (level === 'near') log.warn(fields, message ?? '');
    else log.error(fields, message ?? '');
  }

  async #fail(error: TerraFusionError, rests: ReturnType<typeof restsOn>): Promise<void> {
    await this.#ifLatest(() => failPairs(this.#options.sourceId, error, rests, this.#options));
  }

  /** Promise 7: the operator would rather load anew than have the source's disk run full. */
  async #giveUp(source: Source, status: SlotStatus, reason: string): Promise<void> {
    const { control, log, sourceId, generation } = this.#options;
    const { slot } = generation.stream;
    await this.#ifLatest(async () => {
      await control.giveUpGeneration(sourceId, generation, reason);
      log.error({ source: sourceId, slot, reason }, 'The slot is given up to spare the source, as on_wal_budget says.');
      const error = whyGone(status, { ...generation, givenUp: reason })!;
      await failPairs(sourceId, error, restsOn(generation.generation), this.#options);
      await source.dropSlot(slot, this.#context);
    });
  }

  /** Under the source's lock: a load that is making a new slot at this moment is not taken for one that rests on this one. */
  async #ifLatest(work: () => Promise<void>): Promise<void> {
    const { control, sourceId, generation } = this.#options;
    await control.lockedSource(sourceId, async () => {
      const latest = await control.generation(sourceId);
      if (latest?.generation === generation.generation && !this.#signal.aborted) await work();
    });
  }

  get #context(): { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal } {
    const { clock, log } = this.#options;
    return { clock, log, signal: this.#signal };
  }
}

function readingOf(
  slot: SlotStatus,
  budget: WalBudget,
  { generation, stream }: Generation,
  problem: { readonly code: keyof typeof errorKinds; readonly message: string } | undefined,
): SlotReading {
  const lsn = (value: Lsn | undefined): string | null => (value === undefined ? null : formatLsn(value));
  return {
    name: stream.slot,
    generation,
    state: slot.state,
    active: slot.active,
    active_pid: slot.activePid ?? null,
    restart_lsn: lsn(slot.restart),
    confirmed_lsn: lsn(slot.confirmed),
    retained_bytes: slot.retainedBytes ?? null,
    safe_bytes: slot.safeBytes ?? null,
    invalidation_reason: slot.invalidationReason ?? null,
    conflicting: slot.conflicting ?? null,
    inactive_since: slot.inactiveSince ?? null,
    failover: slot.failover ?? null,
    budget_bytes: budget.budgetBytes,
    bytes_per_second: budget.bytesPerSecond === undefined ? null : Math.round(budget.bytesPerSecond),
    seconds_left: budget.secondsLeft ?? null,
    level: budget.level,
    problem:
      problem === undefined
        ? null
        : { code: problem.code, message: problem.message, fix: errorKinds[problem.code].fix },
  };
}
