import { TerraFusionError } from '#schemas/errors.ts';

/** A page of a list, and where the next one begins. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; undefined on the last page. */
  readonly nextCursor: string | undefined;
}

export interface PageRequest {
  /** At most so many items, 1 or more. */
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** The sort key of a page's last item, made opaque for the caller. */
export function encodeCursor(key: readonly string[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** What a part of a cursor may be: it comes back from outside, and goes into a query. */
const cursorParts = {
  text: (part: string) => !part.includes('\0'),
  uuid: isUuid,
  number: (part: string) => /^[1-9]\d{0,17}$/.test(part),
  moment: isMoment,
} as const;

/** As PostgreSQL prints a timestamptz. */
function isMoment(text: string): boolean {
  const parts =
    /^([1-9]\d{3})-(\d\d)-(\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?[+-](?:0\d|1[0-4])(?::[0-5]\d)?$/.exec(
      text,
    );
  if (!parts) return false;
  const [, year, month, day] = parts.map(Number);
  const date = new Date(Date.UTC(year!, month! - 1, day));
  return date.getUTCMonth() === month! - 1 && date.getUTCDate() === day!;
}

/** @throws REQUEST_INVALID when it is none of ours, or of another list */
export function decodeCursor(cursor: string, ...kinds: readonly (keyof typeof cursorParts)[]): string[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    const isOurs = (part: unknown, nth: number): part is string =>
      typeof part === 'string' && part.isWellFormed() && cursorParts[kinds[nth]!](part);
    const parts: readonly unknown[] = Array.isArray(key) ? key : [];
    if (parts.length === kinds.length && parts.every(isOurs)) return [...parts];
  } catch {
    // Told below.
  }
  throw new TerraFusionError('REQUEST_INVALID', 'cursor: is not the next_cursor of a page of this list', {
    details: { fields: [{ path: 'cursor', message: 'is not the next_cursor of a page of this list' }] },
  });
}

/** Cuts the page from rows that were asked for with one more than the limit. */
export function cutPage<Row, T>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly string[],
  toItem: (row: Row) => T,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : undefined,
  };
}

/** Collects the conditions of a query and their values. */
export class Conditions {
  readonly values: unknown[] = [];
  readonly #conditions: string[] = [];

  /** Adds a condition in which each `?` stands for the next value; nothing when a value is undefined. */
  add(condition: string, ...values: readonly unknown[]): this {
    if (values.includes(undefined)) return this;
    let next = 0;
    this.#conditions.push(condition.replaceAll('?', () => this.bind(values[next++])));
    return this;
  }

  /** Takes a value and gives its placeholder. */
  bind(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  toString(): string {
    return this.#conditions.length === 0 ? 'true' : this.#conditions.join(' AND ');
  }
}

/** A pattern that finds the text anywhere, its own % and _ taken as they are. */
export function containing(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `%${text.replace(/[\\%_]/g, String.raw`\$&`)}%`;
}

/** Whether the text can be the id of a thing with a uuid. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
