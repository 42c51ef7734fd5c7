import { relative } from 'node:path';
import type { Chosen } from './catalogue.ts';
import { passed } from './judge.ts';
import { runTests } from './run-tests.ts';

/**
 * Runs the tests that are to catch something without any mutation: what fails already, or is skipped, would prove nothing.
 * @returns names of the tests that pass, by file
 * @throws when one fails, or a title is in no test's name any more
 */
export async function baseline(
  folder: string,
  chosen: readonly Chosen[],
  through: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const mutations = chosen.map(({ mutation }) => mutation);
  const whole = new Set(mutations.filter(({ title }) => title === undefined).map(({ test }) => test));
  const parts = mutations.filter(({ test }) => !whole.has(test));
  const found = new Map<string, ReadonlySet<string>>();
  for (const [files, titles] of [
    [[...whole], []],
    // Titles of one file are looked for in the others too: that does no harm.
    [[...new Set(parts.map(({ test }) => test))], [...new Set(parts.flatMap(({ title }) => title ?? []))]],
  ] as const) {
    if (files.length === 0) continue;
    const { report, output } = await runTests(folder, { files, titles, bail: false, through });
    if (report === undefined) throw new Error(`Without a mutation the tests do not run either:\n${output}`);
    const problems = report.testResults.flatMap((file) => passed({ testResults: [file] }).problems);
    if (problems.length > 0) throw new Error(`Without a mutation there are failures:\n${problems.join('\n')}`);
    for (const file of report.testResults)
      found.set(relative(folder, file.name), passed({ testResults: [file] }).names);
  }
  for (const { name, test, title } of mutations) {
    const names = [...(found.get(test) ?? [])];
    if (!names.some((each) => title === undefined || each.includes(title)))
      throw new Error(`No test that runs in ${test} has "${title ?? ''}" in its name, as mutation "${name}" says`);
  }
  return found;
}
