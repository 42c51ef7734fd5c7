import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const heap = new URL('../../../../services/kernel/heap.ts', import.meta.url).href;

/** Objects that live as long as a batch. Prints the bytes that are kept for such ones. */
const program = (before: string): string => `
  ${before}
  for (let round = 0; round < 200; round++) {
    const batch = [];
    for (let n = 0; n < 40; n++) batch.push(Array.from({ length: 1000 }, (_, i) => ({ i })));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { getHeapSpaceStatistics } = await import('node:v8');
  console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);`;

const measured = async (before: string): Promise<{ stderr: string; young: number }> => {
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program(before)]);
  return { stderr, young: Number(stdout) };
};

test('the heap of a process through which blocks pass keeps little room for young objects; its settings are known to this Node', async () => {
  const [plain, tuned, unknown] = await Promise.all([
    measured(''),
    measured(`(await import(${JSON.stringify(heap)})).tuneHeap();`),
    measured("(await import('node:v8')).setFlagsFromString('--heap-of-bytes');"),
  ]);
  expect(unknown.stderr).toContain('heap-of-bytes');
  expect(tuned.stderr).toBe('');
  expect(tuned.young).toBeLessThan(plain.young / 2);
});
