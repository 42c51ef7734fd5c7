/**
 * `npm run bench:gateway -- [--turns N] [--seconds N] [--requests N] [--changes N] [--streams N]`
 * What the gateway's API and event streams cost while a pair streams; see README.md here. Ends with 1 when a target is missed.
 */
import { platform } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Changes, type Lag } from './gateway/changes.ts';
import { startProduct, type GatewayProduct } from './gateway/product.ts';
import { ask, type Answers } from './gateway/requests.ts';
import { openStreams } from './gateway/streams.ts';
import { openClusters } from './clusters.ts';
import { ownCpuSeconds, treeCpuSeconds } from './proc.ts';
import { keepResults, spread } from './results.ts';

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    requests: { type: 'string', default: '300' },
    changes: { type: 'string', default: '500' },
    streams: { type: 'string', default: '100' },
    profile: { type: 'boolean', default: false },
  },
});
const [turns, seconds, rate, changesRate, streamCount] = [
  values.turns,
  values.seconds,
  values.requests,
  values.changes,
  values.streams,
].map(Number) as [number, number, number, number, number];

/** What must hold: milliseconds, a ratio, a share of one core. */
const targets = { p99: 50, lag: 1.2, streams: 0.05 };

/** Shares of one core. */
interface Cpu {
  readonly gateway: number;
  readonly syncService: number;
  readonly controlDatabase: number;
}

interface Part {
  /** Parts of the same turn belong together; 0 is the warm-up and counts for nothing. */
  readonly turn: number;
  readonly part: 'quiet' | 'requests' | 'streams';
  readonly lag: Lag;
  readonly cpu: Cpu;
  readonly answers?: Answers;
  /** Bytes a second that all streams were told. */
  readonly told?: number;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (platform() !== 'linux') throw new Error('CPU is read from /proc: this runs on Linux');
await using clusters = await openClusters();
await using product = await startProduct(clusters, { profile: values.profile });
const changes = new Changes(product, changesRate);
// Of several people; and of some who see two systems only, for whom everything is read apart.
const operators = await Promise.all(Array.from({ length: 4 }, () => product.key('operator')));
const everything = await Promise.all(Array.from({ length: 4 }, () => product.key('viewer')));
const limited = await product.key('viewer', ['bench-source', 'bench-target']);
const listeners = Array.from({ length: streamCount }, (_, n) => (n % 5 === 4 ? limited : everything[n % 4]!));

/** CPU of each, over the time that the work takes. */
async function metered<T>({ gatewayPid, syncServicePid }: GatewayProduct, work: () => Promise<T>) {
  const read = (): Cpu => ({
    gateway: ownCpuSeconds(gatewayPid),
    syncService: ownCpuSeconds(syncServicePid),
    controlDatabase: treeCpuSeconds(clusters.control.pid!),
  });
  const [at, before] = [performance.now(), read()];
  const result = await work();
  const [after, took] = [read(), (performance.now() - at) / 1000];
  const share = (name: keyof Cpu): number => (after[name] - before[name]) / took;
  return {
    result,
    cpu: {
      gateway: share('gateway'),
      syncService: share('syncService'),
      controlDatabase: share('controlDatabase'),
    },
  };
}

async function part(turn: number, name: Part['part']): Promise<Part> {
  if (name === 'requests') {
    const { lag, result } = await changes.beside(seconds, () =>
      metered(product, () => ask(product, operators, { rate, seconds: seconds - 1 })),
    );
    return { turn, part: name, lag, cpu: result.cpu, answers: result.result };
  }
  using streams = name === 'streams' ? await openStreams(product, listeners) : undefined;
  const before = streams?.bytes() ?? 0;
  const { lag, result } = await changes.beside(seconds, () => metered(product, () => delay((seconds - 1) * 1000)));
  if (!streams) return { turn, part: name, lag, cpu: result.cpu };
  if (streams.open() !== streamCount) throw new Error(`${streamCount - streams.open()} streams were ended`);
  return { turn, part: name, lag, cpu: result.cpu, told: (streams.bytes() - before) / seconds };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function tell({ part: name, lag, cpu, answers, told }: Part): void {
  say(
    `  ${name.padEnd(8)} lag p50 ${lag.p50.toFixed(2)} p99 ${lag.p99.toFixed(2)} ms · gateway ${percent(cpu.gateway)} control database ` +
      `${percent(cpu.controlDatabase)} sync-service ${percent(cpu.syncService)} of a core` +
      (answers
        ? ` · ${answers.rate.toFixed(0)} requests/s, p50 ${answers.p50} p99 ${answers.p99} max ${answers.max} ms, ${answers.failures} failed`
        : '') +
      (told === undefined ? '' : ` · ${(told / 1024).toFixed(0)} KiB/s told`),
  );
}

const parts: Part[] = [];
const order: Part['part'][] = ['quiet', 'requests', 'streams'];
for (let turn = 0; turn <= turns; turn += 1) {
  say(turn === 0 ? 'warm-up' : `turn ${turn} of ${turns}`);
  // Who comes first changes from turn to turn.
  for (let index = 0; index < order.length; index += 1) {
    const measured = await part(turn, order[(turn + index) % order.length]!);
    tell(measured);
    parts.push(measured);
  }
}

const counted = parts.filter(({ turn }) => turn > 0);
const of = (name: Part['part'], pick: (part: Part) => number): number =>
  spread(counted.filter((each) => each.part === name).map(pick)).median;
const ratio = (name: Part['part'], pick: (part: Part) => number): number =>
  spread(
    counted
      .filter((each) => each.part === name)
      .map(
        (each) => pick(each) / pick(counted.find(({ part: peer, turn }) => peer === 'quiet' && turn === each.turn)!),
      ),
  ).median;
const figures = {
  requestsP99: of('requests', ({ answers }) => answers!.p99),
  failures: Math.max(...counted.map(({ answers }) => answers?.failures ?? 0)),
  lagRatio: ratio('requests', ({ lag }) => lag.p50),
  lagP99Ratio: ratio('requests', ({ lag }) => lag.p99),
  streamsCpu: of('streams', ({ cpu }) => cpu.gateway) - of('quiet', ({ cpu }) => cpu.gateway),
};
const title = `the gateway at ${rate} requests/s, and with ${streamCount} event streams, beside ${changesRate} changes/s`;
const kept = keepResults(
  'G1',
  {
    title,
    postgres: await clusters.version(),
    rate,
    changes_rate: changesRate,
    streams: streamCount,
    seconds,
    figures,
  },
  parts,
);
say(
  `\n${title}, ${turns} turns\nrequests p99 ${figures.requestsP99} ms (under ${targets.p99}), ${figures.failures} failed · lag with requests: p50 × ${figures.lagRatio.toFixed(2)}, ` +
    `p99 × ${figures.lagP99Ratio.toFixed(2)} (under × ${targets.lag}) · ${streamCount} streams ${percent(figures.streamsCpu)} of a core (under ${percent(targets.streams)})\n\nRaw runs: test/bench/results/${kept}`,
);
const missed =
  figures.failures > 0 ||
  figures.requestsP99 >= targets.p99 ||
  figures.lagRatio > targets.lag ||
  figures.streamsCpu >= targets.streams;
if (missed) process.exitCode = 1;
