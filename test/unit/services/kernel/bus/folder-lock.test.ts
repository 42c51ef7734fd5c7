import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFolder } from '#services/kernel/bus/folder-lock.ts';
import { eventually } from '#test/support/eventually.ts';

describe('the lock of a folder', () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'terrafusion-lock-'));
    file = join(folder, 'bus.lock');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const leave = (holder: object): Promise<void> => writeFile(file, JSON.stringify(holder));
  const refused = async (): Promise<void> => {
    await expect(lockFolder(folder, 'bus.lock')).rejects.toMatchObject({ code: 'DATA_FOLDER_UNUSABLE' });
  };

  test('is held until it is given back', async () => {
    const lock = await lockFolder(folder, 'bus.lock');
    await refused();
    await lock[Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual([]);
    await using again = await lockFolder(folder, 'bus.lock');
    expect(again.file).toBe(file);
  });

  test('of a live process is respected', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    try {
      await leave({ pid: other.pid, started: '', host: hostname(), token: 'x' });
      await refused();
    } finally {
      other.kill('SIGKILL');
      await once(other, 'exit');
    }
    await using lock = await lockFolder(folder, 'bus.lock');
    expect(JSON.parse(await readFile(lock.file, 'utf8'))).toMatchObject({ pid: process.pid });
  });

  test('of a process that is gone is taken over, also when its PID belongs to somebody else by now', async () => {
    await leave({ pid: process.ppid, started: 'another boot:1', host: hostname(), token: 'x' });
    await using lock = await lockFolder(folder, 'bus.lock');
    expect(lock.file).toBe(file);
  });

  test('of a process that was killed, and whose end nobody has asked for yet, is taken over', async ({ skip }) => {
    skip(process.platform !== 'linux', 'only Linux tells such a process');
    // What the shell becomes never asks what has become of the child that the shell had.
    const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [said] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(said.toString());
      await leave({ pid, started: '', host: hostname(), token: 'x' });
      await refused();
      await eventually(async () => (await readFile(`/proc/${parent.pid!}/comm`, 'utf8')) === 'sleep\n', {
        what: 'the shell to have become another program',
      });
      process.kill(pid, 'SIGKILL');
      await eventually(async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')), {
        what: 'the process to be dead',
      });
      await using lock = await lockFolder(folder, 'bus.lock');
      expect(lock.file).toBe(file);
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'exit');
    }
  });

  test('left by an earlier process with our own PID is taken over', async () => {
    await leave({ pid: process.pid, started: '', host: hostname(), token: 'x' });
    await using lock = await lockFolder(folder, 'bus.lock');
    expect(lock.file).toBe(file);
  });

  test('of which a crash left half is taken over', async () => {
    await writeFile(file, '{"pid": 1');
    await using lock = await lockFolder(folder, 'bus.lock');
    expect(lock.file).toBe(file);
  });

  test('of another host is taken over when nobody touches it', { timeout: 20_000 }, async () => {
    await leave({ pid: process.pid, started: '', host: 'elsewhere', token: 'x' });
    await using lock = await lockFolder(folder, 'bus.lock', { touchEveryMs: 20 });
    expect(lock.file).toBe(file);
  });

  test('of another host is respected while somebody touches it', async () => {
    await leave({ pid: process.pid, started: '', host: 'elsewhere', token: 'x' });
    const touch = setInterval(
      () => void writeFile(file, JSON.stringify({ pid: 1, host: 'elsewhere', token: 'x' })),
      20,
    );
    try {
      await refused();
    } finally {
      clearInterval(touch);
    }
  });

  test('taken by many at once is held by one', async () => {
    await leave({ pid: process.pid, started: '', host: hostname(), token: 'x' });
    const taken = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder, 'bus.lock')));
    const held = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(held).toHaveLength(1);
    await held[0]![Symbol.asyncDispose]();
    expect(await readdir(folder)).toEqual([]);
  });
});
