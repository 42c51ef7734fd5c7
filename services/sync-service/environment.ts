import type { Clock, Log } from '#connectors/contract/context.ts';
import type { ReaderStatus } from '#connectors/contract/source.ts';
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
  /** What should be running has changed by our own doing: look again. */
  readonly wake: () => void;
}
