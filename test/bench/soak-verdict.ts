/** One look at a soak. */
export interface SoakSample {
  /** Since it began. */
  readonly seconds: number;
  /** Resident memory of the process, and what of it was allocated. */
  readonly rssMiB: number;
  readonly anonymousMiB: number;
  /** The data folder: the embedded bus, for the most part. */
  readonly busMiB: number;
  readonly controlMiB: number;
  /** WAL that the source keeps for us. */
  readonly retainedMiB: number;
  /** Rows that were at the source and not yet at the target. */
  readonly waiting: number;
  /** Commit to applied since the look before, milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export type Verdict = 'flat' | 'growing' | 'too short to tell';

export interface Trend {
  readonly what: string;
  readonly unit: string;
  readonly median: number;
  /** By an hour, in the unit. */
  readonly perHour: number;
  readonly verdict: Verdict;
}

interface Watched {
  readonly of: keyof SoakSample;
  readonly what: string;
  readonly unit: string;
  /** Less than this in an hour is nothing, whatever it is of the median. */
  readonly least: number;
}

const watched: readonly Watched[] = [
  { of: 'rssMiB', what: 'resident memory', unit: 'MiB', least: 20 },
  { of: 'anonymousMiB', what: 'allocated memory', unit: 'MiB', least: 20 },
  { of: 'busMiB', what: 'disk of the bus', unit: 'MiB', least: 50 },
  { of: 'controlMiB', what: 'control database', unit: 'MiB', least: 20 },
  { of: 'retainedMiB', what: "WAL kept at the source", unit: 'MiB', least: 50 },
  { of: 'waiting', what: 'rows under way', unit: 'rows', least: 200 },
  { of: 'p50', what: 'latency p50', unit: 'ms', least: 1 },
  { of: 'p99', what: 'latency p99', unit: 'ms', least: 5 },
]; // prettier-ignore

/** More than a tenth of itself in an hour is growth. */
const MOST = 0.1;
/** Caches fill and heaps find their size meanwhile: what a process takes at first is no trend. */
const SETTLING = 0.25;
/** What is left must be so long that an hour can be told from it. */
const LEAST_SECONDS = 600;

/** What grows? By the median of the slopes between all pairs of samples (Theil–Sen): some peaks, or a checkpoint, do not turn it. */
export function trends(samples: readonly SoakSample[]): Trend[] {
  const end = samples.at(-1)?.seconds ?? 0;
  const settled = samples.filter(({ seconds }) => seconds >= end * SETTLING);
  const long = settled.length >= 10 && end - settled[0]!.seconds >= LEAST_SECONDS;
  return watched.map(({ of, what, unit, least }) => {
    const values = settled.map((sample) => sample[of]);
    const middle = median(values);
    const perHour = slope(settled.map(({ seconds }) => seconds / 3600), values); // prettier-ignore
    const grows = perHour > Math.max(least, middle * MOST);
    return { what, unit, median: middle, perHour, verdict: !long ? 'too short to tell' : grows ? 'growing' : 'flat' };
  });
}

export function soakVerdict(found: readonly Trend[]): Verdict {
  for (const verdict of ['too short to tell', 'growing'] as const)
    if (found.some((trend) => trend.verdict === verdict)) return verdict;
  return 'flat';
}

function slope(xs: readonly number[], ys: readonly number[]): number {
  const slopes: number[] = [];
  for (let left = 0; left < xs.length; left += 1) {
    for (let right = left + 1; right < xs.length; right += 1) {
      slopes.push((ys[right]! - ys[left]!) / (xs[right]! - xs[left]!));
    }
  }
  return slopes.length === 0 ? 0 : median(slopes);
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
}
