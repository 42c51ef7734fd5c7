import { choose, type Chosen } from './catalogue.ts';
import type { Verdict } from './judge.ts';

export const PAGE = new URL('../../infra/docs/mutations.md', import.meta.url);

export interface Result extends Chosen {
  readonly verdict: Verdict;
  readonly seconds: number;
}

const head = `
# Mutations

Written by \`npm run test:mutations\`; do not edit by hand.

A test proves something only if it fails when the promise is broken. So each promise of README.md is broken here, by mistakes that somebody could make, one
after the other in a copy of the project; the test that is named has to fail, by what it asserts and not because the program does not compile or load.
Seconds are those of that test's run, its start and its databases included.`;

/** Of a row of the table: the mutation's name. */
const named = /^\| \d+ \|.* `([a-z0-9-]+)` \|/;

const isLoose = (row: string): boolean => / \| (SURVIVED|NO CATCH) \| /.test(row);

/** The table's rows, by the mutation's name. */
function rowsOf(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const name = named.exec(line)?.[1];
      return name === undefined ? [] : [[name, line] as const];
    }),
  );
}

/** Mutations that a page shows as caught. */
export function caught(text: string): Set<string> {
  return new Set([...rowsOf(text)].filter(([, row]) => !isLoose(row)).map(([name]) => name));
}

/** `infra/docs/mutations.md`, of what a run has found. @param before the page as it is: what it tells of other mutations stays */
export function page(results: readonly Result[], before: string): string {
  const rows = rowsOf(before);
  for (const result of results) rows.set(result.mutation.name, rowOf(result));
  const all = choose([], []);
  const told = all.flatMap(({ mutation }) => rows.get(mutation.name) ?? []);
  const loose = told.filter(isLoose).length;
  const left = all.length - told.length;
  return [
    head.trim(),
    '',
    `${told.length - loose} of ${told.length} are caught.${left === 0 ? '' : ` ${left} more have not been run yet.`}`,
    '',
    '| promise | stage | mistake | caught by | seconds |',
    '| --- | --- | --- | --- | --- |',
    ...told,
    '',
  ].join('\n');
}

function rowOf({ promise, mutation, verdict, seconds }: Result): string {
  const cells = [
    promise,
    mutation.stage,
    `${mutation.mistake} \`${mutation.name}\``,
    verdict.what === 'caught' ? `${verdict.by} (\`${mutation.test}\`)` : verdict.what.toUpperCase(),
    seconds.toFixed(0),
  ];
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}
