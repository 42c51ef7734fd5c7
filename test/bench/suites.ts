import { runTurn } from './backlog-bench.ts';
import type { Clusters } from './clusters.ts';
import type { Kafkas } from './kafkas.ts';
import { runSteadyTurn } from './latency-bench.ts';
import type { Options } from './options.ts';
import { runOutageTurn, type Interrupted } from './outage-bench.ts';
import { shapes } from './price.ts';
import { keepResults, markdownTable, type Run } from './results.ts';
import { scalings, type Scaling } from './scaling.ts';
import { DebeziumSide } from './sides/debezium.ts';
import { NativeSide } from './sides/native.ts';
import { NpmBaselineSide } from './sides/npm-baseline.ts';
import { PipelineSide, type PipelineOptions } from './sides/pipeline.ts';
import type { Side } from './sides/side.ts';
import { runSnapshotTurn } from './snapshot-bench.ts';
import { runSoak } from './soak-bench.ts';
import { soakVerdict, trends } from './soak-verdict.ts';
import { backlogs, snapshots, type Backlog, type Snapshot } from './workloads.ts';

export interface Context {
  readonly clusters: Clusters;
  readonly kafkas: Kafkas;
  readonly options: Options;
  readonly say: (line: string) => void;
  /** The bus of ours is this broker. Left out: the embedded one. */
  readonly through?: NonNullable<PipelineOptions['kafka']>;
}

/** Measures one workload and keeps the result. */
type Suite = (context: Context) => Promise<void>;

/** What is measured through Kafka too, as K1. */
const THROUGH_KAFKA = ['B1', 'O1', 'L1'];
/** Seconds between two looks at a soak. */
const SOAK_LOOKS = 10;

const ofBacklog =
  (name: string, backlog: Backlog): Suite =>
  async (context) => {
    const { clusters, options, say } = context;
    const rows = options.rows ?? backlog.rows;
    const title = `${rows.toLocaleString('en')} ${backlog.title}`;
    await inTurns(context, { name, title, facts: { rows } }, (sides, turn) =>
      runTurn(clusters, backlog, sides, { turn, rows, say }),
    );
  };

const ofSnapshot =
  (name: string, snapshot: Snapshot): Suite =>
  async (context) => {
    const { clusters, options, say } = context;
    const rows = options.rows ?? snapshot.rows;
    const title = `${rows.toLocaleString('en')} ${snapshot.title}`;
    await inTurns(context, { name, title, facts: { rows } }, (sides, turn) =>
      runSnapshotTurn(clusters, snapshot, sides, { turn, rows, say }),
    );
  };

const steady: Suite = async (context) => {
  const { clusters, options, say } = context;
  const { rate = 200, seconds = 60 } = options;
  const title = `${rate.toLocaleString('en')} transactions a second for ${seconds} s`;
  // Every run has seconds of its own to warm up in.
  await inTurns(context, { name: 'L1', title, facts: { rate, seconds }, warmUp: false }, (sides, turn) =>
    runSteadyTurn(clusters, sides, { turn, rate, seconds, say }),
  );
};

const ofOutage =
  (name: string, interrupted: Interrupted): Suite =>
  async (context) => {
    const { clusters, options, say } = context;
    const { rate = 2000, seconds = 60 } = options;
    const what = interrupted === 'pipeline' ? 'pipeline stopped' : 'target down';
    const title = `${what} for ${seconds} s at ${rate.toLocaleString('en')} transactions a second`;
    // Every process is fresh in every turn, and has a warm-up of its own.
    await inTurns(context, { name, title, facts: { rate, seconds }, warmUp: false }, (sides, turn) =>
      runOutageTurn(clusters, sides, interrupted, { turn, rate, seconds, say }),
    );
  };

const price: Suite = async (context) => {
  const { clusters, options, say } = context;
  const backlog = backlogs['B1']!;
  const rows = options.rows ?? backlog.rows;
  const title = `${rows.toLocaleString('en')} ${backlog.title}, through three chains`;
  const { profile } = options;
  const sides = shapes
    .filter(({ name }) => options.sides?.includes(name) ?? true)
    .map((shape) => new PipelineSide(clusters.control.url(), { profile, shape }));
  await inTurns(context, { name: 'P1', title, facts: { rows }, sides }, (all, turn) =>
    runTurn(clusters, backlog, all, { turn, rows, say }),
  );
};

const ofScaling =
  (name: string, { title, rows: usual, variants }: Scaling): Suite =>
  async (context) => {
    const { clusters, options, say } = context;
    const rows = options.rows ?? usual;
    const wanted = variants.filter(({ value }) => options.variants?.includes(String(value)) ?? true);
    const facts = { rows, variants: wanted.map(({ name: variant, value }) => ({ name: variant, value })) };
    await inTurns(context, { name, title, facts }, async (sides, turn) => {
      const runs: Run[] = [];
      // One warm-up is enough for all of them.
      for (const { name: variant, share = 1, backlog } of turn === 0 ? wanted.slice(0, 1) : wanted) {
        say(` ${variant}`);
        runs.push(...(await runTurn(clusters, backlog, sides, { turn, rows: Math.ceil(rows * share), variant, say })));
      }
      return runs;
    });
  };

const soak: Suite = async ({ clusters, options, say }) => {
  const { rate = 1000, minutes } = options;
  const title = `${rate.toLocaleString('en')} transactions a second for ${minutes} minutes`;
  say(`soak: ${title}`);
  const side = new PipelineSide(clusters.control.url(), { profile: false });
  const { run, samples } = await runSoak(clusters, side, { rate, minutes, everySeconds: SOAK_LOOKS, say });
  const found = trends(samples);
  const verdict = soakVerdict(found);
  for (const { what, unit, median, perHour, verdict: own } of found) {
    say(`  ${what}: ${median.toFixed(1)} ${unit}, ${perHour >= 0 ? '+' : ''}${perHour.toFixed(1)} in an hour: ${own}`);
  }
  const facts = { title, sides: [side.name], postgres: await clusters.version(), rate, minutes, verdict, samples };
  say(`${verdict}\n\nRaw run: test/bench/results/${keepResults('soak', facts, [run])}\n`);
};

/** The same, with Kafka as the bus. */
const throughKafka =
  (name: string): Suite =>
  async (context) => {
    const { address, pid } = await context.kafkas.broker();
    await suites[name]!({ ...context, through: { address, pid } });
  };

const ofAll = <V>(all: Readonly<Record<string, V>>, make: (name: string, value: V) => Suite): Record<string, Suite> =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [name, make(name, value)]));

const suites: Readonly<Record<string, Suite>> = {
  ...ofAll(backlogs, ofBacklog),
  ...ofAll(snapshots, ofSnapshot),
  L1: steady,
  R1: ofOutage('R1', 'pipeline'),
  R2: ofOutage('R2', 'target'),
  P1: price,
  ...Object.fromEntries(THROUGH_KAFKA.map((name) => [`K1-${name}`, throughKafka(name)])),
  ...ofAll(scalings, ofScaling),
  soak,
};

/** Names that stand for several. */
const together: Readonly<Record<string, readonly string[]>> = {
  K1: THROUGH_KAFKA.map((name) => `K1-${name}`),
  scaling: Object.keys(scalings),
};

export const suiteNames = (): string[] => [...Object.keys(suites), ...Object.keys(together)];

/** @throws an error that names all workloads when there is none of this name */
export function findSuites(name: string): Suite[] {
  return (together[name] ?? [name]).map((one) => {
    const suite = suites[one];
    if (!suite) throw new Error(`There are ${suiteNames().join(', ')}, not ${name}`);
    return suite;
  });
}

interface Turns {
  readonly name: string;
  readonly title: string;
  /** Kept beside the runs. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Those of the command line when left out. */
  readonly sides?: readonly Side[];
  /** Whether a turn that counts for nothing comes first. */
  readonly warmUp?: boolean;
}

/** As many turns as are wanted; says and keeps what came out. */
async function inTurns(
  context: Context,
  { name: own, title: what, facts, sides: given, warmUp = true }: Turns,
  turnOf: (sides: readonly Side[], turn: number) => Promise<Run[]>,
): Promise<void> {
  const { clusters, options, say, through } = context;
  const name = through ? `K1-${own}` : own;
  const title = `${name}: ${what}${through ? ', through Kafka' : ''}`;
  const sides = [...(given ?? (await sidesOf(context)))];
  // The same against itself: what the machine's noise alone makes of a ratio.
  if (options.control) sides.push(new NativeSide('native again'));
  const { pairs = 3 } = options;
  const runs: Run[] = [];
  say(title);
  for (let turn = warmUp ? 0 : 1; turn <= pairs; turn += 1) {
    say(turn === 0 ? 'warm-up' : `turn ${turn} of ${pairs}`);
    runs.push(...(await turnOf(sides, turn)));
  }
  const names = sides.map((side) => side.name);
  if (options.profile) {
    say(
      `\n${markdownTable(title, names, runs)}\n\nA profiled run is no figure: nothing is kept but the profiles, in test/artefacts/profiles.\n`,
    );
    return;
  }
  const result = { title, sides: names, postgres: await clusters.version(), ...facts };
  say(`\n${markdownTable(title, names, runs)}\n\nRaw runs: test/bench/results/${keepResults(name, result, runs)}\n`);
}

async function sidesOf({ clusters, kafkas, options, through }: Context): Promise<Side[]> {
  const { profile, sides = ['native', 'pipeline'] } = options;
  const makers: Readonly<Record<string, () => Side | Promise<Side>>> = {
    native: () => new NativeSide(),
    pipeline: () => new PipelineSide(clusters.control.url(), { profile, ...(through && { kafka: through }) }),
    unmetered: () => new PipelineSide(clusters.control.url(), { profile, unmetered: true }),
    npm: () => new NpmBaselineSide(),
    debezium: async () => new DebeziumSide(await kafkas.broker()),
  };
  const made: Side[] = [];
  for (const name of sides) {
    const make = makers[name];
    if (!make) throw new Error(`--sides knows ${Object.keys(makers).join(', ')}, not ${name}`);
    made.push(await make());
  }
  return made;
}
