import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clusterSettings } from './clusters.ts';
import { machine } from './proc.ts';

/** One run of one side. */
export interface Run {
  readonly side: string;
  /** Runs of the same number belong together; 0 is the warm-up and counts for nothing. */
  readonly turn: number;
  /** Of a scaling: what this run had, "100 tables". */
  readonly variant?: string | undefined;
  readonly changes: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Of a load: until nothing of it is left to do; `seconds` ends when all rows are committed. */
  readonly readySeconds?: number;
  /** CPU seconds per million row changes. */
  readonly cpu: {
    readonly source: number;
    readonly target: number;
    readonly pipeline: number;
    readonly broker?: number;
  };
  readonly peakRssMiB: number | undefined;
  /** What of it was there at the end, in MiB: allocated memory, and mapped pages of files (the log). */
  readonly rssMiB: { readonly anonymous: number; readonly file: number } | undefined;
  /** Peak of the broker, where there is one. */
  readonly brokerRssMiB?: number;
  /** What a stop or a target that is down did; only where there is one. */
  readonly outage?: Outage;
  /** Commit to applied, milliseconds; only where a steady load is measured. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number } | undefined;
}

/** R1 and R2: from the moment at which the way was interrupted to the one at which the target was current again. */
export interface Outage {
  readonly seconds: number;
  /** Rows that waited when it was over. */
  readonly waiting: number;
  /** From reading again (R1), or from the target's first answer (R2), until no more than 100 ms of load were missing. */
  readonly catchUpSeconds: number;
  /** R2: what the slot did meanwhile. WAL the source wrote, and how far the slot confirmed it, in bytes. */
  readonly slot?: {
    readonly written: number;
    readonly confirmed: number;
    /** The most that the slot kept back at a look, in bytes. */
    readonly mostRetained: number;
    /** The longest time in which it confirmed nothing, in seconds. */
    readonly longestStill: number;
  };
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  };
}

/** Speed against the first side, or whatever is picked, from runs of the same turn and variant; warm-ups left out. */
export function pairedRatios(
  runs: readonly Run[],
  side: string,
  reference: string,
  pick: (run: Run) => number = ({ rowsPerSecond }) => rowsPerSecond,
): number[] {
  const counted = runs.filter(({ turn }) => turn > 0);
  return counted
    .filter((run) => run.side === side)
    .flatMap((run) => {
      const peer = counted.find(
        (other) => other.side === reference && other.turn === run.turn && other.variant === run.variant,
      );
      return peer ? [pick(run) / pick(peer)] : [];
    });
}

/** The runs as a Markdown table: medians, and the ratio to the first side with its range. */
export function markdownTable(title: string, sides: readonly string[], runs: readonly Run[]): string {
  const counted = runs.filter(({ turn }) => turn > 0);
  const variants = [...new Set(counted.map(({ variant }) => variant))];
  const has = (pick: (run: Run) => unknown): boolean => counted.some((run) => pick(run) !== undefined);
  const [scaled, kafka, load, latency, outage] = [
    has(({ variant }) => variant),
    has(({ cpu }) => cpu.broker),
    has(({ readySeconds }) => readySeconds),
    has((run) => run.latency),
    has((run) => run.outage),
  ];
  const head = [
    ...(scaled ? [''] : []),
    ...['side', 'rows/s', `ratio to ${sides[0]!}`, 'CPU s/M source', 'target', 'pipeline'],
    ...(kafka ? ['broker'] : []),
    'peak RSS MiB',
    ...(load ? ['ready after s'] : []),
    ...(latency ? ['p50 ms', 'p99 ms', 'max ms'] : []),
    ...(outage ? ['waiting', 'current after s'] : []),
  ];
  const rows = variants.flatMap((variant) =>
    sides.map((side) => {
      const of = counted.filter((run) => run.variant === variant);
      const own = of.filter((run) => run.side === side);
      const median = (pick: (run: Run) => number | undefined, digits: number): string => {
        const values = own.map(pick).filter((value) => value !== undefined);
        return values.length === 0 ? '' : spread(values).median.toFixed(digits);
      };
      const speeds = spread(own.map(({ rowsPerSecond }) => rowsPerSecond));
      const ratio = spread(pairedRatios(of, side, sides[0]!));
      return [
        ...(scaled ? [variant ?? ''] : []),
        side,
        `${speeds.median.toFixed(0)} (${speeds.min.toFixed(0)}–${speeds.max.toFixed(0)})`,
        side === sides[0] ? '1' : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
        median(({ cpu }) => cpu.source, 1),
        median(({ cpu }) => cpu.target, 1),
        median(({ cpu, peakRssMiB }) => (peakRssMiB === undefined ? undefined : cpu.pipeline), 1),
        ...(kafka ? [median(({ cpu }) => cpu.broker, 1)] : []),
        median(({ peakRssMiB }) => peakRssMiB, 0),
        ...(load ? [median(({ readySeconds }) => readySeconds, 2)] : []),
        ...(latency ? (['p50', 'p99', 'max'] as const).map((name) => median((run) => run.latency?.[name], 2)) : []),
        ...(outage ? [median((run) => run.outage?.waiting, 0), median((run) => run.outage?.catchUpSeconds, 2)] : []),
      ];
    }),
  );
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const turns = new Set(counted.map(({ turn }) => turn)).size;
  return [`**${title}**, ${turns} turn${turns === 1 ? '' : 's'}`, '', ...lines].join('\n');
}

export const RESULTS = new URL('results/', import.meta.url);
const folder = fileURLToPath(RESULTS);

/** Keeps every raw run, with what it was measured on. Returns the file's name. */
export function keepResults(
  workload: string,
  facts: Readonly<Record<string, unknown>>,
  runs: readonly object[],
): string {
  mkdirSync(folder, { recursive: true });
  const name = `${new Date().toISOString().replaceAll(/[:.]/g, '-').slice(0, 19)}-${workload}.json`;
  const content = {
    workload,
    ...facts,
    commit: commit(),
    node: process.version,
    machine: machine(),
    cluster_settings: clusterSettings,
    runs,
  };
  writeFileSync(join(folder, name), `${JSON.stringify(content, undefined, 2)}\n`);
  return name;
}

function commit(): string {
  try {
    const head = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: folder, encoding: 'utf8' }).trim();
    const changed = execFileSync('git', ['status', '--porcelain', '--', ':/schemas', ':/connectors', ':/services'], {
      cwd: folder,
      encoding: 'utf8',
    });
    return changed === '' ? head : `${head} with changes`;
  } catch {
    return 'unknown';
  }
}
