import { readFile, writeFile } from 'node:fs/promises';
import { version } from '#services/sync-service/heartbeat.ts';
import type { Family, Fault } from './fault.ts';
import { families } from './faults/table.ts';

export const PAGE = new URL('../../infra/docs/chaos.md', import.meta.url);
const RESULTS = new URL('results.json', import.meta.url);

/** How a fault went the last time it was run. */
export interface FaultRun {
  /** From when nothing was in the way any more until the target was in step again; null: it did not end as it should. */
  readonly seconds: number | null;
  readonly seed: number;
  readonly version: string;
}

export type FaultRuns = Readonly<Record<string, FaultRun>>;

export async function readRuns(): Promise<FaultRuns> {
  return JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '{}')) as FaultRuns;
}

/** Keeps how it went, and writes the page anew. What is no fault any more is forgotten. */
export async function record(name: string, seconds: number | undefined, seed: number): Promise<void> {
  const rounded = seconds === undefined ? null : Math.round(seconds * 10) / 10;
  const runs: FaultRuns = { ...(await readRuns()), [name]: { seconds: rounded, seed, version } };
  const known = allFaults().flatMap(({ name: each }) =>
    runs[each] === undefined ? [] : [[each, runs[each]] as const],
  );
  const kept = Object.fromEntries(known);
  await writeFile(RESULTS, `${JSON.stringify(kept, undefined, 2)}\n`);
  await writeFile(PAGE, page(kept));
}

export const allFaults = (): Fault[] => families.flatMap(({ faults }) => [...faults]);

/** The page of the documentation: the table of faults, and how each went. */
export function page(runs: FaultRuns): string {
  const count = allFaults().length;
  const halting = allFaults().filter(({ outcome }) => typeof outcome === 'object').length;
  return [
    '# What was done to it, and how it ended',
    '',
    '<!-- Written by `npm run test:chaos`. -->',
    '',
    `${count} faults come to a pair that streams, while rows walk through known states and money moves between two tables at the source.`,
    `Each ends in one of two ways: the pair **recovers** by itself (${count - halting} faults), or it **halts** with the code and the fix of`,
    `\`schemas/errors.ts\`, and goes on once that fix was applied (${halting}). After each of them:`,
    '',
    '- every row of every table is the same at both ends, as text (Promises 2 and 4);',
    '- each row went through all its states, each once and in their order: nothing was lost, repeated, or brought in another order than the',
    '  source committed it, and no source transaction came in parts (Promises 2 and 3);',
    '- a reader of the target who looked all the time has never seen a row go back, half a row, half a transaction, or books that do not',
    '  balance (Promise 3); where a fault touches the target’s tables themselves, he looks again once they are whole;',
    '- no dead letter was left, since nothing was wrong with any row.',
    '',
    'Seconds are from the moment from which nothing was in the way any more (the fault had passed, or its fix was applied) until a change',
    'made then had arrived, on two cores that others use as well. `TEST_SEED=… npm run test:chaos` replays a run as far as that can be done.',
    `Runs: ${runsOf(runs)}.`,
    '',
    'The same pair survives SIGKILL at each of its crash points and at random moments, hundreds of times: `test/chaos/points.ts`.',
    ...families.flatMap((family) => ['', ...tableOf(family, runs)]),
    '',
  ].join('\n');
}

function tableOf({ name, faults }: Family, runs: FaultRuns): string[] {
  return [
    `## ${name}`,
    '',
    '| fault | what is done | how it ends | seconds |',
    '| --- | --- | --- | ---: |',
    ...faults.map((fault) => `| ${fault.name} | ${fault.what} | ${ending(fault)} | ${secondsOf(runs[fault.name])} |`),
  ];
}

function ending({ outcome }: Fault): string {
  return typeof outcome === 'object' ? `halts: \`${outcome.halts}\`. ${outcome.fix}` : 'recovers';
}

export function secondsOf(run: FaultRun | undefined): string {
  if (run === undefined) return 'not run yet';
  return run.seconds === null ? '**failed**' : run.seconds.toFixed(1);
}

function runsOf(runs: FaultRuns): string {
  const seen = new Set(Object.values(runs).map(({ seed, version: of }) => `version ${of}, seed ${seed}`));
  return seen.size === 0 ? 'none yet' : [...seen].toSorted().join('; ');
}

/** For the terminal: this run's faults, how they ended, and after how many seconds. */
export function printed(names: readonly string[], runs: FaultRuns): string {
  const faults = allFaults().filter(({ name }) => names.includes(name));
  const width = Math.max(0, ...faults.map(({ name }) => name.length));
  return faults
    .map((fault) => {
      const how = typeof fault.outcome === 'object' ? `halts ${fault.outcome.halts}` : 'recovers';
      return `${fault.name.padEnd(width)}  ${how.padEnd(36)} ${secondsOf(runs[fault.name]).padStart(8)}`;
    })
    .join('\n');
}
