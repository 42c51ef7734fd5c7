import { describe, expect, test } from 'vitest';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { processed, type InlineBlock } from '#services/stream-processor/inline.ts';
import { reheader } from '#services/stream-processor/reheader.ts';
import { read, write, writeWithAvro } from '#test/unit/schemas/block-model.ts';
import { block, definition, insert, table } from './fixture.ts';

const owner = table('pacs.owner', ['owner_id* int4', 'name text']);
const bytes = write(block([owner], [insert(['1', 'A']), insert(['2', 'B'])]));

async function* topic(...offsets: bigint[]): AsyncGenerator<BusBlock> {
  for (const offset of offsets) {
    await Promise.resolve();
    yield { offset, bytes };
  }
}

describe('between reader and writer', () => {
  test('blocks pass in order, with the offset to go on at', async () => {
    const out: InlineBlock[] = [];
    const store = () => Promise.reject(new Error('nothing to store'));
    for await (const made of processed(topic(4n, 6n), compilePair(definition(undefined)), store)) out.push(made);
    expect(out.map(({ nextOffset }) => nextOffset)).toEqual([5n, 7n]);
    expect(out[0]!.bytes).toBe(bytes);
    expect(out[0]!.counts).toMatchObject({ in: 2, out: 2 });
  });

  test('dead letters are stored before the block goes on (Promise 2)', async () => {
    const pair = definition([{ source: 'pacs.owner', rules: [{ name: 'only A', check: 'row.name == "A"' }] }]);
    const events: string[] = [];
    const store = (letters: readonly DeadLetter[]) => {
      events.push(...letters.map(({ position }) => `stored ${position}`));
      return Promise.resolve();
    };
    for await (const made of processed(topic(1n), compilePair(pair), store)) {
      events.push(`block with ${read(made.bytes).transactions[0]!.changes.length} change`);
    }
    expect(events).toEqual(['stored 2:0/20:1', 'block with 1 change']);
  });

  test('a block whose dead letters cannot be stored does not go on', async () => {
    const pair = definition([{ source: 'pacs.owner', rules: [{ name: 'never', check: 'false' }] }]);
    const seen: InlineBlock[] = [];
    const run = async () => {
      const store = () => Promise.reject(new Error('no room'));
      for await (const made of processed(topic(1n), compilePair(pair), store)) seen.push(made);
    };
    await expect(run()).rejects.toThrow('no room');
    expect(seen).toEqual([]);
  });
});

describe('reheader', () => {
  test('changes the input offset and nothing else', () => {
    for (const offset of [0n, 1n, 2n ** 62n]) {
      expect(read(reheader(bytes, offset))).toEqual({ ...read(bytes), inputOffset: offset });
    }
  });

  test('gives the same buffer when the offset is there already', () => {
    const once = reheader(bytes, 9n);
    expect(reheader(once, 9n)).toBe(once);
  });

  test('refuses a block that has no place for it', () => {
    expect(() => reheader(writeWithAvro(block([owner], []), 1), 1n)).toThrow(RangeError);
  });
});
