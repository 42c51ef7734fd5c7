import { beforeAll, expect, test, vi } from 'vitest';
import type { SlotAtSource, Source } from '#connectors/contract/source.ts';
import { loadConnector } from '#connectors/registry.ts';
import type { SystemSlotView } from '#schemas/http/system-slots.ts';
import { withGateway, type Failure } from './fixture.ts';

const gateway = withGateway();
const names = ['terrafusion_b', 'terrafusion_a', 'terrafusion_B', 'terrafusion_c'];

beforeAll(async () => {
  const found = names.map((name) => ({ name, active: false }) as SlotAtSource);
  const connector = await loadConnector('postgres');
  vi.spyOn(connector, 'source').mockReturnValue({ listStreams: () => Promise.resolve(found) } as unknown as Source);
  await gateway.ask('/api/systems', {
    method: 'POST',
    body: { name: 'slotted', connection: { url: 'postgresql://sync@127.0.0.1:1/pacs' } },
  });
});

interface Page extends Failure {
  readonly items: SystemSlotView[];
  readonly next_cursor: string | null;
}
const page = (query: string) => gateway.ask<Page>(`/api/systems/slotted/slots?${query}`);

test.each([1, 2, 3, 4, 1000])(
  'the slots of a system come in pages of %i that make up the whole, by name',
  async (limit) => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { status, body }: { status: number; body: Page } = await page(
        `limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      );
      expect(status).toBe(200);
      expect(body.items.length).toBeLessThanOrEqual(limit);
      seen.push(...body.items.map(({ name }) => name));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(names.toSorted());
  },
);

test('a cursor of another list is refused', async () => {
  const cursor = Buffer.from(JSON.stringify(['a', 'b'])).toString('base64url');
  const { status, body } = await page(`cursor=${cursor}`);
  expect([status, body.error.code]).toEqual([400, 'REQUEST_INVALID']);
});
