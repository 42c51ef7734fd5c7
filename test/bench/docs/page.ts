import type { Spread } from '../results.ts';
import { trends, soakVerdict } from '../soak-verdict.ts';
import { figuresOf, ratioOf, type Figures } from './figures.ts';
import { counting, isFull, keyOf, turnsOf, type Kept } from './kept.ts';
import { targets, verdictOf, type Target } from './targets.ts';

/** Rows of the first table, in this order; steady loads and what is through Kafka have tables of their own. */
const BACKLOGS = ['S1', 'S1w', 'S1t', 'B1', 'B2', 'O1', 'U1', 'D1', 'W1', 'X1', 'X1-5000000'];
const KAFKA = ['K1-B1', 'K1-O1'];
const STEADY = ['L1-200', 'L1-1000', 'L1-4000', 'K1-L1-200', 'K1-L1-1000', 'K1-L1-4000'];
const OUTAGES = ['R1', 'R2'];
export const SCALINGS = ['scale-tables', 'scale-pairs', 'scale-width', 'scale-transaction'];
const [OURS, NATIVE] = ['pipeline', 'native'];
/** Who else ran, and how he is called here. */
const PEERS: Readonly<Record<string, string>> = {
  'npm baseline': 'pg-logical-replication and pg, as a team would write it in a day',
  debezium: 'Debezium 3 → Kafka → JDBC, at its best found',
};

/** Ours alone, and ours beside native: whichever is kept. */
export const ofKey = (kept: readonly Kept[], key: string): Kept | undefined =>
  counting(kept, key, [OURS, NATIVE]) ?? counting(kept, key, [OURS]);

/** `infra/docs/benchmarks.md`. */
export function page(kept: readonly Kept[]): string {
  const sections = [
    head(kept),
    targetSection(kept),
    backlogSection(kept),
    steadySection(kept),
    outageSection(kept),
    priceSection(kept),
    peerSection(kept),
    gatewaySection(kept),
    scalingSection(kept),
    soakSection(kept),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function head(kept: readonly Kept[]): string {
  const last = kept.at(-1)!;
  const { cpu, cores, memoryGiB } = last.machine;
  return `# Benchmarks

Written by \`npm run bench:docs\` from \`test/bench/results/\`; do not edit by hand.

Source, pipeline and target share one machine: ${String(cores)} cores (${String(cpu)}), ${String(memoryGiB)} GiB, PostgreSQL ${last.postgres}, Node ${last.node}, loopback TCP, fsync on.
The machine is shared, and the same run moves by 30 %: a figure is a ratio to who ran in the same turn on the same two clusters, the median of the turns with its range. CPU is in
seconds a million row changes, by process. After each run all rows at both ends are compared; a run in which one is lost or changed is void. \`test/bench/README.md\` has the method. Of each workload
the newest full measurement counts, not the best. Losses are told like wins.`;
}

// ---- targets

function targetSection(kept: readonly Kept[]): string {
  const rows = targets.map((target) => {
    const measured = target.measured(kept);
    const verdict = verdictOf(target, measured?.value);
    const value = measured === undefined ? '' : `[${inUnit(target, measured.value)}](${raw(measured.file)})`;
    return [
      name(target.workload),
      target.what,
      target.floor === undefined ? '' : bound(target, target.floor),
      bound(target, target.aim),
      value,
      verdict.startsWith('missed') ? `**${verdict}**` : verdict,
    ];
  });
  const count = (wanted: string): number => rows.filter((cells) => cells[5]!.includes(wanted)).length;
  return `## Targets

Floor: must. Aim: where the design can go. ${count('aim met')} aims met, ${count('floor met')} floors met, ${count('missed')} missed, ${count('not measured')} not measured.

${table(['workload', 'what', 'floor', 'aim', 'measured', ''], rows)}`;
}

const bound = (target: Target, value: number): string =>
  `${target.better === 'more' ? '≥' : '≤'} ${inUnit(target, value)}`;

function inUnit({ unit }: Target, value: number): string {
  const digits = unit === 'MiB' ? 0 : unit === 'ms' || unit === 's/M rows' ? 1 : 2;
  return unit === '' ? `${(value * 100).toFixed(0)} %` : `${value.toFixed(digits)} ${unit}`;
}

// ---- backlogs and loads

function backlogSection(kept: readonly Kept[]): string {
  const found = [...BACKLOGS, ...KAFKA].flatMap((key) => ofKey(kept, key) ?? []);
  if (found.length === 0) return '';
  const rows = found.map((one) => {
    const ours = figuresOf(one.runs, OURS)!;
    const native = figuresOf(one.runs, NATIVE);
    const ratio = ratioOf(one.runs, OURS, NATIVE);
    return [
      `[${name(keyOf(one))}](${raw(one.file)})`,
      what(one),
      speed(ours.rowsPerSecond),
      native ? speed(native.rowsPerSecond) : '',
      range(ratio),
      verdict(keyOf(one)),
      cpuOf(ours),
      native ? cpuOf(native) : '',
      rssOf(ours),
    ];
  });
  const heads = ['workload', 'what', 'ours rows/s', 'native rows/s', 'ratio', 'target', 'CPU s/M ours', 'CPU s/M native', 'peak RSS MiB']; // prettier-ignore
  return `## Throughput

From the moment at which the slot is read (loads: the first COPY) until the target holds everything. CPU: source + target + pipeline (+ broker); native has the first two only.

${table(heads, rows)}

![Speed by workload, ratio to native replication](plots/ratios.svg)

![CPU by workload](plots/cpu.svg)`;

  function verdict(key: string): string {
    const target = targets.find(({ workload, what: of }) => workload === key && of.includes('ratio to native'));
    if (target === undefined) return '';
    const value = target.measured(kept)?.value;
    const bounds = target.floor === undefined ? '' : `${target.floor} / ${target.aim}: `;
    return `${bounds}${verdictOf(target, value)}`;
  }
}

/** Title without the workload's name, and that it is less than it should be. */
function what(one: Kept): string {
  const turns = turnsOf(one);
  const notes = [`${turns} turn${turns === 1 ? '' : 's'}`, ...(isFull(one) ? [] : ['a reduced run'])];
  return `${one.title.replace(/^[\w-]+: /, '')} (${notes.join(', ')})`;
}

// ---- latency

function steadySection(kept: readonly Kept[]): string {
  const rows = STEADY.flatMap((key) => {
    const one = ofKey(kept, key);
    if (one === undefined) return [];
    return one.sides.flatMap((side) => {
      const figures = figuresOf(one.runs, side);
      if (figures?.p50 === undefined) return [];
      return [[`[${name(key)}](${raw(one.file)})`, what(one), side === OURS ? 'ours' : side, figures.p50.toFixed(2), figures.p99!.toFixed(2), cpuOf(figures), rssOf(figures)]]; // prettier-ignore
    });
  });
  if (rows.length === 0) return '';
  return `## Latency

Of every row, none sampled: \`applied_at\`, which nobody writes, minus the time within the INSERT at the source. Medians of the turns.

${table(['workload', 'what', 'side', 'p50 ms', 'p99 ms', 'CPU s/M', 'peak RSS MiB'], rows)}`;
}

// ---- outages

function outageSection(kept: readonly Kept[]): string {
  const rows = OUTAGES.flatMap((key) => {
    const one = ofKey(kept, key);
    if (one === undefined) return [];
    return one.sides.flatMap((side) => {
      const figures = figuresOf(one.runs, side);
      const outages = figures?.runs.flatMap(({ outage }) => outage ?? []) ?? [];
      if (outages.length === 0) return [];
      const middle = outages.toSorted((a, b) => a.catchUpSeconds - b.catchUpSeconds)[Math.floor(outages.length / 2)]!;
      const { slot } = middle;
      return [
        [
          `[${key}](${raw(one.file)})`,
          what(one),
          side === OURS ? 'ours' : side,
          middle.waiting.toLocaleString('en'),
          middle.catchUpSeconds.toFixed(2),
          speed(figures!.rowsPerSecond),
          side === NATIVE ? '' : range(ratioOf(one.runs, side, NATIVE)),
          slot === undefined
            ? ''
            : `${((slot.confirmed * 100) / slot.written).toFixed(0)} % of ${mib(slot.written)} MiB, never still for more than ${slot.longestStill.toFixed(1)} s`,
        ],
      ];
    });
  });
  if (rows.length === 0) return '';
  const heads = [
    'workload',
    'what',
    'side',
    'rows that waited',
    'current after s',
    'drained rows/s',
    'ratio',
    'the slot meanwhile',
  ];
  return `## Outages

The load goes on all the time, also while the backlog drains. R1: the pipeline (native: the subscription) is stopped. R2: the target's server goes down without a goodbye; the slot at
the source must go on advancing, so that an outage of a target never fills the disk of a source (Promise 7).

${table(heads, rows)}`;
}

// ---- transforms

function priceSection(kept: readonly Kept[]): string {
  const one = counting(kept, 'P1', []);
  if (one === undefined) return '';
  const rows = one.sides.flatMap((side) => {
    const figures = figuresOf(one.runs, side);
    if (figures === undefined) return [];
    const price = ratioOf(one.runs, side, one.sides[0]!, (run) => run.cpu.pipeline);
    return [[side, speed(figures.rowsPerSecond), cpuOf(figures), side === one.sides[0] ? '1' : range(price), rssOf(figures)]]; // prettier-ignore
  });
  return `## The price of transforms

[P1](${raw(one.file)}): ${what(one)}. Every chain keeps every row.

${table(['chain', 'rows/s', 'CPU s/M', 'CPU of the pipeline, ratio to no-op', 'peak RSS MiB'], rows)}`;
}

// ---- peers

function peerSection(kept: readonly Kept[]): string {
  const keys = [...new Set(kept.map(keyOf))].sort();
  const rows = Object.keys(PEERS).flatMap((peer) =>
    keys.flatMap((key) => {
      const one = counting(kept, key, [OURS, peer]);
      const theirs = one && figuresOf(one.runs, peer);
      if (!one || !theirs) return [];
      const ours = figuresOf(one.runs, OURS)!;
      const lag = ({ p50, p99 }: Figures): string =>
        p50 === undefined ? '' : `${p50.toFixed(1)} / ${p99!.toFixed(1)}`;
      return [[peer, `[${name(key)}](${raw(one.file)})`, what(one), speed(ours.rowsPerSecond), speed(theirs.rowsPerSecond), range(ratioOf(one.runs, OURS, peer)), cpuOf(theirs), rssOf(theirs), lag(ours), lag(theirs)]]; // prettier-ignore
    }),
  );
  if (rows.length === 0) return '';
  const heads = ['peer', 'workload', 'what', 'ours rows/s', 'theirs rows/s', 'ratio', 'CPU s/M theirs', 'peak RSS MiB theirs', 'p50 / p99 ms ours', 'theirs']; // prettier-ignore
  const list = Object.entries(PEERS).map(([peer, is]) => `\`${peer}\`: ${is}.`);
  return `## Other ways\n\n${list.join(' ')}\n\n${table(heads, rows)}`;
}

// ---- the gateway

function gatewaySection(kept: readonly Kept[]): string {
  const one = kept.findLast(({ workload }) => workload === 'G1');
  if (one?.figures === undefined) return '';
  const { requestsP99, failures, lagRatio, streamsCpu } = one.figures;
  const row = (what: string, measured: string, target: string, isMet: boolean): string[] => [what, measured, target, isMet ? 'met' : '**missed**']; // prettier-ignore
  const rows = [
    row('p99 of an answer, from when it was due', `${requestsP99.toFixed(0)} ms`, 'under 50 ms', requestsP99 < 50),
    row('requests that failed', String(failures), '0', failures === 0),
    row('lag while it answers, ratio to while nobody asks', lagRatio.toFixed(2), 'under 1.20', lagRatio < 1.2),
    row('CPU for all event streams', `${(100 * streamsCpu).toFixed(1)} % of a core`, 'under 5 %', streamsCpu < 0.05),
  ];
  return `## The gateway

[G1](${raw(one.file)}): ${one.title} (${turnsOf(one)} turns). Source, target, control database, sync-service, gateway and those who ask share the two cores.

${table(['what', 'measured', 'target', ''], rows)}`;
}

// ---- scaling, soak

function scalingSection(kept: readonly Kept[]): string {
  const parts = SCALINGS.flatMap((key) => {
    const one = ofKey(kept, key);
    if (one === undefined) return [];
    const rows = (one.variants ?? []).flatMap(({ name: variant }) => {
      const runs = one.runs.filter((run) => run.variant === variant);
      const ours = figuresOf(runs, OURS);
      if (ours === undefined) return [];
      const native = figuresOf(runs, NATIVE);
      return [[variant, speed(ours.rowsPerSecond), native ? speed(native.rowsPerSecond) : '', range(ratioOf(runs, OURS, NATIVE)), cpuOf(ours), native ? cpuOf(native) : '', rssOf(ours)]]; // prettier-ignore
    });
    const heads = ['', 'ours rows/s', 'native rows/s', 'ratio', 'CPU s/M ours', 'CPU s/M native', 'peak RSS MiB'];
    return [`[${key}](${raw(one.file)}): ${what(one)}\n\n${table(heads, rows)}\n\n![${key}](plots/${key}.svg)`];
  });
  return parts.length === 0 ? '' : `## Scaling\n\n${parts.join('\n\n')}`;
}

function soakSection(kept: readonly Kept[]): string {
  const one = counting(kept, 'soak', [OURS]);
  if (one?.samples === undefined) return '';
  const found = trends(one.samples);
  const rows = found.map(({ what: of, unit, median, perHour, verdict }) => [
    of,
    `${median.toFixed(1)} ${unit}`,
    `${perHour >= 0 ? '+' : ''}${perHour.toFixed(1)} ${unit}`,
    verdict,
  ]);
  return `## Soak

[soak](${raw(one.file)}): ${one.title}. The first quarter is left out; the slope is the median of those between all pairs of looks. **${soakVerdict(found)}**

${table(['what', 'median', 'in an hour', ''], rows)}

![Memory and disk over the soak](plots/soak.svg)`;
}

// ---- README

/** The table of README.md: the short form, of the same measurements. */
export function readmeTable(kept: readonly Kept[]): string {
  const rows = [...BACKLOGS, ...KAFKA, ...STEADY].flatMap((key) => {
    const one = ofKey(kept, key);
    const ours = one && figuresOf(one.runs, OURS);
    if (!one || !ours || key === 'S1w' || key === 'S1t') return [];
    const native = figuresOf(one.runs, NATIVE);
    if (ours.p50 !== undefined) {
      const lag = (of: Figures): string => `p50 ${of.p50!.toFixed(1)} ms, p99 ${of.p99!.toFixed(1)} ms`;
      return [[`${name(key)}: ${what(one)}`, lag(ours), native ? lag(native) : '', '']];
    }
    const own = `${speed(ours.rowsPerSecond)} rows/s, ${rssOf(ours)} MiB, ${ours.cpu.pipeline.toFixed(1)} CPU s/M rows`;
    return [[`${name(key)}: ${what(one)}`, own, native ? `${speed(native.rowsPerSecond)} rows/s` : '', range(ratioOf(one.runs, OURS, NATIVE))]]; // prettier-ignore
  });
  return table(['workload', 'TerraFusion Sync', "PostgreSQL's own", 'ratio'], rows);
}

// ---- cells

const raw = (file: string): string => `../../test/bench/results/${file}`;

function name(key: string): string {
  const [, workload, number] = /^(.*?)-(\d+)$/.exec(key) ?? [];
  if (workload === undefined) return key;
  return /L1$/.test(workload)
    ? `${workload} at ${Number(number).toLocaleString('en')}/s`
    : `${workload}, ${Number(number) / 1e6} M`;
}

/** Three digits: the rest is noise. */
const speed = ({ median }: Spread): string => Number(median.toPrecision(3)).toLocaleString('en');
const range = (ratio: Spread | undefined): string =>
  ratio === undefined ? '' : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`;
const cpuOf = ({ cpu: { source, target, pipeline, broker } }: Figures): string =>
  [source, target, ...(pipeline > 0 ? [pipeline] : []), ...(broker === undefined ? [] : [broker])]
    .map((seconds) => seconds.toFixed(1))
    .join(' + ');
const rssOf = ({ peakRssMiB, brokerRssMiB }: Figures): string =>
  [peakRssMiB, brokerRssMiB].flatMap((mib) => (mib === undefined ? [] : [mib.toFixed(0)])).join(' + ');
const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}
