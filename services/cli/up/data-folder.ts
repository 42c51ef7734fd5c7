import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { TerraFusionError } from '#schemas/errors.ts';
import { lockFolder } from '#services/kernel/bus/folder-lock.ts';
import type { Log } from '#services/kernel/log.ts';

/** Held by the launcher as long as it runs: one launcher a data folder. */
const LAUNCHER_LOCK = 'launcher.lock';
/** Held by a sync-service that a gateway has started, so that the next launcher finds one that was orphaned. */
const SUPERVISED_LOCK = 'supervised-sync-service.lock';

/** Makes the data folder if need be and takes it for this launcher. @throws {TerraFusionError} DATA_FOLDER_UNUSABLE */
export async function takeDataFolder(folder: string): Promise<AsyncDisposable> {
  const probe = join(folder, `.probe-${randomUUID()}`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await writeFile(probe, '', { flag: 'wx' });
    await rm(probe);
  } catch (cause) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${folder} (TERRAFUSION_DATA) cannot be used: ${told(cause as NodeJS.ErrnoException)}`,
      { cause, details: { folder } },
    );
  }
  return await lockFolder(folder, LAUNCHER_LOCK);
}

/** Taken by a sync-service that is somebody's child. @throws {TerraFusionError} DATA_FOLDER_UNUSABLE when there is one already */
export async function takeSupervised(folder: string): Promise<AsyncDisposable> {
  await mkdir(folder, { recursive: true });
  return await lockFolder(folder, SUPERVISED_LOCK);
}

/**
 * Ends a sync-service whose launcher was killed: it ends by itself when it notices, unless it hangs. Waits for it, and kills it when it
 * takes longer than `patienceMs`: what it had in hand is repeated. (Promise 5)
 */
export async function endOrphan(folder: string, patienceMs: number, log: Log): Promise<void> {
  const deadline = performance.now() + patienceMs;
  let asked = false;
  for (;;) {
    const pid = await holderOf(folder);
    if (pid === undefined) return;
    if (!asked) log.warn({ pid }, 'A sync-service of an earlier start is still running and is asked to end.');
    const late = performance.now() > deadline;
    if (late) log.warn({ pid }, 'It does not end and is killed.');
    if (!asked || late) send(pid, late ? 'SIGKILL' : 'SIGTERM');
    asked = true;
    await delay(50);
  }
}

/** Kills our own sync-service, for who has no time left to ask it. */
export function killSupervised(folder: string): void {
  try {
    const { pid } = JSON.parse(readFileSync(join(folder, SUPERVISED_LOCK), 'utf8')) as { pid: number };
    send(pid, 'SIGKILL');
  } catch {
    // There is none.
  }
}

/** The live process that holds the lock of a supervised sync-service. */
async function holderOf(folder: string): Promise<number | undefined> {
  try {
    const lock = await lockFolder(folder, SUPERVISED_LOCK);
    await lock[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    const pid = error instanceof TerraFusionError ? error.details['pid'] : undefined;
    if (typeof pid !== 'number') throw error;
    return pid;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // ESRCH: it has just ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function told({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'this user may not write there';
    case 'EROFS':
      return 'it is on a read-only file system';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'it is a file, or lies below one';
    default:
      return message;
  }
}
