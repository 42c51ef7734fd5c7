/**
 * `npm run bench -- B1 [O1 …] [--pairs N] [--rows N] [--rate N] [--seconds N] [--minutes N] [--sides native,pipeline,npm] [--variants 1,2] [--control] [--profile]`
 * Measures ours against what people would use instead, in turns on the same two clusters; see README.md here.
 * Ends with 1 when a run was void: a row was lost or changed.
 */
import { platform } from 'node:os';
import { openClusters } from './clusters.ts';
import { Kafkas } from './kafkas.ts';
import { readOptions } from './options.ts';
import { findSuites, suiteNames } from './suites.ts';

const options = readOptions(process.argv.slice(2));
if (platform() !== 'linux') throw new Error('CPU and memory are read from /proc: benchmarks run on Linux');
if (options.workloads.length === 0) throw new Error(`Name what to measure: ${suiteNames().join(', ')}`);
const suites = options.workloads.flatMap(findSuites);

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

await using clusters = await openClusters();
await using kafkas = new Kafkas();
for (const suite of suites) await suite({ clusters, kafkas, options, say });
