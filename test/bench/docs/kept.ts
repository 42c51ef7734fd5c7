import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RESULTS, type Run } from '../results.ts';
import type { SoakSample } from '../soak-verdict.ts';
import { backlogs, snapshots } from '../workloads.ts';

/** One measurement as it lies in `results/`. */
export interface Kept {
  readonly file: string;
  readonly workload: string;
  readonly title: string;
  readonly sides: readonly string[];
  readonly postgres: string;
  readonly rows?: number;
  readonly rate?: number;
  readonly variants?: readonly { readonly name: string; readonly value: number }[];
  readonly commit: string;
  readonly node: string;
  readonly machine: Readonly<Record<string, string | number>>;
  readonly samples?: readonly SoakSample[];
  /** Of `bench:gateway` (G1), which has no sides. */
  readonly figures?: GatewayFigures;
  readonly runs: readonly Run[];
}

/** The medians of the turns. */
export interface GatewayFigures {
  /** Milliseconds. */
  readonly requestsP99: number;
  readonly failures: number;
  /** Of the lag while requests are answered, to that while nobody asks. */
  readonly lagRatio: number;
  /** Share of a core that all event streams cost. */
  readonly streamsCpu: number;
}

/** Fewer turns than this are a look, not a figure; where nothing better is kept, they are shown as what they are. */
const ENOUGH_TURNS = 3;

/** Oldest first. */
export function readKept(folder = fileURLToPath(RESULTS)): Kept[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((file) => {
      const stored = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Partial<Pick<Kept, 'sides'>> &
        Omit<Kept, 'file' | 'sides'>;
      return { ...stored, file, sides: stored.sides ?? [] };
    });
}

/** What is measured, a rate or a size that is not the usual one included: "B1", "L1-1000", "X1-5000000". */
export function keyOf({ workload, rate, rows }: Pick<Kept, 'workload' | 'rate' | 'rows'>): string {
  if (/(^|-)L1$/.test(workload)) return `${workload}-${rate ?? 0}`;
  const usual = usualRows(workload);
  return usual !== undefined && rows !== undefined && rows > usual ? `${workload}-${rows}` : workload;
}

export const turnsOf = ({ runs }: Pick<Kept, 'runs'>): number =>
  new Set(runs.filter(({ turn }) => turn > 0).map(({ turn }) => turn)).size;

/**
 * The measurement that counts of each kind: of those in which the sides ran, the newest of full size with enough turns; else the newest of full size;
 * else the newest. Not the best one.
 */
export function counting(kept: readonly Kept[], key: string, sides: readonly string[]): Kept | undefined {
  const candidates = kept.filter((one) => keyOf(one) === key && sides.every((side) => one.sides.includes(side)));
  return (
    candidates.findLast((one) => isFull(one) && turnsOf(one) >= ENOUGH_TURNS) ??
    candidates.findLast(isFull) ??
    candidates.at(-1)
  );
}

export function isFull({ workload, rows }: Pick<Kept, 'workload' | 'rows'>): boolean {
  const usual = usualRows(workload);
  return usual === undefined || rows === undefined || rows >= usual;
}

function usualRows(workload: string): number | undefined {
  const name = workload === 'P1' ? 'B1' : workload.replace(/^K1-/, '');
  return (backlogs[name] ?? snapshots[name])?.rows;
}
