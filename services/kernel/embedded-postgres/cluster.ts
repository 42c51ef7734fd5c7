import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Secret } from '#schemas/secret.ts';
import { syncFolder } from '../files.ts';
import { giveTo, spawnAs, type Account } from './account.ts';
import type { PostgresBinaries } from './binaries.ts';

/** Our settings, beside postgresql.conf and read by it; what ALTER SYSTEM says wins over them. */
const SETTINGS_FILE = 'terrafusion.conf';
const UNFINISHED = 'cluster.initialising-';

/** What initdb needs to know. */
export interface ClusterOwner {
  readonly user: string;
  readonly password: Secret;
}

/**
 * Whether there is a cluster.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE for one that is broken, or made by another major version.
 */
export async function checkCluster(cluster: string, binaries: PostgresBinaries): Promise<boolean> {
  if (!(await exists(cluster))) return false;
  const version = await readFile(join(cluster, 'PG_VERSION'), 'utf8').catch(() => '');
  if (version === '' || !(await exists(join(cluster, 'global/pg_control')))) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${cluster} is no complete PostgreSQL cluster: files are missing from it`,
      {
        details: { folder: cluster },
      },
    );
  }
  if (version.trim() !== String(binaries.major)) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${cluster} was made by PostgreSQL ${version.trim()}, and this version of TerraFusion brings ${binaries.version}`,
      { details: { folder: cluster } },
    );
  }
  return true;
}

/** Makes the cluster: beside its place, and moved there when it is whole, so that a crash leaves none or all of it. */
export async function createCluster(
  folder: string,
  cluster: string,
  { user, password }: ClusterOwner,
  binaries: PostgresBinaries,
  account: Account,
  { durable }: { readonly durable: boolean },
): Promise<void> {
  await removeUnfinished(folder);
  const temporary = join(folder, `${UNFINISHED}${randomBytes(4).toString('hex')}`);
  await mkdir(temporary, { mode: 0o700 });
  await giveTo(account, temporary);
  const passwordFile = join(folder, `${UNFINISHED}password`);
  try {
    await writeFile(passwordFile, '', { mode: 0o600 });
    await giveTo(account, passwordFile);
    await writeFile(passwordFile, `${password.reveal()}\n`);
    // C.UTF-8 sorts the same everywhere and for ever, unlike the languages of the operating system. Not every system has it.
    const failure = await initdb('C.UTF-8');
    const second = failure !== undefined && /invalid locale|locale name/i.test(failure) ? await initdb('C') : failure;
    if (second !== undefined) {
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `A PostgreSQL cluster could not be made in ${folder}: ${second}`,
      );
    }
  } finally {
    await rm(passwordFile, { force: true });
  }
  await appendFile(join(temporary, 'postgresql.conf'), `\ninclude_if_exists = '${SETTINGS_FILE}'\n`);
  await rename(temporary, cluster);
  if (durable) await syncFolder(folder);

  async function initdb(locale: string): Promise<string | undefined> {
    const child = spawnAs(
      account,
      binaries.initdb,
      [
        ...[
          `--pgdata=${temporary}`,
          `--username=${user}`,
          `--pwfile=${passwordFile}`,
          '--auth=scram-sha-256',
          '--encoding=UTF8',
        ],
        `--locale=${locale}`,
        ...(binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
        ...(durable ? [] : ['--no-sync']),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder },
    );
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    );
    if (code === 0) return undefined;
    return (
      said.split('\n').find((line) => /error|fatal|could not/i.test(line)) ?? `initdb ended with ${code ?? 'a signal'}`
    );
  }
}

/** What a launcher that was killed while making a cluster has left. */
async function removeUnfinished(folder: string): Promise<void> {
  const left = (await readdir(folder)).filter((name) => name.startsWith(UNFINISHED));
  await Promise.all(left.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** The settings file's content; the version in it makes a server of older binaries differ. */
export function settingsText(settings: Readonly<Record<string, string>>, binaries: PostgresBinaries): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return [
    `# Written by TerraFusion at each start, for PostgreSQL ${binaries.version}. ALTER SYSTEM overrides it.`,
    ...lines,
    '',
  ].join('\n');
}

/** The settings of the last start; empty when there was none. */
export async function readSettings(cluster: string): Promise<string> {
  return await readFile(join(cluster, SETTINGS_FILE), 'utf8').catch(() => '');
}

/** The port of the last start. */
export function portIn(settings: string): number | undefined {
  const port = /^port = '(\d+)'$/m.exec(settings)?.[1];
  return port === undefined ? undefined : Number(port);
}

export async function writeSettings(cluster: string, text: string, account: Account): Promise<void> {
  const file = join(cluster, SETTINGS_FILE);
  await writeFile(file, text, { mode: 0o600 });
  await giveTo(account, file);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
