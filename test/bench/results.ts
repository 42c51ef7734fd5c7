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
  readonly changes: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  /** Of a load: until nothing of it is left to do; `seconds` ends when all rows are committed. */
  readonly readySeconds?: number;
  /** CPU seconds per million row changes. */
  readonly cpu: { readonly source: number; readonly target: number; readonly pipeline: number };
  readonly peakRssMiB: number | undefined;
  /** What of it was there at the end, in MiB: allocated memory, and mapped pages of files (the log). */
  readonly rssMiB: { readonly anonymous: number; readonly file: number } | undefined;
  /** Commit to applied, milliseconds; only where a steady load is measured. */
  readonly latency: { readonly p50: number; readonly p99: number; readonly max: number } | undefined;
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

/** Speed against the first side, from runs of the same turn; warm-ups left out. */
export function pairedRatios(runs: readonly Run[], side: string, reference: string): number[] {
  const counted = runs.filter(({ turn }) => turn > 0);
  return counted
    .filter((run) => run.side === side)
    .flatMap((run) => {
      const peer = counted.find((other) => other.side === reference && other.turn === run.turn);
      return peer ? [run.rowsPerSecond / peer.rowsPerSecond] : [];
    });
}

/** The runs as a Markdown table: medians, and the ratio to the first side with its range. */
export function markdownTable(title: string, sides: readonly string[], runs: readonly Run[]): string {
  const counted = runs.filter(({ turn }) => turn > 0);
  const head = ['side', 'rows/s', `ratio to ${sides[0]!}`, 'CPU s/M source', 'target', 'pipeline', 'peak RSS MiB'];
  const withLatency = counted.some(({ latency }) => latency !== undefined);
  const withReady = counted.some(({ readySeconds }) => readySeconds !== undefined);
  if (withReady) head.push('ready after s');
  if (withLatency) head.push('p50 ms', 'p99 ms', 'max ms');
  const rows = sides.map((side) => {
    const own = counted.filter((run) => run.side === side);
    const median = (pick: (run: Run) => number | undefined, digits: number): string => {
      const values = own.map(pick).filter((value) => value !== undefined);
      return values.length === 0 ? '' : spread(values).median.toFixed(digits);
    };
    const speeds = spread(own.map(({ rowsPerSecond }) => rowsPerSecond));
    const ratio = spread(pairedRatios(runs, side, sides[0]!));
    const cells = [
      side,
      `${speeds.median.toFixed(0)} (${speeds.min.toFixed(0)}–${speeds.max.toFixed(0)})`,
      side === sides[0] ? '1' : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
      median(({ cpu }) => cpu.source, 1),
      median(({ cpu }) => cpu.target, 1),
      median(({ cpu, peakRssMiB }) => (peakRssMiB === undefined ? undefined : cpu.pipeline), 1),
      median(({ peakRssMiB }) => peakRssMiB, 0),
    ];
    if (withReady) cells.push(median(({ readySeconds }) => readySeconds, 2));
    if (withLatency) {
      cells.push(...(['p50', 'p99', 'max'] as const).map((name) => median(({ latency }) => latency?.[name], 2)));
    }
    return cells;
  });
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [`**${title}**, ${counted.length / sides.length} turns`, '', ...lines].join('\n');
}

const folder = fileURLToPath(new URL('results', import.meta.url));

/** Keeps every raw run, with what it was measured on. Returns the file's name. */
export function keepResults(workload: string, facts: Readonly<Record<string, unknown>>, runs: readonly Run[]): string {
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
