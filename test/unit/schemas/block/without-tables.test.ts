import { expect, test } from 'vitest';
import { Before, BlockReader, BlockWriter, Op, readRow, withoutTables, type LeftOut } from '#schemas/block/index.ts';
import { formatPosition, LAST_ORDINAL } from '#schemas/position.ts';

/** One transaction a list; "a" and "b" are tables, "!" is a message. */
function block(...transactions: readonly (readonly ('a' | 'b' | '!')[])[]): Buffer {
  const writer = new BlockWriter();
  const indexes = new Map(
    ['a', 'b'].map((name, relationId) => [
      name,
      writer.addTable({ relationId, schema: 's', name, identity: 'default', tolerant: false, columns: [] }),
    ]),
  );
  for (const [index, changes] of transactions.entries()) {
    const commitLsn = BigInt(index + 1) * 16n;
    writer.beginTransaction({ xid: 1, commitLsn, commitTime: 0, origin: undefined });
    for (const [ordinal, name] of changes.entries()) {
      writer.beginChange(indexes.get(name) ?? -1, name === '!' ? Op.message : Op.insert, ordinal);
      writer.before(Before.absent);
      writer.after(true);
      writer.beginRow(1);
      writer.textCellOf(`${name}${index + 1}.${ordinal}`);
      writer.endRow();
    }
    writer.endTransaction(true, 0);
  }
  return writer.finish('source', 1, { generation: 1, commitLsn: 0n, ordinal: LAST_ORDINAL }, 7n);
}

function left(bytes: Buffer, parts: Readonly<Record<string, LeftOut>>) {
  const reader = BlockReader.open(withoutTables(bytes, ({ name }) => parts[name]));
  const rows: string[] = [];
  while (reader.nextTransaction()) while (reader.nextChange()) rows.push(readRow(reader.bytes, reader.afterStart)[0]!);
  const { tables, after, inputOffset } = reader.header;
  return {
    rows,
    tables: tables.map(({ name }) => name),
    last: formatPosition(reader.end),
    from: formatPosition(after),
    inputOffset,
  };
}

const three = block(['a', 'b', '!'], ['a'], ['b', 'a', 'a']);

test('a table is left out, messages and the ends of transactions stay', () => {
  expect(left(three, { a: 'all' })).toEqual({
    rows: ['b1.1', '!1.2', 'b3.0'],
    tables: ['b'],
    from: '1:0/0',
    last: '1:0/30',
    inputOffset: 7n,
  });
  expect(left(block(['a']), { a: 'all' })).toMatchObject({ rows: [], tables: [], last: '1:0/10' });
});

test('up to a position, itself included, also within a transaction', () => {
  const until = (commitLsn: bigint, ordinal: number) => ({ a: { generation: 1, commitLsn, ordinal } });
  expect(left(three, until(32n, LAST_ORDINAL)).rows).toEqual(['b1.1', '!1.2', 'b3.0', 'a3.1', 'a3.2']);
  expect(left(three, until(48n, 1)).rows).toEqual(['b1.1', '!1.2', 'b3.0', 'a3.2']);
  expect(left(three, until(16n, -1)).rows).toEqual(['a1.0', 'b1.1', '!1.2', 'a2.0', 'b3.0', 'a3.1', 'a3.2']);
});

test('where nothing is left out the very same bytes come back', () => {
  expect(withoutTables(three, () => undefined)).toBe(three);
  expect(withoutTables(three, () => ({ generation: 1, commitLsn: 1n, ordinal: 0 }))).toBe(three);
  expect(withoutTables(block(['b']), ({ name }) => (name === 'a' ? 'all' : undefined))).toBeInstanceOf(Buffer);
});
