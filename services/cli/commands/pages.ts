import type { z } from 'zod';
import type { GatewayClient } from '../gateway-client.ts';

interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/** All items of a list, page by page. */
export async function allPages<Item>(
  client: GatewayClient,
  path: string,
  schema: z.ZodType<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const query = new URLSearchParams({ limit: '1000', ...(cursor === null ? {} : { cursor }) });
    const page: Page<Item> = await client.get(`${path}?${query.toString()}`, schema);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return items;
}
