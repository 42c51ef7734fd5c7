import { setTimeout as delay } from 'node:timers/promises';
import type { TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import type { Clusters } from './clusters.ts';
import { oneAfterTheOther, type SteadyLoad } from './latency-bench.ts';
import { Meter } from './meter.ts';
import type { Outage, Run } from './results.ts';
import type { Side, Started } from './sides/side.ts';
import { SlotWatch } from './slot-watch.ts';
import { arrived, newestRow, startLoad, WARM_UP_SECONDS } from './steady.ts';

/** What is interrupted while the load at the source goes on. */
export type Interrupted = 'pipeline' | 'target';

/** Longer than any run: the load ends when it is stopped. */
const AS_LONG_AS_IT_TAKES = 3600;
/** Current again: so little of the load is missing at the target, in seconds. */
const CURRENT = 0.1;

interface Ends {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
}

/**
 * One turn: each side alone under the same steady load; then the pipeline is stopped (R1), or the target goes down without a goodbye (R2), for
 * `seconds`, and comes back. Measured from there until the target is current, with the load going on all the time.
 */
export async function runOutageTurn(
  clusters: Clusters,
  sides: readonly Side[],
  interrupted: Interrupted,
  load: SteadyLoad,
): Promise<Run[]> {
  return await oneAfterTheOther(clusters, sides, load.turn, async (side, source, target) => {
    const run = await measure(clusters, side, { source, target }, interrupted, load);
    const { waiting, catchUpSeconds, slot } = run.outage!;
    load.say(
      `  ${side.name}: ${waiting} rows waited, current after ${catchUpSeconds.toFixed(2)} s, ${run.rowsPerSecond.toFixed(0)} rows/s` +
        (slot ? `; the slot confirmed ${percent(slot.confirmed / slot.written)} of the WAL meanwhile` : ''),
    );
    return run;
  });
}

async function measure(
  clusters: Clusters,
  side: Side,
  { source, target }: Ends,
  interrupted: Interrupted,
  { turn, rate, seconds, warmUp = WARM_UP_SECONDS }: SteadyLoad,
): Promise<Run> {
  let started = await side.start();
  const load = startLoad(source, { rate, seconds: AS_LONG_AS_IT_TAKES, firstId: 1 });
  try {
    await delay(warmUp * 1000);
    const isCurrent = async (): Promise<boolean> => {
      const there = await newestRow(source);
      return (await newestRow(target)) >= there - rate * CURRENT;
    };
    await eventually(isCurrent, { within: 60_000, what: `${side.name} to keep up before anything is interrupted` });
    const meter = new Meter(clusters);
    let slot: Outage['slot'];
    const began = performance.now();
    if (interrupted === 'pipeline') {
      await side.pause();
      await delay(seconds * 1000);
      meter.start();
      started = await side.start();
    } else {
      const watch = await SlotWatch.start(source, side.slots);
      await clusters.target.shutdown('immediate');
      await delay(seconds * 1000);
      slot = await watch.stop();
      await clusters.target.start();
      meter.start();
      started = { ...(await answering(target)), pid: started.pid, broker: started.broker };
    }
    meter.reading(started);
    const took = (started.at - began) / 1000;
    // Asked at once: only what was applied within the first milliseconds is missing in the figure.
    const held = await newestRow(target);
    const waiting = (await newestRow(source)) - held;
    await eventually(isCurrent, { within: 600_000, every: 10, what: `${side.name} to be current again` });
    const catchUpSeconds = (performance.now() - started.at) / 1000;
    const drained = (await newestRow(target)) - held;
    const measured = meter.read(drained, started);
    await load.stop();
    await arrived(target, await source.value<number>('SELECT count(*)::int FROM latency'));
    return {
      side: side.name,
      turn,
      changes: drained,
      seconds: catchUpSeconds,
      rowsPerSecond: drained / catchUpSeconds,
      ...measured,
      outage: { seconds: took, waiting, catchUpSeconds, ...(slot && { slot }) },
      latency: undefined,
    };
  } finally {
    await load.stop();
  }
}

/** From the target's first answer on. */
async function answering(target: TestDatabase): Promise<Pick<Started, 'at'>> {
  await eventually(() => target.value<boolean>('SELECT true'), { within: 120_000, every: 5, what: 'the target' });
  return { at: performance.now() };
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
