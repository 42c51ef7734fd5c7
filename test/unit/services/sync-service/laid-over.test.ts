import { expect, test } from 'vitest';
import { BlockReader, BlockWriter, Op, readRow } from '#schemas/block/index.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import { before } from '#schemas/position.ts';
import type { Processor } from '#services/stream-processor/compile.ts';
import { laidOver } from '#services/sync-service/laid-over.ts';

/** A chain that changes nothing. */
const chain: Processor = {
  process: (bytes) => ({ bytes, deadLetters: [], counts: { in: 0, out: 0, filtered: 0, rejected: 0, warned: {} } }),
};

/** One transaction each, whose number is its LSN, with one row for each of the tables. */
function block(lsns: readonly bigint[], tables: readonly string[], after = before(1, 0n)): Buffer {
  const writer = new BlockWriter();
  const indexes = tables.map((name) =>
    writer.addTable({ relationId: 1, schema: 'public', name, identity: 'nothing', tolerant: false, columns: [] }),
  );
  for (const commitLsn of lsns) {
    writer.beginTransaction({ xid: Number(commitLsn), commitLsn, commitTime: 0, origin: undefined });
    for (const [ordinal, index] of indexes.entries()) {
      writer.beginChange(index, Op.insert, ordinal);
      writer.before(0);
      writer.after(true);
      writer.beginRow(1);
      writer.textCellOf(`${tables[ordinal]!} ${commitLsn}`);
      writer.endRow();
    }
    writer.endTransaction(true, 0);
  }
  return writer.finish('s', 1, after);
}

function rowsOf(bytes: Buffer): string[] {
  const reader = BlockReader.open(bytes);
  const rows: string[] = [];
  while (reader.nextTransaction()) while (reader.nextChange()) rows.push(readRow(bytes, reader.afterStart)[0]!);
  return rows;
}

const loaded: LoadedTables = {
  snapshots: [
    { until: 25n, shown: '10:21:' },
    { until: 45n, shown: '10:41:30' },
  ],
  tables: { 'public.both': [0, 1], 'public.first': [0, 0] },
  rest: [1, 1],
};

test('each table is laid over what the first snapshot shows in which it was read', () => {
  const processor = laidOver(chain, loaded);
  const bytes = block([10n, 20n, 30n, 40n, 50n], ['both', 'first', 'last']);
  expect(rowsOf(processor.process(bytes, 0n).bytes)).toEqual([
    // 30 still ran when the last snapshot was taken: it shows 10, 20 and 40.
    ...['both 30', 'first 30', 'last 30'],
    ...['both 40', 'first 40'],
    ...['both 50', 'first 50', 'last 50'],
  ]);
  expect(BlockReader.summary(processor.process(bytes, 0n).bytes).last.commitLsn).toBe(50n);
});

test('what continues from behind all of it is not looked into', () => {
  const processor = laidOver(chain, loaded);
  const bytes = block([20n], ['last'], before(1, 45n));
  expect(processor.process(bytes, 0n).bytes).toBe(bytes);
});

test('a table that cannot tell what its snapshot shows is brought whole', () => {
  const processor = laidOver(chain, { snapshots: [{ until: 45n, shown: undefined }], tables: {}, rest: [0, 0] });
  const bytes = block([20n], ['any']);
  expect(processor.process(bytes, 0n).bytes).toBe(bytes);
  expect(laidOver(chain, undefined)).toBe(chain);
});
