import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Secret } from '#schemas/secret.ts';
import { accountFor, giveTo, type Account } from '#services/kernel/embedded-postgres/account.ts';
import type { PostgresBinaries } from '#services/kernel/embedded-postgres/binaries.ts';
import { createCluster } from '#services/kernel/embedded-postgres/cluster.ts';

/** The superuser of every test cluster. */
export const SUPERUSER = { user: 'postgres', password: 'test-superuser-password' } as const;

const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/terrafusion-test', import.meta.url));

/** A folder of its own in the temporary folder, for the account. */
export async function accountFolder(prefix: string, binaries: PostgresBinaries): Promise<[string, Account]> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  const account = await accountFor(join(folder, 'data'), [tmpdir(), binaries.postgres, binaries.folder]);
  await giveTo(account, folder);
  return [folder, account];
}

/** A cluster as initdb leaves it, made once a machine and version, then copied: a server starts in a fraction of a second. */
export async function clusterTemplate(binaries: PostgresBinaries): Promise<string> {
  const template = join(cacheFolder, `cluster-${binaries.version}-${process.getuid?.() ?? 0}`);
  if (await exists(template)) return template;

  const [workshop, account] = await accountFolder('terrafusion-initdb-', binaries);
  try {
    const made = join(workshop, 'data');
    const owner = { user: SUPERUSER.user, password: new Secret(SUPERUSER.password) };
    await createCluster(workshop, made, owner, binaries, account, { durable: false });
    await mkdir(cacheFolder, { recursive: true });
    const fresh = await mkdtemp(join(cacheFolder, 'fresh-'));
    await copyTree(made, join(fresh, 'data'));
    await moveInPlace(join(fresh, 'data'), template);
    await rm(fresh, { recursive: true, force: true });
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return template;
}

/** Copies a folder with its owners and modes. */
export async function copyTree(from: string, to: string): Promise<void> {
  await promisify(execFile)('cp', ['-a', from, to]);
}

/** Somebody else may have made the same at the same time: theirs is as good. */
async function moveInPlace(fresh: string, place: string): Promise<void> {
  try {
    await rename(fresh, place);
  } catch (error) {
    if (!(await exists(place))) throw error;
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
