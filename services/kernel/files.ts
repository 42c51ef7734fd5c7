import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes what was created, renamed or removed in the folder survive a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Windows cannot sync folders, and need not.
    if (process.platform !== 'win32') throw error;
  } finally {
    await handle.close();
  }
}

/** Replaces the file's content whole and durably: after a crash it has the old content or the new. `mode` 0600 unless told. */
export async function writeFileDurably(path: string, content: string, mode = 0o600): Promise<void> {
  const temporary = await writeBeside(path, content, mode);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/**
 * Writes the file unless it is there, whole and durably, and gives back what it holds then: of several processes that do this at the
 * same time all get the same content. `mode` 0600 unless told.
 */
export async function createFileOnce(path: string, content: string, mode = 0o600): Promise<string> {
  const held = await readIfThere(path);
  if (held !== undefined) return held;
  const temporary = await writeBeside(path, content, mode);
  try {
    await link(temporary, path);
    await syncFolder(dirname(path));
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readFile(path, 'utf8');
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The file's text; undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeBeside(path: string, content: string, mode: number): Promise<string> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}`;
  const handle = await open(temporary, 'wx', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temporary;
}
