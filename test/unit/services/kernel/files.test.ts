import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFileOnce, readIfThere, writeFileDurably } from '#services/kernel/files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrafusion-files-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('a file is replaced whole, private unless told otherwise, and nothing is left beside it', async () => {
  const file = join(folder, 'f');
  expect(await readIfThere(file)).toBeUndefined();
  await writeFileDurably(file, 'one');
  await writeFileDurably(file, 'two');
  expect(await readFile(file, 'utf8')).toBe('two');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['f']);
});

test('of many who create a file one wins, and all get what it holds', async () => {
  const file = join(folder, 'f');
  const contents = await Promise.all(Array.from({ length: 10 }, (_, index) => createFileOnce(file, String(index))));
  expect(new Set(contents).size).toBe(1);
  expect(await createFileOnce(file, 'late')).toBe(contents[0]);
  expect(await readdir(folder)).toEqual(['f']);
});
