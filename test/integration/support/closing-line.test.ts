import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
const config = fileURLToPath(new URL('../../fixtures/closing-line/vitest.config.ts', import.meta.url));

test('the last line counts, files that cannot be loaded included, and skips are told with their reason', () => {
  const { stdout, status } = spawnSync(process.execPath, [vitest, 'run', '--config', config], { encoding: 'utf8' });
  const lines = stdout.trimEnd().split('\n');
  expect(lines.at(-1)).toBe('1 passed, 2 failed, 2 skipped');
  expect(lines.slice(-5, -1)).toEqual([
    'Skipped, since the moon is not full:',
    '  some.sample.ts > cannot run here',
    'Skipped, since it rains:',
    '  some.sample.ts > outdoors [skipped, since it rains] > cannot run here either',
  ]);
  expect(status).toBe(1);
});
