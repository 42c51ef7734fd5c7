import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { blockType } from '#schemas/block/avro.ts';
import { BLOCK_FORMAT, BlockReader, BlockWriter, Op, readRow } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { LAST_ORDINAL, ORIGIN } from '#schemas/position.ts';
import { arbBlock, read, readWithAvro, write, writeImage, writeWithAvro, type ModelBlock } from '../block-model.ts';

const table = {
  relationId: 16384,
  schema: 'pacs',
  name: 'property',
  identity: 'default',
  tolerant: false,
  columns: [
    {
      name: 'prop_id',
      typeOid: 23,
      typeSchema: 'pg_catalog',
      typeName: 'int4',
      typmod: -1,
      key: true,
      format: 'text',
    },
  ],
} as const;

const small: ModelBlock = {
  source: 's',
  generation: 1,
  after: { generation: 1, commitLsn: 5n, ordinal: LAST_ORDINAL },
  inputOffset: -1n,
  tables: [table],
  transactions: [
    {
      xid: 7,
      commitLsn: 9n,
      commitTime: 1,
      origin: undefined,
      changes: [
        { table: 0, op: Op.insert, ordinal: 0, before: undefined, after: ['1'] },
        {
          table: 0,
          op: Op.update,
          ordinal: 1,
          before: { kind: 'key', cells: ['1'] },
          after: ['2'],
        },
      ],
      complete: true,
      lastOrdinal: LAST_ORDINAL,
    },
  ],
};

describe('a block', () => {
  test('that the writer wrote is read by avsc through the schema file to the same content', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        expect(readWithAvro(write(block))).toEqual(block);
      }),
    );
  });

  test('that the writer wrote is read by the reader to the same content', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        expect(read(write(block))).toEqual(block);
      }),
    );
  });

  test('that avsc wrote, in arrays of many items at once, is read by the reader to the same content', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        expect(read(writeWithAvro(block))).toEqual(block);
      }),
    );
  });

  test('is written the same by one writer again and again, and by a new one', () => {
    const writer = new BlockWriter(64);
    fc.assert(
      fc.property(arbBlock, (block) => {
        const bytes = write(block, writer);
        expect(write(block, writer).equals(bytes)).toBe(true);
        expect(write(block).equals(bytes)).toBe(true);
      }),
    );
  });

  test('can be read twice by one reader', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        const reader = BlockReader.open(write(block));
        const walk = () => {
          const seen: unknown[] = [];
          while (reader.nextTransaction()) {
            while (reader.nextChange()) seen.push(reader.table, reader.op, reader.ordinal, reader.changeEnd);
            seen.push(reader.transaction, reader.complete, reader.end);
          }
          return seen;
        };
        const first = walk();
        reader.rewind();
        expect(walk()).toEqual(first);
      }),
    );
  });

  test('sums up to what it holds', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        const bytes = write(block);
        const summary = BlockReader.summary(bytes);
        // What the writer noted is what somebody finds who gets the same bytes from elsewhere.
        expect(BlockReader.summary(Buffer.from(bytes))).toEqual(summary);
        const { first, last, complete, transactions, changes, lastCommitTime } = summary;
        expect(BlockReader.open(bytes).header).toEqual({
          format: BLOCK_FORMAT,
          source: block.source,
          generation: block.generation,
          after: block.after,
          inputOffset: block.inputOffset,
          tables: block.tables,
        });
        const final = block.transactions.at(-1);
        expect(transactions).toBe(block.transactions.length);
        expect(changes).toBe(block.transactions.reduce((sum, transaction) => sum + transaction.changes.length, 0));
        expect(lastCommitTime).toBe(final?.commitTime ?? 0);
        expect(complete).toBe(final?.complete ?? block.after.ordinal === LAST_ORDINAL);
        expect(last).toEqual(
          final
            ? { generation: block.generation, commitLsn: final.commitLsn, ordinal: final.lastOrdinal }
            : block.after,
        );
        const holder = block.transactions.find((transaction) => transaction.changes.length > 0);
        expect(first).toEqual(
          holder && {
            generation: block.generation,
            commitLsn: holder.commitLsn,
            ordinal: holder.changes[0]!.ordinal,
          },
        );
      }),
    );
  });

  test('of format 1 is read, with what it does not tell filled in', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        const bytes = writeWithAvro(block, 1);
        expect(read(bytes)).toEqual({
          ...block,
          after: ORIGIN,
          inputOffset: -1n,
          tables: block.tables.map((known) => ({ ...known, tolerant: false })),
        });
      }),
    );
  });

  test('of format 2 is read to the same content', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        expect(read(writeWithAvro(block, 2))).toEqual(block);
      }),
    );
  });

  test.each([1, 2, 31, 62, 63, 64, 8000, 8191, 8192, 70_000])(
    'a row in one piece of %i bytes, whatever was thought likely',
    (length) => {
      for (const likely of [0, 63, 64, 8191, 8192, 1_048_576]) {
        const writer = new BlockWriter(64);
        writer.addTable(table);
        writer.beginTransaction({ xid: 1, commitLsn: 9n, commitTime: 1, origin: undefined });
        writer.beginChange(0, Op.insert, 0);
        writer.before(0);
        writer.after(true);
        const cell = new Uint8Array(length).fill(7);
        writeImage([cell, null], writer, likely);
        writer.endTransaction(true, 0);
        const bytes = writer.finish('s', 1, ORIGIN);
        expect(read(bytes).transactions[0]!.changes[0]!.after).toEqual([cell, null]);
        expect(readWithAvro(bytes)).toEqual(read(bytes));
      }
    },
  );

  test('of the current format is read in place', () => {
    const bytes = write(small);
    expect(BlockReader.open(bytes).bytes).toBe(bytes);
  });

  test('copies changes and rows of another one as they are', () => {
    const from = BlockReader.open(write(small));
    const writer = new BlockWriter(16);
    writer.addTable(table);
    while (from.nextTransaction()) {
      writer.beginTransaction(from.transaction);
      while (from.nextChange()) {
        writer.beginChange(from.table, from.op, from.ordinal);
        writer.raw(from.bytes, from.imagesStart, from.changeEnd);
      }
      writer.endTransaction(from.complete, from.end.ordinal);
    }
    const { source, generation, after } = from.header;
    expect(read(writer.finish(source, generation, after))).toEqual(small);
  });

  test('gives a row as strings for people', () => {
    const block = BlockReader.open(write(small));
    block.nextTransaction();
    block.nextChange();
    expect(readRow(block.bytes, block.afterStart)).toEqual(['1']);
  });

  test('grows with a value larger than its buffer, and lets the room go afterwards', () => {
    const writer = new BlockWriter(64);
    const large = 'x'.repeat(5 * 1024 * 1024);
    const block: ModelBlock = {
      ...small,
      transactions: [
        {
          ...small.transactions[0]!,
          changes: [{ table: 0, op: Op.insert, ordinal: 0, before: undefined, after: [large] }],
        },
      ],
    };
    expect(read(write(block, writer))).toEqual(block);
    expect(read(write(small, writer))).toEqual(small);
  });

  test('is not finished in the middle of a transaction', () => {
    const writer = new BlockWriter();
    writer.beginTransaction({ xid: 1, commitLsn: 1n, commitTime: 0, origin: undefined });
    expect(() => writer.finish('s', 1, ORIGIN)).toThrow('only between transactions');
  });

  test('counts what it holds while it is written', () => {
    const writer = new BlockWriter();
    expect(writer.isEmpty).toBe(true);
    writer.addTable(table);
    writer.beginTransaction({ xid: 1, commitLsn: 1n, commitTime: 0, origin: undefined });
    writer.beginChange(0, Op.delete, 0);
    writer.before(0);
    writer.after(false);
    writer.endTransaction(true, 0);
    expect(writer).toMatchObject({ isEmpty: false, transactions: 1, changes: 1 });
    expect(writer.byteLength).toBeGreaterThan(0);
    writer.reset();
    expect(writer).toMatchObject({ isEmpty: true, transactions: 0, changes: 0, byteLength: 0 });
  });
});

describe('bytes that are no block', () => {
  /** Walks everything; only our own two errors may come out. */
  const walk = (bytes: Buffer): string => {
    try {
      BlockReader.summary(bytes);
      read(bytes);
      return 'read';
    } catch (error) {
      if (!(error instanceof TerraFusionError)) throw error;
      return error.code;
    }
  };
  const outcomes = ['read', 'BLOCK_CORRUPT', 'BLOCK_VERSION_UNKNOWN'];

  test('give BLOCK_CORRUPT or BLOCK_VERSION_UNKNOWN, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(outcomes).toContain(walk(Buffer.from(bytes)));
        // The first byte right, the rest whatever it is.
        expect(outcomes).toContain(walk(Buffer.from([BLOCK_FORMAT * 2, ...bytes])));
        expect(outcomes).toContain(walk(Buffer.from([2, ...bytes])));
      }),
      { numRuns: 2000 },
    );
  });

  test('give BLOCK_CORRUPT when a block is cut anywhere', () => {
    fc.assert(
      fc.property(arbBlock, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (block, share) => {
        const bytes = write(block);
        expect(walk(bytes.subarray(0, Math.floor(share * bytes.length)))).toBe('BLOCK_CORRUPT');
      }),
    );
  });

  test('give BLOCK_CORRUPT when something follows a block', () => {
    fc.assert(
      fc.property(arbBlock, (block) => {
        expect(walk(Buffer.concat([write(block), Buffer.from([0])]))).toBe('BLOCK_CORRUPT');
      }),
    );
  });

  test('are told within our words when some bytes of a block are changed', () => {
    fc.assert(
      fc.property(
        arbBlock,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (block, flips) => {
          const bytes = write(block);
          for (const [at, byte] of flips) bytes[at % bytes.length] = byte;
          expect(outcomes).toContain(walk(bytes));
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['is shorter than its number of cells', [2, 8, 2, 0, 0]],
    ['ends before its last cell', [2, 8, 4, 0, 1, 0]],
    ['ends within a cell', [2, 8, 14, 0, 1, 0, 0, 0, 2, 65, 0]],
    ['has more than its cells', [2, 8, 16, 0, 1, 0, 0, 0, 1, 65, 66, 0]],
    ['has a cell of less than no bytes', [2, 8, 12, 0, 1, 0xff, 0xff, 0xff, 0xfe, 0]],
    ['is not alone', [2, 8, 4, 0, 0, 2, 0, 0]],
    ['stands beside a cell', [4, 0, 8, 4, 0, 0, 0]],
  ])('a row in one piece that %s gives BLOCK_CORRUPT', (_what, row) => {
    const good = write({
      ...small,
      transactions: [{ ...small.transactions[0]!, changes: [small.transactions[0]!.changes[0]!] }],
    });
    // The row of one cell, "1": a run of one, a text of one byte, no further run.
    const cell = Buffer.from([2, 2, 2, 0x31, 0]);
    const at = good.indexOf(cell);
    const bad = Buffer.concat([good.subarray(0, at), Buffer.from(row), good.subarray(at + cell.length)]);
    expect(walk(bad)).toBe('BLOCK_CORRUPT');
  });

  test('claiming a huge count end at the end of the bytes', () => {
    const head = write({ ...small, tables: [], transactions: [] });
    // The header without its two array ends, then a count of 2^52.
    const count = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
    expect(walk(Buffer.concat([head.subarray(0, -2), count]))).toBe('BLOCK_CORRUPT');
    expect(walk(Buffer.concat([head.subarray(0, -1), count]))).toBe('BLOCK_CORRUPT');
  });

  test('of a newer format name both versions', () => {
    const newer = Buffer.from([(BLOCK_FORMAT + 1) * 2, 0, 0]);
    expect(() => BlockReader.open(newer)).toThrow(
      expect.objectContaining({
        code: 'BLOCK_VERSION_UNKNOWN',
        message: expect.stringContaining(`format ${BLOCK_FORMAT + 1}`) as string,
      }) as Error,
    );
    expect(() => blockType(99)).toThrow(TerraFusionError);
  });
});
