import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DailyFile, parseLogFileName } from '#services/kernel/log-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-logs-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const HOUR = 3600_000;
const noon = Date.parse('2026-03-10T12:00:00Z');
const files = async (): Promise<string[]> => (await readdir(folder)).sort();
const read = (file: string): Promise<string> => readFile(join(folder, file), 'utf8');

describe('a log file', () => {
  test('is one a day, also when the line comes in the first moment of it', async () => {
    let now = noon;
    const file = new DailyFile({ folder, name: 'gateway', days: 7, now: () => now });
    file.write('noon\n');
    now = Date.parse('2026-03-10T23:59:59.999Z');
    file.write('last\n');
    now += 1;
    file.write('first\n');
    file.close();
    expect(await files()).toEqual(['gateway.2026-03-10.log', 'gateway.2026-03-11.log']);
    expect(await read('gateway.2026-03-10.log')).toBe('noon\nlast\n');
    expect(await read('gateway.2026-03-11.log')).toBe('first\n');
  });

  test('is gone on with after a restart, and after a clock that was set back', async () => {
    let now = noon;
    for (const line of ['one\n', 'two\n']) {
      const file = new DailyFile({ folder, name: 'gateway', days: 7, now: () => now });
      file.write(line);
      now -= 20 * HOUR;
      file.write(`before ${line}`);
      now += 20 * HOUR;
      file.write(`again ${line}`);
      file.close();
    }
    expect(await read('gateway.2026-03-10.log')).toBe('one\nagain one\ntwo\nagain two\n');
    expect(await read('gateway.2026-03-09.log')).toBe('before one\nbefore two\n');
  });

  test('seven days are kept, whether the process runs on or begins anew each day; others stay', async () => {
    const old = [
      'gateway.2026-03-01.log',
      'gateway.2026-03-02.1.log',
      'gateway.2026-03-02.2.log',
      'gateway-x.2020-01-01.log',
      'notes.txt',
    ];
    for (const name of old) await writeFile(join(folder, name), 'x\n');
    let now = noon;
    const runsOn = new DailyFile({ folder, name: 'gateway', days: 7, now: () => now });
    const days = (): Promise<string[]> => files().then((all) => all.filter((name) => name.startsWith('gateway.')));
    expect(await days()).toEqual([...old.slice(0, 3), 'gateway.2026-03-10.log']);
    for (let day = 0; day < 10; day += 1) {
      now += 24 * HOUR;
      if (day % 2 === 0) runsOn.write('x\n');
      else new DailyFile({ folder, name: 'gateway', days: 7, now: () => now }).close();
      expect(new Set((await days()).map((name) => parseLogFileName(name)!.day)).size).toBeLessThanOrEqual(7);
    }
    runsOn.close();
    expect(await days()).toEqual([14, 15, 16, 17, 18, 19, 20].map((day) => `gateway.2026-03-${day}.log`));
    expect(await files()).toEqual(expect.arrayContaining(['gateway-x.2020-01-01.log', 'notes.txt']));
  });

  test('comes back when somebody has removed it, or its folder', async () => {
    let now = noon;
    const file = new DailyFile({ folder, name: 'gateway', days: 7, now: () => now });
    file.write('one\n');
    await rename(join(folder, 'gateway.2026-03-10.log'), join(folder, 'taken-away'));
    now += 6000;
    file.write('two\n');
    expect(await read('gateway.2026-03-10.log')).toBe('two\n');
    await rm(folder, { recursive: true });
    now += 6000;
    file.write('three\n');
    file.close();
    expect(await read('gateway.2026-03-10.log')).toBe('three\n');
  });

  test('that cannot be written says so once, costs nothing else, and is written again when it can', async () => {
    const troubles: string[] = [];
    let now = noon;
    const file = new DailyFile({
      folder,
      name: 'gateway',
      days: 7,
      now: () => now,
      onTrouble: (error) => troubles.push(error.message),
    });
    // A folder stands where tomorrow's file should be.
    const blocked = join(folder, 'gateway.2026-03-11.log');
    await writeFile(join(folder, 'x'), '');
    await rename(join(folder, 'x'), join(folder, 'y'));
    const { mkdir } = await import('node:fs/promises');
    await mkdir(blocked);
    now += 24 * HOUR;
    file.write('lost\n');
    file.write('lost too\n');
    expect(troubles).toHaveLength(1);
    await rm(blocked, { recursive: true });
    file.write('back\n');
    file.close();
    expect(await read('gateway.2026-03-11.log')).toBe('back\n');
    expect((await stat(blocked)).isFile()).toBe(true);
  });

  test('is shared by several processes of one name without a line being cut', async () => {
    const url = fileURLToPath(new URL('../../../../services/kernel/log-file.ts', import.meta.url));
    const script = `
      const { DailyFile } = await import(${JSON.stringify(url)});
      const file = new DailyFile({ folder: ${JSON.stringify(folder)}, name: 'writer', days: 7 });
      for (let i = 0; i < 2000; i++) file.write(JSON.stringify({ pid: process.pid, i, pad: 'x'.repeat(i % 5000) }) + '\\n');
      file.close();`;
    const run = promisify(execFile);
    await Promise.all([1, 2, 3].map(() => run(process.execPath, ['--input-type=module', '-e', script])));
    const counts = new Map<number, number>();
    for (const name of await files()) {
      for (const line of (await read(name)).trimEnd().split('\n')) {
        const { pid, i } = JSON.parse(line) as { pid: number; i: number };
        expect(i).toBe(counts.get(pid) ?? 0);
        counts.set(pid, i + 1);
      }
    }
    expect([...counts.values()]).toEqual([2000, 2000, 2000]);
  });
});
