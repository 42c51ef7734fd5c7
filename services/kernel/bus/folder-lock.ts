import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
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

/** Tokens of this very process: a stale lock can carry our own PID (the first process of a container is always 1). */
const ours = new Set<string>();

/** What a lock without sense, left by a crash of the whole machine, is read as. */
const broken: Holder = { pid: 0, started: '', host: '', token: 'broken' };

/** A lock is touched this often, in ms, so that a process on another host sees that it lives. */
const TOUCH_EVERY = 2000;
/** How many of these times one waits for a lock of another host to be touched. */
const PATIENCE = 3;

export interface FolderLock extends AsyncDisposable {
  readonly file: string;
}

/**
 * Takes a folder for this process, and makes it if need be: at most one live process holds it. A lock left by a process that is gone is taken over.
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
    started: (await statusOf(process.pid)).started,
    host: hostname(),
    token: randomUUID(),
  };
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${folder} cannot be made`, { cause });
  }
  ours.add(mine.token);
  const holder = await take(file, mine, touchEveryMs);
  if (holder !== undefined) {
    ours.delete(mine.token);
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${folder} is in use by process ${holder.pid} on ${holder.host}: only one process can use it at a time`,
      { details: { folder, pid: holder.pid, host: holder.host } },
    );
  }
  const touch = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), touchEveryMs);
  touch.unref();
  return {
    file,
    [Symbol.asyncDispose]: async () => {
      clearInterval(touch);
      await giveBack(file, mine);
      ours.delete(mine.token);
    },
  };
}

/** Takes the file for `mine`, or returns the live process that has it. */
async function take(file: string, mine: Holder, touchEveryMs: number): Promise<Holder | undefined> {
  for (;;) {
    if (await create(file, mine)) return undefined;
    const holder = await read(file);
    if (holder === undefined) continue;
    if (await lives(file, holder, touchEveryMs)) return holder;
    // Only who has taken this very stale lock's claim may remove it, and looks again first: a slow one would otherwise remove
    // the lock of the quick one that has come in the meantime. A claim is a lock like any other, should its holder die as well.
    const claim = `${file}.${holder.token}`;
    if ((await take(claim, mine, touchEveryMs)) === undefined) {
      if ((await read(file))?.token === holder.token) await rm(file, { force: true });
      await giveBack(claim, mine);
    } else {
      await delay(10);
    }
  }
}

async function giveBack(file: string, mine: Holder): Promise<void> {
  if ((await read(file))?.token === mine.token) await rm(file, { force: true });
}

/** Makes the file with all it says at once: nobody sees half a lock. False when there is one already. */
async function create(file: string, holder: Holder): Promise<boolean> {
  const draft = `${file}.${randomUUID()}`;
  try {
    await writeFile(draft, JSON.stringify(holder), { flag: 'wx' });
    await link(draft, file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${file} cannot be written`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Undefined when there is none. */
async function read(file: string): Promise<Holder | undefined> {
  let stored: string;
  try {
    stored = await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new TerraFusionError('DATA_FOLDER_UNUSABLE', `${file} cannot be read`, { cause });
  }
  try {
    const { pid, host, started = '', token = '' } = JSON.parse(stored) as Partial<Holder>;
    if (typeof pid === 'number' && pid > 0 && typeof host === 'string') return { pid, host, started, token };
  } catch {
    // Not JSON: broken as well.
  }
  return broken;
}

async function lives(file: string, holder: Holder, touchEveryMs: number): Promise<boolean> {
  if (holder === broken) return false;
  if (holder.host !== hostname()) return await isTouched(file, touchEveryMs);
  if (holder.pid === process.pid) return ours.has(holder.token);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const { started, dead } = await statusOf(holder.pid);
  if (dead) return false;
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
 * Boot and start time of a process on Linux; empty elsewhere, where a reused PID is taken for the same process. Dead: it was killed and has let go of
 * everything, but nobody has asked yet how it ended, so that its number is still taken.
 */
async function statusOf(pid: number): Promise<{ readonly started: string; readonly dead: boolean }> {
  try {
    const [status, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The name may hold spaces and parentheses; fields count from behind it. The state is the third, start time the 22nd, in ticks since boot.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
    return { started: `${boot.trim()}:${fields[19] ?? ''}`, dead: fields[0] === 'Z' || fields[0] === 'X' };
  } catch {
    return { started: '', dead: false };
  }
}
