/** Figures as people read them. Every function takes null for "not known". */

const UNKNOWN = '–';
type Maybe<T> = T | null | undefined;

export function count(value: Maybe<number>): string {
  return value === null || value === undefined ? UNKNOWN : Math.round(value).toLocaleString('en-US');
}

/** "1 row", "2 rows". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Something a second. */
export function rate(value: Maybe<number>): string {
  if (value === null || value === undefined) return UNKNOWN;
  return value >= 100 ? count(value) : value.toFixed(1);
}

export function bytes(value: Maybe<number>): string {
  if (value === null || value === undefined) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let figure = value;
  let unit = 0;
  while (figure >= 1024 && unit < units.length - 1) {
    figure /= 1024;
    unit += 1;
  }
  return `${unit === 0 || figure >= 100 ? Math.round(figure) : figure.toFixed(1)} ${units[unit]!}`;
}

export function duration(seconds: Maybe<number>): string {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds === 0) return '0 s';
  if (seconds < 0.95) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.5)
    return `${seconds < 9.95 && !Number.isInteger(seconds) ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  if (seconds < 84_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** "12 s ago", "in 2 h"; the exact moment belongs into the title. */
export function relative(moment: Maybe<string>, now: number): string {
  if (moment === null || moment === undefined) return UNKNOWN;
  const seconds = (now - Date.parse(moment)) / 1000;
  // Clocks of two machines differ a little: that is not the future.
  if (seconds < -5) return `in ${duration(Math.floor(-seconds))}`;
  return seconds < 1 ? 'now' : `${duration(Math.floor(seconds))} ago`;
}

/** "2026-01-31 08:15:30 UTC" */
export const absolute = (moment: string): string => absoluteIn(moment, 'UTC');

/** Making one is slow, and every time on a page is written once a second. */
const clocks = new Map<string, Intl.DateTimeFormat>();
function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
      timeZoneName: 'short',
    });
    clocks.set(zone, clock);
  }
  return clock;
}

/** The same in another zone, by the zone's name: "2026-01-31 09:15:30 GMT+1". */
export function absoluteIn(moment: string, zone: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return moment;
  const parts = clockOf(zone).formatToParts(at);
  const of = (type: Intl.DateTimeFormatPartTypes): string => parts.find((part) => part.type === type)?.value ?? '';
  return `${of('year').padStart(4, '0')}-${of('month')}-${of('day')} ${of('hour')}:${of('minute')}:${of('second')} ${of('timeZoneName')}`;
}

/** What colour and sign a state has. */
export type Tone = 'good' | 'busy' | 'bad' | 'calm';

const tones: Readonly<Record<string, Tone>> = {
  streaming: 'good',
  loaded: 'good',
  up: 'good',
  ok: 'good',
  completed: 'good',
  replayed: 'good',
  success: 'good',
  failed: 'bad',
  failure: 'bad',
  down: 'bad',
  critical: 'bad',
  over: 'bad',
  lost: 'bad',
  missing: 'bad',
  left_out: 'bad',
  paused: 'calm',
  created: 'calm',
  waiting: 'calm',
  pending: 'calm',
  stopped: 'calm',
  cancelled: 'calm',
  discarded: 'calm',
  removed: 'calm',
  unknown: 'calm',
};

/** Of a pair, a table, a component, an operation …; what is not known by name is under way. */
export const tone = (state: string): Tone => tones[state] ?? 'busy';

/** Types of operations as people say them. */
export const operationWords = {
  full: 'Full load',
  incremental: 'Incremental sync',
  resync: 'Resync',
  verify: 'Verification',
} as const;

/** "catching_up" → "catching up". */
export const words = (state: string): string => state.replaceAll('_', ' ');

export interface Progress {
  readonly done: number;
  readonly total: number | null;
  readonly rate?: number | null | undefined;
  readonly secondsLeft?: number | null | undefined;
}

/** Part of the whole, 0 to 1; null when nobody knows the whole. Totals are estimates: what has passed one is all there is. */
export function fraction({ done, total }: Progress): number | null {
  return total === null || total <= 0 ? null : Math.min(1, done / total);
}

/** "12,000 of about 20,000 rows · 48,000 a second · 2 s left". */
export function progressText(progress: Progress, unit: string): string {
  const { done, total, rate: speed, secondsLeft } = progress;
  const whole = total === null ? `${count(done)} ${unit}` : `${count(done)} of ${count(Math.max(total, done))} ${unit}`;
  return [
    whole,
    typeof speed === 'number' && speed > 0 ? `${rate(speed)}/s` : undefined,
    typeof secondsLeft === 'number' ? `${duration(secondsLeft)} left` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' · ');
}

/** A row as one line: "prop_id 13 · geo_id NULL". */
export function rowText(row: Readonly<Record<string, string | null>>): string {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${value === null ? 'NULL' : value.length > 40 ? `${value.slice(0, 40)}…` : value}`)
    .join(' · ');
}

/** What a plot shows, for who does not see it: "now 12.3, lowest 0, highest 44". */
export function inWords(values: readonly (number | null)[], format: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return 'nothing known yet';
  const last = values.at(-1) ?? null;
  const lowest = known.reduce((a, b) => Math.min(a, b));
  const highest = known.reduce((a, b) => Math.max(a, b));
  return `now ${last === null ? 'unknown' : format(last)}, lowest ${format(lowest)}, highest ${format(highest)}`;
}
