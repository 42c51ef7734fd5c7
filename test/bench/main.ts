/**
 * `npm run bench -- B1 [O1 …] [--pairs N] [--rows N] [--rate N] [--seconds N] [--sides native,pipeline,unmetered,npm] [--control] [--profile]`
 * Measures ours against PostgreSQL's own replication, in turns on the same two clusters; see README.md here.
 * Ends with 1 when a run was void: a row was lost or changed.
 */
import { platform } from 'node:os';
import { parseArgs } from 'node:util';
import { runTurn } from './backlog-bench.ts';
import { openClusters, type Clusters } from './clusters.ts';
import { runSteadyTurn } from './latency-bench.ts';
import { keepResults, markdownTable, type Run } from './results.ts';
import { NativeSide } from './sides/native.ts';
import { NpmBaselineSide } from './sides/npm-baseline.ts';
import { PipelineSide } from './sides/pipeline.ts';
import type { Side } from './sides/side.ts';
import { runSnapshotTurn } from './snapshot-bench.ts';
import { backlogs, snapshots } from './workloads.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    pairs: { type: 'string', default: '3' },
    rows: { type: 'string' },
    rate: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '60' },
    sides: { type: 'string', default: 'native,pipeline' },
    control: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
  },
});

const known = [...Object.keys(backlogs), ...Object.keys(snapshots), 'L1'].join(', ');

const makers = (clusters: Clusters): Readonly<Record<string, () => Side>> => ({
  native: () => new NativeSide(),
  pipeline: () => new PipelineSide(clusters.control.url(), { profile: values.profile }),
  unmetered: () => new PipelineSide(clusters.control.url(), { profile: values.profile, unmetered: true }),
  npm: () => new NpmBaselineSide(),
});

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function bench(clusters: Clusters, workload: string): Promise<void> {
  const sides = values.sides.split(',').map((name) => {
    const all = makers(clusters);
    const make = all[name];
    if (!make) throw new Error(`--sides knows ${Object.keys(all).join(', ')}, not ${name}`);
    return make();
  });
  // The same against itself: what the machine's noise alone makes of a ratio.
  if (values.control) sides.push(new NativeSide('native again'));
  const turns = Number(values.pairs);
  const runs: Run[] = [];
  const [rate, seconds] = [Number(values.rate), Number(values.seconds)];
  const backlog = backlogs[workload];
  const snapshot = snapshots[workload];
  const work = backlog ?? snapshot;
  if (!work && workload !== 'L1') throw new Error(`There are ${known}, not ${workload}`);
  const rows = Number(values.rows ?? work?.rows ?? 0);
  const title = work
    ? `${workload}: ${rows.toLocaleString('en')} ${work.title}`
    : `L1: ${rate} transactions a second for ${seconds} s`;
  for (let turn = 0; turn <= turns; turn += 1) {
    say(turn === 0 ? `${title}\nwarm-up` : `turn ${turn} of ${turns}`);
    runs.push(
      ...(backlog
        ? await runTurn(clusters, backlog, sides, { turn, rows, say })
        : snapshot
          ? await runSnapshotTurn(clusters, snapshot, sides, { turn, rows, say })
          : await runSteadyTurn(clusters, sides, { turn, rate, seconds, say })),
    );
  }
  const names = sides.map(({ name }) => name);
  const facts = {
    title,
    sides: names,
    postgres: await clusters.version(),
    ...(work ? { rows } : { rate, seconds }),
  };
  say(`\n${markdownTable(title, names, runs)}\n\nRaw runs: test/bench/results/${keepResults(workload, facts, runs)}\n`);
}

if (platform() !== 'linux') throw new Error('CPU and memory are read from /proc: benchmarks run on Linux');
if (positionals.length === 0) throw new Error(`Name what to measure: ${known}`);
await using clusters = await openClusters();
for (const workload of positionals) await bench(clusters, workload);
