import { readFileSync, readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

/** Clock ticks a second in /proc/*​/stat; 100 on every Linux that Node runs on. */
const TICKS = 100;

interface Stat {
  readonly parent: number;
  /** Seconds of the process with all its threads. */
  readonly own: number;
  /** Seconds of children that have ended and were waited for. */
  readonly reaped: number;
}

/** CPU seconds of a process, its children and those that have ended. The command name may hold anything, hence the last parenthesis. */
export function treeCpuSeconds(pid: number): number {
  const stats = new Map<number, Stat>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = statOf(Number(entry));
    if (stat) stats.set(Number(entry), stat);
  }
  const sum = (id: number): number => {
    const stat = stats.get(id);
    if (!stat) return 0;
    const children = [...stats].filter(([, { parent }]) => parent === id);
    return stat.own + stat.reaped + children.reduce((total, [child]) => total + sum(child), 0);
  };
  return sum(pid);
}

/** CPU seconds of a process itself, with all its threads. */
export function ownCpuSeconds(pid: number): number {
  return statOf(pid)?.own ?? 0;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return {
      parent: fields[1]!,
      own: (fields[11]! + fields[12]!) / TICKS,
      reaped: (fields[13]! + fields[14]!) / TICKS,
    };
  } catch {
    return undefined; // It has just ended.
  }
}

/** Peak resident memory of a process in MiB (VmHWM). */
export function peakRssMiB(pid: number): number {
  return memory(pid, 'VmHWM');
}

/** Resident memory of a process in MiB, split: what it allocated, and pages of files it has mapped. */
export function rssMiB(pid: number): { readonly anonymous: number; readonly file: number } {
  return { anonymous: memory(pid, 'RssAnon'), file: memory(pid, 'RssFile') };
}

function memory(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1024;
}

export function machine(): Readonly<Record<string, string | number>> {
  return { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) };
}
