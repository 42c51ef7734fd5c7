import { isUuid } from '#services/control/pages.ts';

/** A line of a log file, read. */
export interface LogLine {
  /** As it stands in the file, without the line break. */
  readonly text: string;
  /** ms since 1970. */
  readonly at: number;
  readonly level: string;
  readonly process: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export const levels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;

/** undefined: the line was cut off, or is not of ours. */
export function parseLine(text: string): LogLine | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) return undefined;
  const { time, level, name } = fields as Record<string, unknown>;
  const at = typeof time === 'string' ? Date.parse(time) : NaN;
  if (Number.isNaN(at) || typeof level !== 'string') return undefined;
  return { text, at, level, process: typeof name === 'string' ? name : '', fields: fields as Record<string, unknown> };
}

export interface LineFilter {
  /** ms since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** This one and what is worse. */
  readonly level?: (typeof levels)[number] | undefined;
  /** Name or id. */
  readonly pair?: string | undefined;
  readonly operation?: string | undefined;
  readonly request?: string | undefined;
  /** Anywhere in the line, upper or lower case. */
  readonly text?: string | undefined;
}

/** Whether a line is wanted. Lines in which a pair has only its id are known by name once a line with both has been seen. */
export class LineSieve {
  readonly #filter: LineFilter;
  readonly #pairIds = new Set<string>();

  constructor(filter: LineFilter) {
    this.#filter = filter;
    if (filter.pair !== undefined && isUuid(filter.pair)) this.#pairIds.add(filter.pair);
  }

  wants({ text, at, level, fields }: LogLine): boolean {
    const { since, until, level: least, pair, operation, request, text: part } = this.#filter;
    // Before anything is left out: what is learnt here counts for later lines.
    const ofPair = pair === undefined || this.#isOf(pair, fields);
    return (
      ofPair &&
      (since === undefined || at >= since) &&
      (until === undefined || at < until) &&
      (least === undefined || rank(level) >= rank(least)) &&
      (operation === undefined || fields['operation'] === operation) &&
      (request === undefined || fields['request'] === request) &&
      (part === undefined || text.toLowerCase().includes(part.toLowerCase()))
    );
  }

  #isOf(pair: string, fields: LogLine['fields']): boolean {
    const { pair: named, pair_id: id, unit } = fields;
    if (named === pair && typeof id === 'string') this.#pairIds.add(id);
    if (named === pair) return true;
    return [named, id, typeof unit === 'string' ? unit.split(':')[1] : undefined].some(
      (each) => typeof each === 'string' && this.#pairIds.has(each),
    );
  }
}

/** A level that is not known is shown rather than left out. */
function rank(level: string): number {
  const index = (levels as readonly string[]).indexOf(level);
  return index === -1 ? levels.length : index;
}
