import { pairedRatios, spread, type Run, type Spread } from '../results.ts';

/** What comes out of some runs of one side. */
export interface Figures {
  readonly rowsPerSecond: Spread;
  readonly cpu: {
    readonly source: number;
    readonly target: number;
    readonly pipeline: number;
    readonly broker: number | undefined;
  };
  readonly peakRssMiB: number | undefined;
  readonly brokerRssMiB: number | undefined;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
  readonly runs: readonly Run[];
}

/** Undefined when the side did not run. */
export function figuresOf(runs: readonly Run[], side: string): Figures | undefined {
  const own = runs.filter((run) => run.turn > 0 && run.side === side);
  if (own.length === 0) return undefined;
  const median = (pick: (run: Run) => number | undefined): number | undefined => {
    const values = own.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : spread(values).median;
  };
  return {
    rowsPerSecond: spread(own.map(({ rowsPerSecond }) => rowsPerSecond)),
    cpu: {
      source: median(({ cpu }) => cpu.source)!,
      target: median(({ cpu }) => cpu.target)!,
      pipeline: median(({ cpu }) => cpu.pipeline)!,
      broker: median(({ cpu }) => cpu.broker),
    },
    peakRssMiB: median(({ peakRssMiB }) => peakRssMiB),
    brokerRssMiB: median(({ brokerRssMiB }) => brokerRssMiB),
    p50: median(({ latency }) => latency?.p50),
    p99: median(({ latency }) => latency?.p99),
    runs: own,
  };
}

/** Paired by turn: of rows/s, or of what is picked. Undefined when there is no turn in which both ran. */
export function ratioOf(
  runs: readonly Run[],
  side: string,
  reference: string,
  pick?: (run: Run) => number,
): Spread | undefined {
  const ratios = pairedRatios(runs, side, reference, pick);
  return ratios.length === 0 ? undefined : spread(ratios);
}
