import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endOrphan, takeDataFolder } from '#services/cli/up/data-folder.ts';
import { silentLog } from '#services/kernel/log.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-folder-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the data folder', () => {
  test('is made, and belongs to one launcher', async () => {
    const data = join(folder, 'deep', 'data');
    const first = await takeDataFolder(data);
    expect((await stat(data)).isDirectory()).toBe(true);
    await expect(takeDataFolder(data)).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
    await expect(takeDataFolder(data)).rejects.toThrow(`in use by process ${process.pid}`);
    await first[Symbol.asyncDispose]();
    await (await takeDataFolder(data))[Symbol.asyncDispose]();
  });

  test('that is a file is refused, by name', async () => {
    const file = join(folder, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'below')]) {
      await expect(takeDataFolder(path)).rejects.toMatchObject({
        code: 'DATA_FOLDER_UNUSABLE',
        message: `${path} (TERRAFUSION_DATA) cannot be used: it is a file, or lies below one`,
      });
    }
  });

  test('that may not be written is refused', async (context) => {
    if (process.getuid?.() === 0) context.skip('root may write everywhere');
    await chmod(folder, 0o500);
    await expect(takeDataFolder(folder)).rejects.toThrow('this user may not write there');
    await chmod(folder, 0o700);
  });
});

describe('an orphaned sync-service', () => {
  const module = fileURLToPath(new URL('../../../../services/cli/up/data-folder.ts', import.meta.url));

  async function orphan(onSigterm: string) {
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { takeSupervised } from ${JSON.stringify(module)};
         await takeSupervised(${JSON.stringify(folder)});
         process.on('SIGTERM', () => { ${onSigterm} });
         setInterval(() => {}, 1000);
         console.log('taken');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(child.stdout, 'data');
    return child;
  }

  test('is asked to end and waited for', async () => {
    const child = await orphan('process.exit(3)');
    const ended = once(child, 'exit');
    await endOrphan(folder, 20_000, silentLog);
    expect(await ended).toEqual([3, null]);
  });

  test('is killed when it does not end', async () => {
    const child = await orphan('');
    const ended = once(child, 'exit');
    await endOrphan(folder, 300, silentLog);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  test('that is none is no trouble', async () => {
    await endOrphan(folder, 1000, silentLog);
  });
});
