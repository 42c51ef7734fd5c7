import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export const PROJECT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');

/** A copy of the working tree, uncommitted changes included, for programs that change it; gone when it is disposed of. */
export class Workspace implements AsyncDisposable {
  readonly folder: string;

  static async make(): Promise<Workspace> {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-mutations-'));
    const workspace = new Workspace(folder);
    try {
      const { stdout } = await promisify(execFile)(
        'git',
        ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        { cwd: PROJECT, maxBuffer: 2 ** 26 },
      );
      for (const file of new Set(stdout.split('\0').filter((name) => name !== ''))) {
        await mkdir(dirname(join(folder, file)), { recursive: true });
        // A file that is removed and not yet committed is still in the list.
        await copyFile(join(PROJECT, file), join(folder, file)).catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        });
      }
      await symlink(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
      return workspace;
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Nothing stays behind when the process is told to end in the middle of it. */
  readonly #atExit = (): void => {
    rmSync(this.folder, { recursive: true, force: true });
  };

  private constructor(folder: string) {
    this.folder = folder;
    process.once('exit', this.#atExit);
  }

  read(file: string): Promise<string> {
    return readFile(join(this.folder, file), 'utf8');
  }

  /** Runs `work` while the file holds another text. */
  async with<T>(file: string, text: string, work: () => Promise<T>): Promise<T> {
    const before = await this.read(file);
    try {
      await writeFile(join(this.folder, file), text);
      return await work();
    } finally {
      await writeFile(join(this.folder, file), before);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.removeListener('exit', this.#atExit);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
