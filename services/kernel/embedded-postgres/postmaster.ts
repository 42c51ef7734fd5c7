import { execFile } from 'node:child_process';
import { readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** What postmaster.pid says. */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number | undefined;
  /** "starting", "ready", "stopping", …; empty in the first moments. */
  readonly status: string;
}

const POLL_MS = 15;

/** Reads the cluster's postmaster.pid; undefined when there is none, or half of one. */
export async function readPostmasterFile(cluster: string): Promise<PostmasterFile | undefined> {
  const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => ''))
    .split('\n')
    .map((line) => line.trim());
  const pid = Number(lines[0]);
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  return {
    pid,
    port: lines[3] === undefined || lines[3] === '' ? undefined : Number(lines[3]),
    status: lines[7] ?? '',
  };
}

/** Whether the process exists and has not ended; a dead one that nobody has buried yet does not count. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return !/^[ZX]/.test(status.slice(status.lastIndexOf(')') + 2));
}

/**
 * The server that runs on this cluster, started by us or by a launcher that is gone. A PID in the file alone proves nothing:
 * after a crash of the machine it may be anybody's.
 */
export async function findPostmaster(cluster: string): Promise<PostmasterFile | undefined> {
  const file = await readPostmasterFile(cluster);
  if (file === undefined || !(await isAlive(file.pid))) return undefined;
  return (await worksIn(file.pid, cluster)) ? file : undefined;
}

/** A process of PostgreSQL whose folder is the cluster's: that tells it from any other, the shell of a curious person included. */
async function worksIn(pid: number, cluster: string): Promise<boolean> {
  if (platform() === 'linux') {
    if ((await readlink(`/proc/${pid}/cwd`).catch(() => '')) !== cluster) return false;
    return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).startsWith('postgres');
  }
  const { stdout } = await promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']).catch(() => ({
    stdout: '',
  }));
  return stdout.includes('postgres');
}

/**
 * Clears what a killed server has left: its processes, which end by themselves but not at once, and a postmaster.pid whose PID
 * is somebody else's by now, which PostgreSQL itself would not dare to remove. Only for a cluster without a running server.
 */
export async function clearRemains(cluster: string): Promise<void> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const left = await processesIn(cluster);
    if (left.length === 0) break;
    if (performance.now() > deadline) {
      for (const pid of left) kill(pid, 'SIGKILL');
    }
    await delay(POLL_MS);
  }
  // While processes of it were left this file would have protected the data from a second server; now there are none.
  await rm(join(cluster, 'postmaster.pid'), { force: true });
}

async function processesIn(cluster: string): Promise<number[]> {
  if (platform() !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const checked = await Promise.all(
    pids.map(async (pid) => (await worksIn(pid, cluster)) && pid !== process.pid && (await isAlive(pid))),
  );
  return pids.filter((_, index) => checked[index]);
}

/**
 * Ends the server: clean and fast (sessions are ended, everything is written), and when that takes too long, at once, which the
 * next start repairs. Returns when it is gone.
 */
export async function stopPostmaster(pid: number, patienceMs: number): Promise<void> {
  const steps: [NodeJS.Signals, number][] = [
    ['SIGINT', patienceMs],
    ['SIGQUIT', 10_000],
    ['SIGKILL', 10_000],
  ];
  for (const [signal, patience] of steps) {
    kill(pid, signal);
    if (await untilGone(pid, patience)) return;
  }
}

/** Resolves once the process has ended; to false when that has not happened after `ms`. */
export async function untilGone(pid: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  for (;;) {
    if (!(await isAlive(pid))) return true;
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone, which is what was wanted; or not ours, which the wait that follows will show.
  }
}

/** Waits until the server accepts connections; false when its process ends before. However long recovery takes. */
export async function untilReady(cluster: string, pid: number, signal?: AbortSignal): Promise<boolean> {
  for (;;) {
    signal?.throwIfAborted();
    const file = await readPostmasterFile(cluster);
    if (file?.pid === pid && file.status === 'ready') return true;
    if (file?.status === 'stopping' || !(await isAlive(pid))) return false;
    await delay(POLL_MS);
  }
}

/**
 * Why a server did not start, in its own words: from what it said before it opened its log, or else from the end of that.
 * Newest last, without time stamps.
 */
export async function lastWords(cluster: string, startLog: string): Promise<string[]> {
  const before = complaints(await readFile(startLog, 'utf8').catch(() => ''));
  if (before.some((line) => /^(FATAL|PANIC)/.test(line))) return before;
  const folder = join(cluster, 'log');
  const files = await Promise.all(
    (await readdir(folder).catch(() => [])).map(async (name) => {
      const path = join(folder, name);
      return { path, written: (await stat(path)).mtimeMs };
    }),
  );
  const newest = files.sort((a, b) => a.written - b.written).at(-1);
  return [...before, ...complaints(newest === undefined ? '' : await readFile(newest.path, 'utf8')).slice(-5)];
}

function complaints(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/^.*?(?=\b(?:FATAL|PANIC|ERROR|LOG|WARNING|HINT|DETAIL): )/, '').trim())
    .filter((line) =>
      /^(?:FATAL|PANIC|ERROR|HINT)|^LOG: +(?:invalid|could not|syntax|unrecognized|parameter)|: error|not found|denied/.test(
        line,
      ),
    );
}
