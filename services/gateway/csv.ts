import type { FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import type { Page, PageRequest } from '#services/control/pages.ts';

/** A table for spreadsheets: a title, and what stands under it; objects as JSON, nothing for null. */
export type Columns<T> = readonly (readonly [title: string, value: (item: T) => unknown])[];

/** Items that are read at once: an export of millions costs the memory of so many. (Promise 6) */
const PAGE = 200;
/** What spreadsheets take for the beginning of a formula, in its full width forms too. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

/** A cell of RFC 4180. One that a spreadsheet would take for a formula is shown as text: cells hold what others have written. */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvLine(values: readonly unknown[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}

/** Whether a table is wanted: by the query, or else by what the caller would rather have than JSON. */
export function wantsCsv({ headers: { accept = '' } }: FastifyRequest, format: 'json' | 'csv' | undefined): boolean {
  if (format !== undefined) return format === 'csv';
  return quality(accept, 'text/csv') > quality(accept, 'application/json');
}

/** How much a type is wanted, by name; a range with stars asks for nothing in particular. */
function quality(accept: string, type: string): number {
  for (const range of accept.toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim());
    if (name !== type) continue;
    const q = parameters.find((each) => each.startsWith('q='));
    return q === undefined ? 1 : Number(q.slice(2)) || 0;
  }
  return 0;
}

/**
 * Answers with everything that a list holds, page by page as the reader takes it. The first page is read before anything is sent, so that what is
 * wrong then is told; should a later one fail, the connection breaks: half a table must not look whole. (Promise 9)
 */
export async function sendCsv<T>(
  reply: FastifyReply,
  name: string,
  columns: Columns<T>,
  list: (page: PageRequest) => Promise<Page<T>>,
  { limit, cursor }: { readonly limit: number | undefined; readonly cursor: string | undefined },
): Promise<FastifyReply> {
  const first = await list({ limit: Math.min(PAGE, limit ?? PAGE), cursor });
  void reply
    .header('content-disposition', `attachment; filename="${name}.csv"`)
    .header('vary', 'accept')
    .type('text/csv; charset=utf-8');
  return reply.send(Readable.from(lines(columns, first, list, limit), { objectMode: true, highWaterMark: 1 }));
}

/** A list of records as they are shown. */
export function listOf<R, T>(
  list: (page: PageRequest) => Promise<Page<R>>,
  view: (record: R) => T,
): (page: PageRequest) => Promise<Page<T>> {
  return async (page) => {
    const { items, nextCursor } = await list(page);
    return { items: items.map(view), nextCursor };
  };
}

async function* lines<T>(
  columns: Columns<T>,
  first: Page<T>,
  list: (page: PageRequest) => Promise<Page<T>>,
  limit = Infinity,
): AsyncGenerator<string> {
  yield csvLine(columns.map(([title]) => title));
  let left = limit;
  for (let page = first; ; page = await list({ limit: Math.min(PAGE, left), cursor: page.nextCursor })) {
    if (page.items.length > 0)
      yield page.items.map((item) => csvLine(columns.map(([, value]) => value(item)))).join('');
    left -= page.items.length;
    if (page.nextCursor === undefined || left <= 0) return;
  }
}
