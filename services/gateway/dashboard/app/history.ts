import type { MetricsHistory } from '#schemas/http/metrics.ts';

/** A line of a plot over a history: one value for each time, null where nothing was measured. */
export interface HistoryLine {
  readonly times: readonly number[];
  readonly values: readonly (number | null)[];
}

/** How series of the same name become one line: what flows is added up, of what waits the worst counts. */
const combine = {
  sum: { of: ([, mean]: Point) => mean, two: (a: number, b: number) => a + b },
  worst: { of: ([, , peak]: Point) => peak, two: (a: number, b: number) => Math.max(a, b) },
} as const;
type Point = readonly [at: number, mean: number, peak: number];

/** All series of this name as one line with a value for each step: a gap in what was measured is a gap in the line. */
export function lineOf(
  { series, since, until, step_s: step }: MetricsHistory,
  name: string,
  how: keyof typeof combine,
): HistoryLine {
  const { of, two } = combine[how];
  const known = new Map<number, number>();
  for (const { points } of series.filter((each) => each.name === name)) {
    for (const point of points) {
      const slot = Math.floor(point[0] / step);
      const before = known.get(slot);
      known.set(slot, before === undefined ? of(point) : two(before, of(point)));
    }
  }
  const [first, last] = [Math.floor(Date.parse(since) / 1000 / step), Math.floor(Date.parse(until) / 1000 / step)];
  const slots = Array.from({ length: Math.max(0, last - first + 1) }, (_slot, index) => first + index);
  // The last step has only begun: nothing measured in it is no gap.
  if (slots.length > 0 && !known.has(slots.at(-1)!)) slots.pop();
  return { times: slots.map((slot) => slot * step), values: slots.map((slot) => known.get(slot) ?? null) };
}
