import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { TerraFusionError } from '#schemas/errors.ts';

/** Who holds a folder, as the lock file says it. */
interface Holder {
  readonly pid: number;
  /** What tells this process from a later one with the same PID; empty where the system does not say. */
  readonly started: string;
  readonly host: string;
  /** Tells two takings of the same process apart. */
  readonly token: string;
}

/** Folders this very process holds: a stale lock can carry our own PID (the first process of a container is always 1). */
const heldHere = new Set<string>();

/** A lock is touched this often, in ms, so that a process on another host sees that it lives. */
const TOUCH_EVERY = 2000;
/** How many of these times one waits for a lock of another host to be touched. */
const PATIENCE = 3;

export interface FolderLock extends AsyncDisposable {
  readonly file: string;
}

/**
 * Takes a folder for this process: at most one live process holds it. A lock left by a process that is gone is taken over.
 * On the same host "gone" is known by PID and start time; a lock of another host (a volume moved between containers)
 * is stale when nobody touches it for some seconds, which this call waits for.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE when another live process holds it, or the file cannot be written
 */
export async function lockFolder(
  folder: string,
  name: string,
  { touchEveryMs = TOUCH_EVERY }: { readonly touchEveryMs?: number } = {},
): Promise<FolderLock> {
  const file = join(folder, name);
  const mine: Holder = {
    pid: process.pid,
    started: await startOf(process.pid),
    host: hostname(),
    token: randomUUID(),
  };
  // Each round either takes the lock, finds a live holder, or removes one stale lock; others may do the same, so a few rounds.
  for (let round = 0; round < 5; round++) {
    if (await create(file, mine)) {
      heldHere.add(file);
      const touch = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), touchEveryMs);
      touch.unref();
      return {
        file,
        [Symbol.asyncDispose]: async () => {
          clearInterval(touch);
          heldHere.delete(file);
          if ((await read(file))?.token === mine.token) await rm(file, { force: true });
        },
      };
    }
    const holder = await read(file);
    if (holder !== undefined && (await lives(file, holder, touchEveryMs))) {
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `${folder} is in use by process ${holder.pid} on ${holder.host}: only one process can use it at a time`,
        { details: { folder, pid: holder.pid, host: holder.host } },
      );
    }
    await removeStale(file, holder);
  }
  throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${folder}: several processes are taking it at the same time`);
}

async function create(file: string, holder: Holder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(holder), { flag: 'wx' });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${file} cannot be written`, { cause });
  }
}

/** Undefined when there is none, or when a crash left half of one. */
async function read(file: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(file, 'utf8')) as Partial<Holder>;
    if (typeof holder.pid !== 'number' || typeof holder.host !== 'string') return undefined;
    return { pid: holder.pid, host: holder.host, started: holder.started ?? '', token: holder.token ?? '' };
  } catch {
    return undefined;
  }
}

async function lives(file: string, holder: Holder, touchEveryMs: number): Promise<boolean> {
  if (holder.host !== hostname()) return await isTouched(file, touchEveryMs);
  if (holder.pid === process.pid) return heldHere.has(file);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const started = await startOf(holder.pid);
  return started === '' || holder.started === '' || started === holder.started;
}

/** Whether somebody touches the file while we look. Compares its times with each other only: hosts' clocks differ. */
async function isTouched(file: string, everyMs: number): Promise<boolean> {
  const before = await modified(file);
  for (let looks = 0; looks < 4 * PATIENCE; looks++) {
    await delay(everyMs / 4);
    if ((await modified(file)) !== before) return true;
  }
  return false;
}

async function modified(file: string): Promise<number> {
  return await stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

/**
 * Moves a stale lock away. Of several processes that judged the same lock, one moves it; a late one could move the new holder's,
 * so what was moved is looked at, and put back if it is not what was judged.
 */
async function removeStale(file: string, judged: Holder | undefined): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  try {
    await rename(file, aside);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${file} cannot be removed`, { cause });
  }
  if ((await read(aside))?.token !== judged?.token) await link(aside, file).catch(() => undefined);
  await rm(aside, { force: true });
}

/** Boot and start time of a process on Linux; empty elsewhere, where a reused PID is taken for the same process. */
async function startOf(pid: number): Promise<string> {
  try {
    const [status, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The name may hold spaces and parentheses; fields count from behind it. Start time is the 22nd, in ticks since boot.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return `${boot.trim()}:${fields[19] ?? ''}`;
  } catch {
    return '';
  }
}
