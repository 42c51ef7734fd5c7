import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockQueue } from '#services/kernel/block-queue.ts';

const block = (size: number, id = 0) => ({ bytes: Buffer.alloc(size), id });

test('what is put comes out in order, gathered, and never beyond the limit by more than one block', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 120 }),
      async (sizes, limit) => {
        const queue = new BlockQueue<ReturnType<typeof block>>(limit);
        let most = 0;
        const putting = (async () => {
          for (const [id, size] of sizes.entries()) {
            const waiting = queue.put(block(size, id));
            most = Math.max(most, queue.bytes);
            await waiting;
          }
          queue.end();
        })();
        const taken: number[] = [];
        for (let blocks = await queue.take(); blocks.length > 0; blocks = await queue.take()) {
          taken.push(...blocks.map(({ id }) => id));
        }
        await putting;
        expect(taken).toEqual(sizes.map((_, id) => id));
        expect(most).toBeLessThan(limit + 50);
      },
    ),
  );
});

test('who has filled it waits until somebody takes (Promise 6)', async () => {
  const queue = new BlockQueue<ReturnType<typeof block>>(10);
  let room = false;
  const waiting = queue.put(block(10)).then(() => {
    room = true;
  });
  await new Promise(setImmediate);
  expect(room).toBe(false);
  await queue.take();
  await waiting;
  expect(room).toBe(true);
});

test('blocks that were put before a failure come out before it', async () => {
  const queue = new BlockQueue<ReturnType<typeof block>>(100);
  await queue.put(block(1));
  queue.end(new Error('the connection broke'));
  expect(await queue.take()).toHaveLength(1);
  await expect(queue.take()).rejects.toThrow('the connection broke');
});

test('an end wakes who waits for room', async () => {
  const queue = new BlockQueue<ReturnType<typeof block>>(1);
  const waiting = queue.put(block(5));
  queue.end();
  await expect(waiting).resolves.toBeUndefined();
});
