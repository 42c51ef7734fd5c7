import { readFileSync } from 'node:fs';
import { figuresOf, ratioOf } from './figures.ts';
import { readKept, type Kept } from './kept.ts';
import { ofKey, page, readmeTable, SCALINGS } from './page.ts';
import { label, lines, ratioBars, stackedBars, type Bar } from './plot.ts';
import { targets } from './targets.ts';

const root = new URL('../../../', import.meta.url);
const BEGIN = '<!-- measured: written by npm run bench:docs -->';
const END = '<!-- /measured -->';

/** Everything that is written from the kept results: content by its place. */
export function documents(kept: readonly Kept[] = readKept()): Map<string, string> {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  return new Map([
    ['infra/docs/benchmarks.md', page(kept)],
    ...[...plots(kept)].map(([name, content]) => [`infra/docs/plots/${name}.svg`, content] as const),
    ['README.md', between(readme, `\n${readmeTable(kept)}\n`)],
  ]);
}

/** @returns where a document of {@link documents} lies */
export const placeOf = (path: string): URL => new URL(path, root);

export function between(text: string, content: string): string {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md has to hold ${BEGIN} and, after it, ${END}`);
  return text.slice(0, from + BEGIN.length) + content + text.slice(to);
}

const RATIOS = ['S1', 'S1w', 'S1t', 'B1', 'B2', 'O1', 'U1', 'D1', 'W1', 'X1', 'K1-B1', 'K1-O1', 'R1'];

function plots(kept: readonly Kept[]): Map<string, string> {
  const found = RATIOS.flatMap((key) => {
    const one = ofKey(kept, key);
    return one === undefined ? [] : [{ key, ...one }];
  });
  const bars = found.flatMap(({ key, runs }): Bar[] => {
    const ratio = ratioOf(runs, 'pipeline', 'native');
    const floor = targets.find(({ workload, what }) => workload === key && what.includes('ratio to native'))?.floor;
    return ratio === undefined ? [] : [{ name: key, value: ratio.median, min: ratio.min, max: ratio.max, floor }];
  });
  const stacks = found.flatMap(({ key, runs }) =>
    (['pipeline', 'native'] as const).flatMap((side) => {
      const figures = figuresOf(runs, side);
      if (figures === undefined) return [];
      const { source, target, pipeline, broker = 0 } = figures.cpu;
      return [{ name: `${key} ${side === 'pipeline' ? 'ours' : 'native'}`, parts: [source, target, pipeline, broker] }];
    }),
  );
  const all = new Map<string, string>();
  if (bars.length > 0)
    all.set(
      'ratios',
      ratioBars('Rows/s, ratio to native replication: median and range; the upright mark is the floor', bars),
    );
  if (stacks.length > 0)
    all.set(
      'cpu',
      stackedBars('CPU seconds a million row changes', ['source', 'target', 'pipeline', 'broker'], stacks),
    );
  for (const key of SCALINGS) {
    const one = ofKey(kept, key);
    if (one !== undefined) all.set(key, scalingPlot(one));
  }
  const soak = kept.findLast(({ workload }) => workload === 'soak');
  if (soak?.samples !== undefined) {
    const of = (name: string, pick: 'rssMiB' | 'busMiB' | 'controlMiB') => ({
      name,
      points: soak.samples!.map((sample) => ({ x: sample.seconds / 60, y: sample[pick] })),
    });
    const series = [
      of('resident memory', 'rssMiB'),
      of('disk of the bus', 'busMiB'),
      of('control database', 'controlMiB'),
    ];
    all.set('soak', lines({ title: soak.title, x: { title: 'minutes', log: false }, y: { title: 'MiB' }, series }));
  }
  return all;
}

function scalingPlot({ title, variants = [], runs }: Kept): string {
  const names = new Map(variants.map(({ name, value }) => [value, name]));
  const series = ['pipeline', 'native'].map((side) => ({
    name: side === 'pipeline' ? 'ours' : side,
    points: variants.flatMap(({ name, value }) => {
      const figures = figuresOf(
        runs.filter(({ variant }) => variant === name),
        side,
      );
      return figures === undefined ? [] : [{ x: value, y: figures.rowsPerSecond.median }];
    }),
  }));
  return lines({
    title: title.replace(/^[\w-]+: /, ''),
    x: { title: 'logarithmic', log: true, label: (value) => names.get(value) ?? label(value) },
    y: { title: 'rows/s' },
    series: series.filter(({ points }) => points.length > 0),
  });
}
