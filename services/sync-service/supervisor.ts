import { randomUUID } from 'node:crypto';
import type { ReaderStatus } from '#connectors/contract/source.ts';
import type { Control } from '#services/control/control.ts';
import { SelfHealing } from '#services/control/self-healing.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { tryHoldLease } from '#services/kernel/leases.ts';
import type { Service } from '#services/kernel/lifecycle.ts';
import { boundLog, type Log } from '#services/kernel/log.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { WorkEnvironment } from './environment.ts';
import { busMetrics } from './bus-metrics.ts';
import { PipelineMetrics, stageOf } from './pipeline-metrics.ts';
import { mayRestart, noteRestart, switchedOff } from './restarts.ts';
import { replayLetter, type ReplayRow } from './replay.ts';
import { supervisionStore } from './supervision-store.ts';
import { wantedWork, type Role } from './wanted.ts';
import { WorkEngine, type WithLease } from './work.ts';

/** How long a lease outlives a process that was killed, in milliseconds. */
const LEASE_MS = 10_000;
/** How long replaying one dead letter may take, in milliseconds. */
const REPLAY_MS = 30_000;

export interface SupervisorParts {
  readonly control: Control;
  readonly bus: Bus;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly roles: ReadonlySet<Role>;
  /** WAL that a source may keep for us unless its system says otherwise, in bytes. */
  readonly walBudgetBytes: number;
  /** How often a source that does not tell of altered tables by itself is asked, in milliseconds. */
  readonly catalogPollMs: number;
  /** How long a stage with work may give no sign of life, in milliseconds. */
  readonly stuckAfterMs: number;
  /** This process, as it is called. */
  readonly component: string;
  /**
   * Names the installation whose bus this process has to itself (embedded bus): leases that an earlier process of it has left are
   * taken over at once. undefined: others may be alive, and a dead one's leases run out.
   */
  readonly installation: string | undefined;
}

/** What runs in this process. */
export interface SupervisorStatus {
  readonly bus: Bus['kind'];
  readonly roles: readonly Role[];
  readonly restarts: Readonly<Record<string, number>>;
}

/** Makes what runs equal to what the control database says should run. */
export class Supervisor implements Service {
  readonly #parts: SupervisorParts;
  readonly #environment: WorkEnvironment;
  readonly #engine: WorkEngine;
  readonly #holder: string;
  readonly #healing: SelfHealing;
  /** Work that another process had when we asked for it. */
  readonly #heldElsewhere = new Set<string>();

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    const { control, bus, clock, log, roles } = parts;
    const metrics = new PipelineMetrics(parts.metrics, () => this.#engine.circuits());
    busMetrics(parts.metrics, bus);
    this.#healing = new SelfHealing({
      control,
      by: parts.component,
      count: (action) => {
        metrics.healed(action);
      },
      log,
    });
    this.#holder = `${parts.installation ?? randomUUID()}/${randomUUID()}`;
    this.#environment = {
      bus,
      control: supervisionStore(control),
      metrics,
      clock,
      log,
      walBudgetBytes: parts.walBudgetBytes,
      catalogPollMs: parts.catalogPollMs,
      readers: new Map<string, ReaderStatus | undefined>(),
      healing: this.#healing,
      stuck: { afterMs: parts.stuckAfterMs, history: new Map() },
      wake: () => {
        this.wake();
      },
    };
    this.#engine = new WorkEngine({
      wanted: async () => {
        await this.#healing.look();
        return await wantedWork(this.#environment, roles, (name) => this.#engine.isRunning(name));
      },
      withLease: this.#withLease,
      clock,
      log,
      onRestart: (name, error, unit) => {
        metrics.restarted(stageOf(name));
        if (unit.stageOf !== undefined) noteRestart(this.#healing, unit.stageOf, error);
      },
      refusal: ({ stageOf: subject }, error) =>
        subject === undefined || mayRestart(this.#healing, error)
          ? undefined
          : switchedOff('restart_stage', `${error.code}: ${error.message}`),
    });
  }

  /** Looks at once whether something else should be running. */
  wake(): void {
    this.#engine.wake();
  }

  status(): SupervisorStatus {
    return {
      bus: this.#parts.bus.kind,
      roles: [...this.#parts.roles],
      restarts: Object.fromEntries(this.#engine.restarts),
    };
  }

  /**
   * Writes a dead letter's row to its target, as it is stored or as given here, and resolves once the target has committed it.
   * @throws {TerraFusionError} NOT_FOUND, PAIR_ROW_INVALID, TARGET_ROW_REJECTED, TARGET_CONFLICT, CONFLICTING_STATE
   */
  async replay(letterId: string, row?: ReplayRow, request?: string): Promise<void> {
    const { control, clock } = this.#parts;
    const letter = await control.deadLetters.get(letterId);
    const pair = await control.pairs.get(letter.pair.id);
    const log = boundLog(this.#parts.log, { pair: pair.name, pair_id: pair.id, dead_letter: letterId, request });
    const source = await this.#environment.control.openSource(pair.sourceId);
    const target = await this.#environment.control.openTarget(pair.targetId);
    const context = { clock, log, signal: AbortSignal.timeout(REPLAY_MS) };
    await replayLetter(letter, row ?? letter.row, pair.definition, { source, target }, context);
    log.info({}, 'A dead letter was replayed.');
  }

  /** Until the signal is aborted; then drains. */
  async run(signal: AbortSignal): Promise<void> {
    const { database } = this.#parts.control;
    await this.#takeOver();
    const listening = database.listen('terrafusion_changes', () => {
      this.wake();
    });
    try {
      await this.#engine.run(signal);
    } finally {
      await listening[Symbol.asyncDispose]();
      await this.#healing.flush().catch(() => undefined);
    }
  }

  async #takeOver(): Promise<void> {
    const { installation, control } = this.#parts;
    if (installation === undefined) return;
    const taken = await control.database.query<{ name: string }>(
      `UPDATE terrafusion.leases SET expires_at = clock_timestamp() WHERE starts_with(holder, $1) AND expires_at > clock_timestamp()
       RETURNING name`,
      [`${installation}/`],
    );
    for (const { name } of taken) this.#tookOver(name, 'An earlier process of this installation has left it');
  }

  #tookOver(work: string, why: string): void {
    this.#healing.done('take_over_work', { subject: work, message: `${why}: the work is gone on with here` });
  }

  readonly #withLease: WithLease = async (name, signal, work) => {
    const { control, log, clock } = this.#parts;
    await using lease = await tryHoldLease(control.database, {
      name,
      holder: this.#holder,
      ttlMs: LEASE_MS,
      log,
      clock,
    });
    if (!lease) {
      this.#heldElsewhere.add(name);
      return 'held-elsewhere';
    }
    if (this.#heldElsewhere.delete(name)) this.#tookOver(name, 'Another process had it, and has it no more');
    await work(AbortSignal.any([signal, lease.signal]), lease.lease);
    return 'done';
  };
}
