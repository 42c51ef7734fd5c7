/**
 * `npm run test:mutations -- [--promise N …] [--only name …] [--through command] [--list]`
 * Makes one mistake after the other in a copy of the project and looks whether the test that is named for it fails; see README.md here.
 * Ends with 1 when one survives. Writes infra/docs/mutations.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { baseline } from './baseline.ts';
import { choose } from './catalogue.ts';
import { judge, type Verdict } from './judge.ts';
import { mutated } from './mutation.ts';
import { page, PAGE, type Result } from './page.ts';
import { runTests } from './run-tests.ts';
import { TypeCheck } from './type-check.ts';
import { Workspace } from './workspace.ts';

const { values } = parseArgs({
  options: {
    promise: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    through: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const through = values.through.split(' ').filter((word) => word !== '');

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const chosen = choose(values.promise.map(Number), values.only);
if (chosen.length === 0) throw new Error('No mutation has this name or breaks this promise; --list shows them');
if (values.list) for (const { promise, mutation } of chosen) say(`${promise}  ${mutation.name}: ${mutation.mistake}`);
else process.exitCode = await prove();

async function prove(): Promise<number> {
  await using workspace = await Workspace.make();
  const texts = new Map<string, string>();
  // All of them before the first run: one that has rotted is told at once.
  for (const { mutation } of chosen) texts.set(mutation.name, mutated(await workspace.read(mutation.file), mutation));
  const types = new TypeCheck(workspace.folder);
  for (const { mutation } of chosen) {
    const problems = types.problems(mutation.file, texts.get(mutation.name)!);
    if (problems.length > 0) throw new Error(`Mutation "${mutation.name}" does not compile: ${problems.join('; ')}`);
  }
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
    say(`${each.promise}  ${name}: ${told(verdict)} (${seconds.toFixed(1)} s)`);
  }
  return summary(results);
}

async function summary(results: readonly Result[]): Promise<number> {
  const loose = results.filter(({ verdict }) => verdict.what !== 'caught');
  await writeFile(PAGE, page(results, await readFile(PAGE, 'utf8').catch(() => '')));
  const minutes = results.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  say(`${results.length - loose.length} of ${results.length} mutations caught, ${minutes.toFixed(1)} minutes`);
  return loose.length === 0 ? 0 : 1;
}

function told(verdict: Verdict): string {
  if (verdict.what === 'caught') return `caught by "${verdict.by}": ${verdict.why}`;
  return verdict.what === 'survived' ? 'SURVIVED' : `NO CATCH: ${verdict.why}`;
}
