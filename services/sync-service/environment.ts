import type { Clock, ConnectorContext, Log } from '#connectors/contract/context.ts';
import type { ReaderStatus } from '#connectors/contract/source.ts';
import type { Healing } from '#schemas/healing.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import type { PipelineMetrics } from './pipeline-metrics.ts';
import type { ControlPort } from './ports.ts';

/** What all work of a process shares. */
export interface WorkEnvironment {
  readonly bus: Bus;
  readonly control: ControlPort;
  readonly metrics: PipelineMetrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Live numbers of a reader that runs in this process. */
  readonly readers: Map<string, ReaderStatus | undefined>;
  /** WAL that a source may keep for us unless its system says otherwise, in bytes. */
  readonly walBudgetBytes: number;
  /** How often a source that does not tell of altered tables by itself is asked, in milliseconds. */
  readonly catalogPollMs: number;
  /** What heals by itself: switched, counted, noted. */
  readonly healing: Healing;
  readonly stuck: StuckLimits;
  /** What should be running has changed by our own doing: look again. */
  readonly wake: () => void;
}

/** When a stage counts as stuck; see `stuck.ts`. */
export interface StuckLimits {
  /** In milliseconds. */
  readonly afterMs: number;
  /** How often each has been stuck in a row. */
  readonly history: Map<string, number>;
}

/** What a connector is given for work on this pair or source. */
export function contextOf(
  { clock, log, healing }: Pick<WorkEnvironment, 'clock' | 'log' | 'healing'>,
  subject: string,
  signal: AbortSignal,
): ConnectorContext {
  return {
    clock,
    log,
    signal,
    healing: {
      isOn: (action) => healing.isOn(action),
      done: (action, message) => {
        healing.done(action, { subject, message });
      },
    },
  };
}
