/**
 * `node test/bench/load-kills.ts [--rows 5000000] [--kills 10] [--seed 1] [--most 1.5] [--chunk-rows N]`
 * A load that is killed at random moments, against the same load undisturbed: how much longer it takes, start-up of the new processes
 * included. Ends with 1 when both ends differ afterwards, or it took more than `most` times as long.
 */
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SeededRandom } from '#services/demo/random.ts';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually, Hopeless } from '#test/support/eventually.ts';
import { openInstallation } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { openClusters, type Clusters } from './clusters.ts';
import { peakRssMiB } from './proc.ts';
import { snapshots } from './workloads.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '5000000' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    most: { type: 'string', default: '1.5' },
    'chunk-rows': { type: 'string' },
  },
});
const [rows, kills, most] = [Number(values.rows), Number(values.kills), Number(values.most)];
const random = new SeededRandom(Number(values.seed));
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

interface Load {
  readonly seconds: number;
  readonly killed: number;
  readonly peakRssMiB: number;
}

/** @param within how long it is expected to take, in seconds: kills are spread over it */
async function load(clusters: Clusters, source: TestDatabase, wanted: number, within: number): Promise<Load> {
  await using target = await clusters.target.createDatabase('bench');
  await using installation = await openInstallation({
    server: clusters.control.url(),
    environment: { LOG_LEVEL: 'warn' },
  });
  const chunks = values['chunk-rows'];
  const pair = await installation.addPair({
    source,
    target,
    tables: [{ source: 'public.parcels' }],
    config: chunks === undefined ? {} : { load_chunk_rows: Number(chunks) },
  });
  await clusters.checkpoint();
  const begun = performance.now();
  const state = { done: false, peak: 0, killed: 0 };
  let service = installation.startProcess();
  const loaded = eventually(
    async () => {
      const { load: held, state: at, error } = await installation.control.pairs.get(pair.id);
      if (at === 'failed') throw new Hopeless(`The pair has failed: ${error?.message ?? ''}`);
      return held.state === 'done';
    },
    { within: 3_600_000, every: 20, what: 'the load to be done' },
  ).finally(() => {
    state.done = true;
  });
  const isDone = (): boolean => state.done;
  while (state.killed < wanted && !isDone()) {
    // Half a mean apart at least, so that each process comes to do something.
    const mean = (within * 1000) / (wanted + 1);
    await Promise.race([delay(mean * (0.5 + random.whole(0, 1000) / 1000)), loaded]);
    if (isDone()) break;
    state.peak = Math.max(state.peak, peakRssMiB(service.pid));
    await service.kill();
    state.killed += 1;
    service = installation.startProcess();
  }
  await loaded;
  const seconds = (performance.now() - begun) / 1000;
  state.peak = Math.max(state.peak, peakRssMiB(service.pid));
  await pair.until('streaming', 600_000);
  await pair.fence(600_000);
  await expectSameRows(source, target, ['public.parcels']);
  await service.stop();
  return { seconds, killed: state.killed, peakRssMiB: state.peak };
}

if (platform() !== 'linux') throw new Error('Memory is read from /proc: this runs on Linux');
await using clusters = await openClusters();
await using source = await clusters.source.createDatabase('bench');
say(`${rows.toLocaleString('en')} rows, TEST_SEED=${values.seed}`);
await snapshots['S1']!.make(source, rows);
await source.query('VACUUM ANALYZE');
const calm = await load(clusters, source, 0, 0);
say(`undisturbed: ${calm.seconds.toFixed(1)} s, peak ${calm.peakRssMiB.toFixed(0)} MiB`);
const killed = await load(clusters, source, kills, calm.seconds);
const ratio = killed.seconds / calm.seconds;
say(
  `killed ${killed.killed} times: ${killed.seconds.toFixed(1)} s, peak ${killed.peakRssMiB.toFixed(0)} MiB; ${ratio.toFixed(2)} times as long; both ends are equal`,
);
if (killed.killed < kills) say(`It was over before it could be killed ${kills} times: take more rows.`);
if (ratio > most) {
  say(`That is more than ${most} times.`);
  process.exitCode = 1;
}
