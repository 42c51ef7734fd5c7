import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BLOCK_FORMAT,
  BlockReader,
  BlockWriter,
  continuesFrom,
  dropThrough,
  Op,
  readRow,
  splitBefore,
  textual,
  withoutChanges,
  withoutTables,
} from '#schemas/block/index.ts';
import type { Position } from '#schemas/position.ts';
import { damage, damaged, FUZZ_TIMEOUT, fuzzRuns, withinBounds } from '#test/support/fuzz.ts';
import { arbBlock, arbPosition, write } from '../block-model.ts';

const codes = ['BLOCK_CORRUPT', 'BLOCK_VERSION_UNKNOWN'] as const;

/** Everything that is done to a block on its way, each on bytes of its own: what is known of a buffer is not looked for again. */
function everything(bytes: Buffer, at: Position): void {
  const each: readonly ((block: Buffer) => unknown)[] = [
    (block) => continuesFrom(block),
    (block) => BlockReader.summary(block),
    (block) => textual(block),
    (block) => dropThrough(block, at),
    (block) => splitBefore(block, at),
    (block) => withoutTables(block, ({ relationId }) => (relationId % 2 === 0 ? 'all' : at)),
    (block) => withoutChanges(block, ({ xid }, table) => (xid + table) % 2 === 0),
    (block) => {
      const reader = BlockReader.open(block);
      while (reader.nextTransaction()) {
        while (reader.nextChange()) {
          const columns = reader.header.tables[reader.table]?.columns;
          if (reader.beforeStart >= 0) readRow(reader.bytes, reader.beforeStart, columns);
          if (reader.afterStart >= 0) readRow(reader.bytes, reader.afterStart, columns);
        }
      }
    },
  ];
  for (const one of each) withinBounds(codes, () => one(Buffer.from(bytes)));
}

describe('whatever a topic gives (Promise 6)', () => {
  test(
    'bytes that are no block: a code, in time, and no memory for what is only announced',
    () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 300 }),
          fc.constantFrom([], [2], [4], [6]),
          arbPosition,
          (bytes, head, at) => {
            everything(Buffer.from([...head, ...bytes]), at);
          },
        ),
        { numRuns: fuzzRuns(1000) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test(
    'a block that was damaged',
    () => {
      fc.assert(
        fc.property(arbBlock, fc.array(damage, { minLength: 1, maxLength: 4 }), arbPosition, (block, changes, at) => {
          everything(damaged(write(block), changes), at);
        }),
        { numRuns: fuzzRuns(1000) },
      );
    },
    FUZZ_TIMEOUT,
  );

  test('a value of 2 GiB that is announced and does not come', () => {
    const writer = new BlockWriter();
    writer.beginTransaction({ xid: 1, commitLsn: 1n, commitTime: 0, origin: undefined });
    writer.beginChange(-1, Op.message, 0);
    writer.before(0);
    writer.after(true);
    writer.beginRow(1);
    writer.textCellOf('abcde');
    writer.endRow();
    writer.endTransaction(true, 0);
    const good = writer.finish('s', 1, { generation: 1, commitLsn: 0n, ordinal: 0 });
    const length = good.indexOf('abcde') - 1;
    for (const announced of [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52]) {
      // Zig-zag, seven bits a byte.
      const varint: number[] = [];
      for (let left = BigInt(announced) * 2n; ; left >>= 7n) {
        varint.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
        if (left <= 0x7fn) break;
      }
      const bad = Buffer.concat([good.subarray(0, length), Buffer.from(varint), good.subarray(length + 1)]);
      expect(withinBounds(codes, () => BlockReader.summary(bad))).toBe('BLOCK_CORRUPT');
    }
  });

  test('of a newer format: where it continues from is not guessed', () => {
    const newer = Buffer.from([2 * (BLOCK_FORMAT + 1), 2, 0x73, 2, 2, 8, 0, 0, 0, 0]);
    expect(continuesFrom(newer)).toBeUndefined();
    expect(withinBounds(codes, () => BlockReader.open(newer))).toBe('BLOCK_VERSION_UNKNOWN');
  });
});
