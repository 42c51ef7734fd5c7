import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Process ids of all children and their children, as they are now. */
export async function descendants(pid: number): Promise<number[]> {
  const children = await childrenOf(pid);
  const deeper = await Promise.all(children.map(descendants));
  return [...children, ...deeper.flat()];
}

async function childrenOf(pid: number): Promise<number[]> {
  const list =
    platform() === 'linux'
      ? await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
      : await run('pgrep', ['-P', String(pid)]).then(
          ({ stdout }) => stdout,
          () => '',
        );
  return list.split(/\s+/).filter(Boolean).map(Number);
}
