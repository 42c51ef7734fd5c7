import { execFile, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { chown, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { TerraFusionError } from '#schemas/errors.ts';

const run = promisify(execFile);

/** The user that PostgreSQL runs as: it refuses to run as root. */
export interface Account {
  /** undefined: the user we are. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined;
  /** What stands before each command: empty, or what lets the user through folders that are closed to it. */
  readonly prefix: readonly string[];
}

const self: Account = { ids: undefined, prefix: [] };
const USER = 'postgres';

/**
 * The account for a cluster in `folder`: ourselves, or, when we are root, who owns the cluster already, else the user postgres,
 * which is made if there is none. `needed` are the files and folders that it must be able to reach.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE when no such user can be had, or the folders are closed to it.
 */
export async function accountFor(cluster: string, needed: readonly string[]): Promise<Account> {
  if (process.getuid?.() !== 0) return self;
  const owner = await stat(cluster).catch(() => undefined);
  // A volume of a container whose users were numbered otherwise: the owner of the files may use them, whatever he is called.
  const ids =
    owner !== undefined && owner.uid !== 0
      ? { uid: owner.uid, gid: owner.gid }
      : ((await find(USER)) ?? (await create()));
  const closed = await firstClosed(needed, ids);
  if (closed === undefined) return { ids, prefix: [] };
  return { ids, prefix: await passage(ids, closed) };
}

/** Gives a file or folder to the account. */
export async function giveTo({ ids }: Account, path: string): Promise<void> {
  if (ids) await chown(path, ids.uid, ids.gid);
}

/** Starts a program as the account. Our own environment stays with us: it holds secrets. */
export function spawnAs(
  { ids, prefix }: Account,
  program: string,
  args: readonly string[],
  { stdio, detached = false, cwd }: { stdio: StdioOptions; detached?: boolean; cwd: string },
): ChildProcess {
  const [command, ...rest] = [...prefix, program, ...args] as [string, ...string[]];
  const inherited = ['PATH', 'LD_LIBRARY_PATH', 'TMPDIR', 'TEMP', 'SystemRoot', 'LOCPATH', 'LOCALE_ARCHIVE'].flatMap(
    (name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    },
  );
  const env = Object.fromEntries([...inherited, ['LC_MESSAGES', 'C'], ['TZ', 'UTC']]) as NodeJS.ProcessEnv;
  return spawn(command, rest, { stdio, detached, cwd, env, ...(prefix.length === 0 && ids ? ids : {}) });
}

async function find(name: string): Promise<{ uid: number; gid: number } | undefined> {
  const line = (await readFile('/etc/passwd', 'utf8').catch(() => ''))
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

async function create(): Promise<{ uid: number; gid: number }> {
  const attempts: [string, string[]][] = [
    ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', USER]],
    ['adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', USER]],
  ];
  for (const [program, args] of attempts) {
    await run(program, args).catch(() => undefined);
    const made = await find(USER);
    if (made) return made;
  }
  throw new TerraFusionError(
    'DATA_FOLDER_UNUSABLE',
    `PostgreSQL does not run as root, and the user "${USER}" can neither be found nor made; run as another user, or make that one`,
  );
}

/** The first file or folder on the way to one of `paths` that the user may not pass. */
async function firstClosed(paths: readonly string[], ids: { uid: number; gid: number }): Promise<string | undefined> {
  for (const path of paths) {
    for (let at = path; ; at = dirname(at)) {
      const { mode, uid, gid } = await stat(at);
      const bits = uid === ids.uid ? mode >> 6 : gid === ids.gid ? mode >> 3 : mode;
      if ((bits & 1) === 0) return at;
      if (at === dirname(at)) break;
    }
  }
  return undefined;
}

/**
 * A home of root, or a temporary folder made by it, is closed to everybody else. Instead of opening it, PostgreSQL gets the one
 * right it lacks: to pass and read what is closed; on kernels and containers that withhold that one, to disregard permissions.
 */
async function passage(ids: { uid: number; gid: number }, closed: string): Promise<string[]> {
  const limits = /^CapBnd:\s*([0-9a-f]+)/m.exec(await readFile('/proc/self/status', 'utf8').catch(() => ''))?.[1];
  const allowed = BigInt(`0x${limits ?? '0'}`);
  const right = allowed & 4n ? 'dac_read_search' : allowed & 2n ? 'dac_override' : undefined;
  const works =
    right !== undefined &&
    (await run('setpriv', ['--version']).then(
      () => true,
      () => false,
    ));
  if (!works) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `PostgreSQL does not run as root, and the user it runs as instead (${ids.uid}) may not pass ${closed}; ` +
        'put project and data where other users may go, or run as the user who owns them',
      { details: { folder: closed } },
    );
  }
  return [
    'setpriv',
    `--reuid=${ids.uid}`,
    `--regid=${ids.gid}`,
    '--clear-groups',
    `--inh-caps=+${right}`,
    `--ambient-caps=+${right}`,
    '--',
  ];
}
