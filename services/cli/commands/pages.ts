import type { z } from 'zod';
import { MAX_PAGE } from '#schemas/http/common.ts';
import type { GatewayClient } from '../gateway-client.ts';

export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/** What a list may be narrowed down to; undefined ones are left out. */
export type Filters = Readonly<Record<string, string | undefined>>;

/** "/api/sync-pairs?limit=5" */
export function withQuery(path: string, query: Filters): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** All items of a list, page by page, or the first `limit`. */
export async function allPages<Item>(
  client: GatewayClient,
  path: string,
  schema: z.ZodType<Page<Item>>,
  filters: Filters = {},
  limit = Infinity,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const size = Math.min(MAX_PAGE, limit - items.length);
    const query = withQuery(path, { ...filters, limit: String(size), cursor: cursor ?? undefined });
    const page: Page<Item> = await client.get(query, schema);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < limit);
  return items;
}

/** Path of one thing: its id or name as a part of the path, whatever characters it has. */
export function pathOf(list: string, idOrName: string, ...rest: readonly string[]): string {
  return [list, ...[idOrName, ...rest].map(encodeURIComponent)].join('/');
}
