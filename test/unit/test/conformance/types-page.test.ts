import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { packagedCases, typeCases } from '#test/conformance/types/cases/index.ts';
import { page, PAGE } from '#test/conformance/types/page.ts';

test('the page of types says what the suite tests: else run node test/conformance/types/write-page.ts', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(page());
});

test('each case has a name of its own, values that differ, and fits into a table name', () => {
  const names = [...typeCases, ...packagedCases].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, values } of [...typeCases, ...packagedCases]) {
    expect(Buffer.byteLength(name), name).toBeLessThanOrEqual(63);
    expect(new Set(values).size, name).toBeGreaterThan(1);
  }
});
