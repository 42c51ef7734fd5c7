/**
 * `npm run test:mutations -- [--promise N …] [--only name …] [--continue] [--through command] [--list]`
 * Makes one mistake after the other in a copy of the project and looks whether the test that is named for it fails; see README.md here.
 * Ends with 1 when one survives. Writes infra/docs/mutations.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { baseline } from './baseline.ts';
import { choose } from './catalogue.ts';
import { judge, type Verdict } from './judge.ts';
import { mutated } from './mutation.ts';
import { caught, page, PAGE, type Result } from './page.ts';
import { runTests } from './run-tests.ts';
import { TypeCheck } from './type-check.ts';
import { Workspace } from './workspace.ts';

const { values } = parseArgs({
  options: {
    promise: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    // Only those that infra/docs/mutations.md does not show as caught: after a run that was cut short, or has found something.
    continue: { type: 'boolean', default: false },
    // A command to put before each run of tests.
    through: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const through = values.through.split(' ').filter((word) => word !== '');

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const pageText = (): Promise<string> => readFile(PAGE, 'utf8').catch(() => '');
const done = values.continue ? caught(await pageText()) : new Set<string>();
const chosen = choose(values.promise.map(Number), values.only).filter(({ mutation }) => !done.has(mutation.name));
if (chosen.length === 0) throw new Error('There is no such mutation, or none that is left; --list shows them');
if (values.list) for (const { promise, mutation } of chosen) say(`${promise}  ${mutation.name}: ${mutation.mistake}`);
else process.exitCode = await prove();

async function prove(): Promise<number> {
  await using workspace = await Workspace.make();
  const texts = new Map<string, string>();
  // All of them before the first run: one that has rotted is told at once.
  for (const { mutation } of chosen) texts.set(mutation.name, mutated(await workspace.read(mutation.file), mutation));
  const types = new TypeCheck(workspace.folder);
  const problems = chosen.flatMap(({ mutation: { name, file } }) =>
    types.problems(file, texts.get(name)!).map((problem) => `Mutation "${name}" does not compile: ${problem}`),
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  say(`${chosen.length} mutations compile. Their tests, without them:`);
  const known = await baseline(workspace.folder, chosen, through);
  say('pass.');

  const results: Result[] = [];
  for (const each of chosen) {
    const { name, test, file, title } = each.mutation;
    const began = performance.now();
    const verdict = await workspace.with(file, texts.get(name)!, async (): Promise<Verdict> => {
      const titles = title === undefined ? [] : [title];
      const { report, output } = await runTests(workspace.folder, { files: [test], titles, bail: true, through });
      if (report !== undefined) return judge(report, known.get(test)!);
      return { what: 'no catch', why: `Vitest came to no report:\n${output.slice(-2000)}` };
    });
    const seconds = (performance.now() - began) / 1000;
    results.push({ ...each, verdict, seconds });
    // After each: a run that is cut short has told what it knew.
    await writeFile(PAGE, page(results, await pageText()));
    say(`${each.promise}  ${name}: ${told(verdict)} (${seconds.toFixed(1)} s)`);
  }
  return summary(results);
}

function summary(results: readonly Result[]): number {
  const loose = results.filter(({ verdict }) => verdict.what !== 'caught');
  const minutes = results.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  say(`${results.length - loose.length} of ${results.length} mutations caught, ${minutes.toFixed(1)} minutes`);
  return loose.length === 0 ? 0 : 1;
}

function told(verdict: Verdict): string {
  if (verdict.what === 'caught') return `caught by "${verdict.by}": ${verdict.why}`;
  return verdict.what === 'survived' ? 'SURVIVED' : `NO CATCH: ${verdict.why}`;
}
