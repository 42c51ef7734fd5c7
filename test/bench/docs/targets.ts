import { figuresOf, ratioOf } from './figures.ts';
import { counting, type Kept } from './kept.ts';

/** What has to be reached: `floor` must, `aim` is where the design can go. */
export interface Target {
  readonly workload: string;
  readonly what: string;
  readonly floor: number | undefined;
  readonly aim: number;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** What the figure is of: the kept measurement, and the figure. Undefined while it was not measured. */
  measured(kept: readonly Kept[]): Measured | undefined;
}

export interface Measured {
  readonly value: number;
  readonly file: string;
}

export type Verdict = 'aim met' | 'floor met' | 'missed' | 'missed by less than 10 %' | 'not measured';

/** Less than that is called equal where two are compared, since noise makes as much: a floor that is missed by less is missed all the same. */
const NOISE = 0.1;

export function verdictOf({ floor, aim, better }: Target, value: number | undefined): Verdict {
  if (value === undefined) return 'not measured';
  const reaches = (bound: number): boolean => (better === 'more' ? value >= bound : value <= bound);
  if (reaches(aim)) return 'aim met';
  if (floor === undefined || reaches(floor)) return 'floor met';
  return reaches(better === 'more' ? floor * (1 - NOISE) : floor * (1 + NOISE)) ? 'missed by less than 10 %' : 'missed';
}

const OURS = 'pipeline';

function ratio(workload: string, floor: number, aim: number, reference = 'native', what?: string): Target {
  return {
    workload,
    what: what ?? 'rows/s, ratio to native',
    floor,
    aim,
    unit: '×',
    better: 'more',
    measured: (kept) => {
      const found = counting(kept, workload, [OURS, reference]);
      const value = found && ratioOf(found.runs, OURS, reference)?.median;
      return value === undefined ? undefined : { value, file: found!.file };
    },
  };
}

interface Least {
  readonly workload: string;
  readonly what: string;
  readonly unit: string;
  readonly floor: number | undefined;
  readonly aim: number;
}

function least(
  target: Least,
  pick: (figures: NonNullable<ReturnType<typeof figuresOf>>) => number | undefined,
): Target {
  return {
    ...target,
    better: 'less',
    measured: (kept) => {
      const found = counting(kept, target.workload, [OURS]);
      const figures = found && figuresOf(found.runs, OURS);
      const value = figures && pick(figures);
      return value === undefined ? undefined : { value, file: found!.file };
    },
  };
}

const rss = (workload: string, floor: number, aim: number, what = 'peak RSS'): Target =>
  least({ workload, what, unit: 'MiB', floor, aim }, ({ peakRssMiB }) => peakRssMiB);
const cpu = (workload: string, floor: number, aim: number): Target =>
  least({ workload, what: 'CPU of the pipeline', unit: 's/M rows', floor, aim }, (figures) => figures.cpu.pipeline);
const latency = (workload: string, of: 'p50' | 'p99', floor: number | undefined, aim: number): Target =>
  least({ workload, what: `latency ${of}`, unit: 'ms', floor, aim }, (figures) => figures[of]);

const price = (chain: string): Target => ({
  workload: 'P1',
  what: `CPU of the pipeline, ${chain}, ratio to no-op`,
  floor: 1.5,
  aim: 1.25,
  unit: '×',
  better: 'less',
  measured: (kept) => {
    const found = counting(kept, 'P1', ['no-op', chain]);
    const value = found && ratioOf(found.runs, chain, 'no-op', (run) => run.cpu.pipeline)?.median;
    return value === undefined ? undefined : { value, file: found!.file };
  },
});

/** While the target is down, what the source wrote must be confirmed all the same: it goes on into the topic. (Promise 7) */
const advancing: Target = {
  workload: 'R2',
  what: 'share of the WAL that the slot confirmed while the target was down',
  floor: 0.9,
  aim: 0.99,
  unit: '',
  better: 'more',
  measured: (kept) => {
    const found = counting(kept, 'R2', [OURS]);
    const shares = found?.runs.flatMap(({ side, outage }) =>
      side === OURS && outage?.slot ? [outage.slot.confirmed / outage.slot.written] : [],
    );
    return shares === undefined || shares.length === 0 ? undefined : { value: Math.min(...shares), file: found!.file };
  },
};

export const targets: readonly Target[] = [
  ratio('S1', 1.3, 1.7),
  ratio('B1', 1, 1.25),
  ratio('B2', 1.5, 2.5),
  ratio('O1', 1.2, 2),
  ratio('U1', 1, 1.5),
  ratio('D1', 1, 1.5),
  ratio('X1', 1, 1.5),
  ratio('R1', 1, 2, 'native', 'rows/s while draining, ratio to native'),
  advancing,
  rss('X1', 300, 150),
  rss('X1-5000000', 300, 150),
  latency('L1-1000', 'p50', 5, 1.5),
  latency('L1-1000', 'p99', 25, 8),
  rss('L1-1000', 400, 200, 'peak RSS, steady'),
  cpu('B1', 6, 3.5),
  cpu('O1', 10, 7),
  price('rename + filter'),
  price('compute + rule'),
  ratio('B1', 2, 4, 'npm baseline', 'rows/s, ratio to the npm baseline'),
  ratio('B1', 6, 10, 'debezium', 'rows/s, ratio to Debezium → Kafka → JDBC'),
  ratio('K1-B1', 4, 8, 'debezium', 'rows/s through Kafka, ratio to Debezium → Kafka → JDBC'),
  latency('K1-L1-1000', 'p50', undefined, 10),
  latency('K1-L1-1000', 'p99', 40, 20),
];
