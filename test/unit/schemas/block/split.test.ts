import { expect, test } from 'vitest';
import { Before, BlockReader, BlockWriter, Op, readRow, splitBefore } from '#schemas/block/index.ts';
import { formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';

/** Transactions with the ordinals of their changes; the last one may be a slice. */
function block(transactions: readonly (readonly [bigint, readonly number[]])[], open = false): Buffer {
  const writer = new BlockWriter();
  const table = writer.addTable({
    relationId: 1,
    schema: 's',
    name: 't',
    identity: 'default',
    tolerant: false,
    columns: [],
  });
  for (const [index, [commitLsn, ordinals]] of transactions.entries()) {
    writer.beginTransaction({ xid: 1, commitLsn, commitTime: 0, origin: undefined });
    for (const ordinal of ordinals) {
      writer.beginChange(table, Op.insert, ordinal);
      writer.before(Before.absent);
      writer.after(true);
      writer.beginRow(1);
      writer.textCellOf(`${commitLsn}.${ordinal}`);
      writer.endRow();
    }
    writer.endTransaction(!(open && index === transactions.length - 1), ordinals.at(-1) ?? 0);
  }
  return writer.finish('source', 1, { generation: 1, commitLsn: 0n, ordinal: LAST_ORDINAL });
}

function rows(bytes: Buffer | undefined): { rows: string[]; from: string; last: string } | undefined {
  if (bytes === undefined) return undefined;
  const reader = BlockReader.open(bytes);
  const found: string[] = [];
  while (reader.nextTransaction()) while (reader.nextChange()) found.push(readRow(reader.bytes, reader.afterStart)[0]!);
  return { rows: found, from: formatPosition(reader.header.after), last: formatPosition(reader.end) };
}

const at = (commitLsn: bigint, ordinal: number): Position => ({ generation: 1, commitLsn, ordinal });
const two = block([
  [16n, [0, 2]],
  [32n, [0, 1, 5]],
]);

test('before a transaction: it ends between transactions, and the tail continues from there', () => {
  const { head, tail } = splitBefore(two, at(32n, 0));
  expect(rows(head)).toEqual({ rows: ['16.0', '16.2'], from: '1:0/0', last: '1:0/10' });
  expect(rows(tail)).toEqual({ rows: ['32.0', '32.1', '32.5'], from: '1:0/10', last: '1:0/20' });
  expect(rows(splitBefore(two, at(32n, -1)).head)).toEqual(rows(head));
});

test('within a transaction: the head holds its beginning, up to the ordinal before the change', () => {
  const { head, tail } = splitBefore(two, at(32n, 5));
  expect(rows(head)).toEqual({ rows: ['16.0', '16.2', '32.0', '32.1'], from: '1:0/0', last: '1:0/20:4' });
  expect(rows(tail)).toEqual({ rows: ['32.5'], from: '1:0/20:4', last: '1:0/20' });
});

test('before the first change nothing is ahead; behind the last one nothing follows', () => {
  expect(rows(splitBefore(two, at(16n, 0)).head)).toBeUndefined();
  expect(splitBefore(two, at(16n, 0)).tail).toBe(two);
  expect(splitBefore(two, at(64n, 0))).toEqual({ head: two, tail: undefined });
});

test('a slice in which nothing stands before the change goes to the tail whole', () => {
  const slice = block([[16n, [7, 8]]], true);
  expect(splitBefore(slice, at(16n, 7))).toEqual({ head: undefined, tail: slice });
  expect(rows(splitBefore(slice, at(16n, 8)).tail)).toMatchObject({ rows: ['16.8'], last: '1:0/10:8' });
});

test('a transaction without changes of ours stays where it is', () => {
  const { head, tail } = splitBefore(
    block([
      [16n, []],
      [32n, [0]],
    ]),
    at(32n, 0),
  );
  expect(rows(head)).toEqual({ rows: [], from: '1:0/0', last: '1:0/10' });
  expect(rows(tail)).toMatchObject({ rows: ['32.0'], from: '1:0/10' });
});
