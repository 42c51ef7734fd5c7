import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Clusters } from './clusters.ts';
import { oneAfterTheOther } from './latency-bench.ts';
import { Meter } from './meter.ts';
import { rssMiB } from './proc.ts';
import type { Run } from './results.ts';
import type { PipelineSide } from './sides/pipeline.ts';
import type { SoakSample } from './soak-verdict.ts';
import { arrived, latencyFrom, newestRow, startLoad, WARM_UP_SECONDS } from './steady.ts';

export interface Soak {
  readonly rate: number;
  readonly minutes: number;
  readonly everySeconds: number;
  /** As of a steady load. */
  readonly warmUp?: number;
  readonly say: (line: string) => void;
}

const MIB = 2 ** 20;

/** Ours alone under a steady load for long: what grows? */
export async function runSoak(
  clusters: Clusters,
  side: PipelineSide,
  soak: Soak,
): Promise<{ readonly run: Run; readonly samples: readonly SoakSample[] }> {
  const samples: SoakSample[] = [];
  const [run] = await oneAfterTheOther(clusters, [side], 1, (_, source, target) =>
    measure(clusters, side, { source, target }, soak, samples),
  );
  return { run: run!, samples };
}

async function measure(
  clusters: Clusters,
  side: PipelineSide,
  ends: { readonly source: TestDatabase; readonly target: TestDatabase },
  { rate, minutes, everySeconds, warmUp = WARM_UP_SECONDS, say }: Soak,
  samples: SoakSample[],
): Promise<Run> {
  const { source, target } = ends;
  const started = await side.start();
  const seconds = minutes * 60;
  const load = startLoad(source, { rate, seconds: warmUp + seconds, firstId: 1 });
  try {
    await delay(warmUp * 1000);
    const meter = new Meter(clusters);
    meter.start();
    meter.reading(started);
    const firstId = await newestRow(target);
    const at = performance.now();
    let from = firstId;
    for (let due = everySeconds; due <= seconds; due += everySeconds) {
      await Promise.race([delay(at + due * 1000 - performance.now()), untilFailed(load.finished)]);
      const { sample, newest } = await look(side, ends, started.pid!, { from, at });
      from = newest;
      samples.push(sample);
      if (samples.length % 6 === 0) {
        say(
          `  ${(sample.seconds / 60).toFixed(1)} min: ${sample.rssMiB.toFixed(0)} MiB, bus ${sample.busMiB.toFixed(0)} MiB, p99 ${sample.p99.toFixed(1)} ms`,
        );
      }
    }
    await load.finished;
    await arrived(target, rate * (warmUp + seconds));
    const took = (performance.now() - at) / 1000;
    const changes = (await newestRow(target)) - firstId;
    const latency = await latencyFrom(target, firstId + 1);
    const measured = meter.read(changes, started);
    return { side: side.name, turn: 1, changes, seconds: took, rowsPerSecond: changes / took, ...measured, latency };
  } finally {
    await load.stop();
  }
}

/** Never resolves: a load that ends properly is none of a wait's business. */
const untilFailed = (finished: Promise<void>): Promise<never> =>
  finished.then(() => new Promise<never>(() => undefined));

async function look(
  side: PipelineSide,
  { source, target }: { readonly source: TestDatabase; readonly target: TestDatabase },
  pid: number,
  { from, at }: { readonly from: number; readonly at: number },
): Promise<{ readonly sample: SoakSample; readonly newest: number }> {
  const written = await newestRow(source);
  const newest = await eventually(
    async () => {
      const row = await newestRow(target);
      return row > from ? row : undefined;
    },
    { within: 60_000, every: 50, what: 'rows to arrive' },
  );
  const { p50, p99 } = await latencyFrom(target, from + 1);
  const { anonymous, file } = rssMiB(pid);
  const retained = await source.value<number>(
    'SELECT (pg_current_wal_lsn() - min(restart_lsn))::float8 FROM pg_replication_slots WHERE slot_name LIKE $1',
    [side.slots],
  );
  const [control] = await side.control.database.query<{ bytes: number }>(
    'SELECT pg_database_size(current_database())::float8 AS bytes',
  );
  return {
    newest,
    sample: {
      seconds: (performance.now() - at) / 1000,
      rssMiB: anonymous + file,
      anonymousMiB: anonymous,
      busMiB: (await diskBytes(side.folder)) / MIB,
      controlMiB: control!.bytes / MIB,
      retainedMiB: retained / MIB,
      waiting: Math.max(0, written - newest),
      p50,
      p99,
    },
  };
}

/** What a folder takes on the disk: holes in files do not count. */
async function diskBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    // A file may go while we look.
    if (entry.isDirectory()) bytes += await diskBytes(path).catch(() => 0);
    else bytes += await lstat(path).then(({ blocks }) => blocks * 512, () => 0); // prettier-ignore
  }
  return bytes;
}
