/*
 * Small charts as SVG, readable on white and on black: what has no colour of its own takes that of the text, and the series have two
 * shades each.
 */

export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** What has to be reached. */
  readonly floor?: number | undefined;
}

export interface Series {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Lines {
  readonly title: string;
  readonly x: { readonly title: string; readonly log: boolean; readonly label?: (value: number) => string };
  readonly y: { readonly title: string };
  readonly series: readonly Series[];
}

const WIDTH = 720;
const STYLE = `<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 14px }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .mark { stroke: #1f2328; stroke-width: 1.5; fill: none }
  .one { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .s0 { --series: #1f6feb } .s1 { --series: #9a6700 } .s2 { --series: #1a7f37 } .s3 { --series: #8250df }
  .fill { fill: var(--series) } .line { stroke: var(--series); stroke-width: 2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #3d444d } .mark, .one { stroke: #e6edf3 }
    .s0 { --series: #58a6ff } .s1 { --series: #d29922 } .s2 { --series: #3fb950 } .s3 { --series: #bc8cff }
  }
</style>`;

const at = (value: number): string => value.toFixed(1);
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

function text(x: number, y: number, content: string, more = ''): string {
  return `<text x="${at(x)}" y="${at(y)}"${more}>${escaped(content)}</text>`;
}

function picture(height: number, title: string, parts: readonly string[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`;
  return [
    head,
    `<title>${escaped(title)}</title>`,
    STYLE,
    text(0, 16, title, ' class="title"'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** About so many round numbers from 0 to `most`. */
export function ticks(most: number, about = 5): number[] {
  const rough = most / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough)!;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => index * step);
}

/** The shortest text of a tick: 250000 as "250k". */
export function label(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (value >= 1e3) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

/** Bars that lie, with their range; a line at 1, and a short one where the floor is. */
export function ratioBars(title: string, bars: readonly Bar[]): string {
  const [left, top, row] = [170, 36, 26];
  const most = Math.max(1.2, ...bars.map(({ max, floor = 0 }) => Math.max(max, floor))) * 1.05;
  const x = (value: number): number => left + (value / most) * (WIDTH - left - 20);
  const bottom = top + bars.length * row;
  const grid = ticks(most, 6).flatMap((tick) => [
    `<line class="grid" x1="${at(x(tick))}" y1="${top}" x2="${at(x(tick))}" y2="${bottom}"/>`,
    text(x(tick), bottom + 16, label(tick), ' text-anchor="middle"'),
  ]);
  const rows = bars.flatMap(({ name, value, min, max, floor }, index) => {
    const middle = top + index * row + row / 2;
    return [
      text(left - 8, middle + 4, name, ' text-anchor="end"'),
      `<rect class="s0 fill" x="${left}" y="${at(middle - 7)}" width="${at(x(value) - left)}" height="14"/>`,
      `<path class="mark" d="M${at(x(min))} ${at(middle)}H${at(x(max))}M${at(x(min))} ${at(middle - 4)}v8M${at(x(max))} ${at(middle - 4)}v8"/>`,
      ...(floor === undefined
        ? []
        : [`<path class="s1 line" d="M${at(x(floor))} ${at(middle - 11)}v22"><title>floor ${floor}</title></path>`]),
    ];
  });
  const one = `<line class="one" x1="${at(x(1))}" y1="${top}" x2="${at(x(1))}" y2="${bottom}"/>`;
  return picture(bottom + 26, title, [...grid, ...rows, one]);
}

/** Bars that lie, each of parts that follow each other. */
export function stackedBars(
  title: string,
  parts: readonly string[],
  bars: readonly { readonly name: string; readonly parts: readonly number[] }[],
): string {
  const [left, top, row] = [170, 60, 20];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const most = Math.max(...bars.map((bar) => sum(bar.parts))) * 1.08;
  const x = (value: number): number => left + (value / most) * (WIDTH - left - 20);
  const bottom = top + bars.length * row;
  return picture(bottom + 26, title, [
    ...parts.flatMap((part, index) => {
      if (bars.every((bar) => bar.parts[index] === 0)) return [];
      const from = left + index * 110;
      return `<rect class="s${index} fill" x="${from}" y="28" width="12" height="12"/>${text(from + 18, 39, part)}`;
    }),
    ...ticks(most, 6).flatMap((tick) => [
      `<line class="grid" x1="${at(x(tick))}" y1="${top}" x2="${at(x(tick))}" y2="${bottom}"/>`,
      text(x(tick), bottom + 16, label(tick), ' text-anchor="middle"'),
    ]),
    ...bars.flatMap((bar, index) => {
      const y = top + index * row;
      const pieces = bar.parts.flatMap((value, part) => {
        const from = x(sum(bar.parts.slice(0, part)));
        const width = x(value) - left;
        return value === 0
          ? []
          : [`<rect class="s${part} fill" x="${at(from)}" y="${at(y + 3)}" width="${at(width)}" height="14"/>`];
      });
      return [text(left - 8, y + 14, bar.name, ' text-anchor="end"'), ...pieces];
    }),
  ]);
}

/** Lines over a number, from zero upwards. */
export function lines({ title, x: horizontal, y: vertical, series }: Lines): string {
  const [left, top, right, height] = [64, 56, WIDTH - 20, 300];
  const bottom = height - 44;
  const all = series.flatMap(({ points }) => points);
  const scale = (value: number): number => (horizontal.log ? Math.log10(value) : value);
  const xs = all.map((point) => scale(point.x));
  const [first, last] = [horizontal.log ? Math.min(...xs) : 0, Math.max(...xs)];
  const most = Math.max(...all.map((point) => point.y)) * 1.08 || 1;
  const x = (value: number): number => left + ((scale(value) - first) / (last - first || 1)) * (right - left);
  const y = (value: number): number => bottom - (value / most) * (bottom - top);
  const xTicks = horizontal.log ? [...new Set(all.map((point) => point.x))].sort((a, b) => a - b) : ticks(last);
  const name = horizontal.label ?? label;
  return picture(height, title, [
    ...series.map(({ name: what }, index) => {
      const from = left + index * 150;
      return `<rect class="s${index % 4} fill" x="${from}" y="28" width="12" height="12"/>${text(from + 18, 39, what)}`;
    }),
    ...ticks(most).flatMap((tick) => [
      `<line class="grid" x1="${left}" y1="${at(y(tick))}" x2="${right}" y2="${at(y(tick))}"/>`,
      text(left - 6, y(tick) + 4, label(tick), ' text-anchor="end"'),
    ]),
    ...xTicks.map((tick) => text(x(tick), bottom + 18, name(tick), ' text-anchor="middle"')),
    text((left + right) / 2, height - 6, `${horizontal.title}; ${vertical.title}`, ' text-anchor="middle"'),
    ...series.map(({ points }, index) => {
      const path = points
        .map((point, place) => `${place === 0 ? 'M' : 'L'}${at(x(point.x))} ${at(y(point.y))}`)
        .join('');
      const dots = points.length > 20 ? [] : points;
      return [
        `<path class="s${index % 4} line" d="${path}"/>`,
        ...dots.map(
          (point) => `<circle class="s${index % 4} fill" cx="${at(x(point.x))}" cy="${at(y(point.y))}" r="3"/>`,
        ),
      ].join('');
    }),
  ]);
}
