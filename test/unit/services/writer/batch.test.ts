import { describe, expect, test } from 'vitest';
import { BlockReader, Op, readRow } from '#schemas/block/index.ts';
import { before } from '#schemas/position.ts';
import { BatchBuilder, isWhole, type Built } from '#services/writer/batch.ts';
import { Blocks } from './fake-target.ts';

const held = { position: before(1, 100n), topic: 'changes.s', nextOffset: 0n, overlayUntil: 0n };

function rowsOf({ batch }: Built): unknown[] {
  return batch.blocks.flatMap((bytes) => {
    const block = BlockReader.open(bytes);
    const rows: unknown[] = [];
    while (block.nextTransaction()) {
      while (block.nextChange()) if (block.op === Op.insert) rows.push(readRow(block.bytes, block.afterStart).join());
    }
    return rows;
  });
}

/** Each batch: its rows, whether it ends between transactions, and from where the topic is read on once it is committed. */
function told(built: readonly Built[]) {
  return built.map((each) => [rowsOf(each).join(' '), isWhole(each.batch.last), each.batch.nextOffset]);
}

describe('blocks that never end between two transactions', () => {
  const parts = [[['1'], ['2', '…']], [['3'], ['4'], ['5', '…']], [['6', '…']], [['7'], ['8', '…']]] as const;

  test('are one transaction of the target while that is small', () => {
    const [blocks, builder] = [new Blocks(), new BatchBuilder(held, 'changes.s')];
    for (const part of parts) {
      const built = builder.build([blocks.add(...part)], 'set');
      expect(built).toHaveLength(1);
      expect(isWhole(built[0]!.batch.last)).toBe(false);
    }
  });

  test('are cut where a transaction has ended once it is large; of the block that is cut the rest is read again', () => {
    const [blocks, builder] = [new Blocks(), new BatchBuilder(held, 'changes.s', 0)];
    const built = parts.map((part) => told(builder.build([blocks.add(...part)], 'set')));
    expect(built).toEqual([
      [
        ['1', true, 0n],
        ['2', false, 1n],
      ],
      [
        ['3 4', true, 1n],
        ['5', false, 2n],
      ],
      [['6', false, 3n]],
      [
        ['7', true, 3n],
        ['8', false, 4n],
      ],
    ]);
  });

  test('given together they are cut once, at the last end', () => {
    const [blocks, builder] = [new Blocks(), new BatchBuilder(held, 'changes.s', 0)];
    const given = parts.map((part) => blocks.add(...part));
    expect(told(builder.build(given, 'set'))).toEqual([
      ['1 2 3 4 5 6 7', true, 3n],
      ['8', false, 4n],
    ]);
  });

  test('of what was cut and committed nothing comes twice when it is read again', () => {
    const blocks = new Blocks();
    const given = parts.map((part) => blocks.add(...part));
    const [first] = new BatchBuilder(held, 'changes.s', 0).build(given.slice(0, 2), 'set');
    const { last, nextOffset } = first!.batch;
    const again = new BatchBuilder({ ...held, position: last, nextOffset }, 'changes.s', 0);
    expect(told(again.build(given.slice(Number(nextOffset)), 'set'))).toEqual([
      ['5 6 7', true, 3n],
      ['8', false, 4n],
    ]);
  });
});

test('a transaction larger than that has no end to be cut at, and stays one', () => {
  const [blocks, builder] = [new Blocks(), new BatchBuilder(held, 'changes.s', 0)];
  const built = [['1', '…'], ['2', '…'], ['3']].map((part) => told(builder.build([blocks.add(part)], 'set')));
  expect(built).toEqual([[['1', false, 1n]], [['2', false, 2n]], [['3', true, 3n]]]);
});
