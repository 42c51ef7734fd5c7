import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentBlocks } from '#services/kernel/bus/recent-blocks.ts';

const block = (bytes: number, fill = 0): Buffer => Buffer.alloc(bytes, fill);

test('the newest blocks are there, the oldest go first, and the bound holds over all topics (Promise 6)', () => {
  const recent = new RecentBlocks(100);
  recent.add('a', 1, block(40, 1));
  recent.add('b', 7, block(40, 2));
  recent.add('a', 2, block(40, 3));
  expect(recent.get('a', 1)).toBeUndefined();
  expect(recent.get('b', 7)).toEqual(block(40, 2));
  expect(recent.get('a', 2)).toEqual(block(40, 3));
  expect(recent.bytes).toBe(80);
});

test('a block larger than the bound is not kept and drives nothing out', () => {
  const recent = new RecentBlocks(100);
  recent.add('a', 1, block(90));
  recent.add('a', 2, block(101));
  expect(recent.get('a', 1)).toBeDefined();
  expect(recent.get('a', 2)).toBeUndefined();
});

test('what is given back is what was stored at that offset, or nothing (property)', () => {
  const step = fc.oneof(
    fc.record({ topic: fc.constantFrom('a', 'b', 'c'), size: fc.nat(60) }),
    fc.record({ forget: fc.constantFrom('a', 'b', 'c') }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3000, size: 'max' }), (steps) => {
      const recent = new RecentBlocks(200);
      const all = new Map<string, Buffer>();
      let offset = 0;
      for (const each of steps) {
        if ('forget' in each) {
          recent.forget(each.forget);
          for (const key of all.keys()) if (key.startsWith(each.forget)) all.delete(key);
        } else {
          const bytes = block(each.size, offset % 251);
          recent.add(each.topic, offset, bytes);
          all.set(`${each.topic} ${offset}`, bytes);
          expect(recent.get(each.topic, offset)).toBe(bytes);
          offset++;
        }
        expect(recent.bytes).toBeLessThanOrEqual(200);
      }
      for (let at = 0; at < offset; at++) {
        for (const topic of ['a', 'b', 'c']) {
          const got = recent.get(topic, at);
          if (got !== undefined) expect(got).toBe(all.get(`${topic} ${at}`));
        }
      }
    }),
    { numRuns: 30 },
  );
});
