import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { exitCodeTable } from '#services/cli/exit-codes.ts';

test("the folder's README has the table of exit codes as it is", async () => {
  const page = await readFile(fileURLToPath(new URL('../../../../services/cli/README.md', import.meta.url)), 'utf8');
  const rows = [...page.matchAll(/^\| (\d+) \| (.+) \|$/gm)].map(([, code, meaning]) => [Number(code), meaning]);
  expect(rows).toEqual(exitCodeTable);
});
