import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beginCopyRows, endCopyRows, takesBytes, writeCopyBytes } from '#connectors/postgres/target/copy-rows.ts';
import { Output } from '#connectors/postgres/target/output.ts';
import { TablePlan } from '#connectors/postgres/target/table-plan.ts';
import { type BlockColumn, BlockReader, BlockWriter, CellCursor, Op } from '#schemas/block/index.ts';
import { ORIGIN } from '#schemas/position.ts';
import { fuzzRuns } from '#test/support/fuzz.ts';
import { writeImage } from '../../../schemas/block-model.ts';
import { catalogColumn, catalogTable } from './support.ts';

type Value = Uint8Array | string | null | undefined;

/** The rows in a block, and where each begins. */
function blockOf(
  rows: readonly (readonly Value[])[],
  inOnePiece: boolean,
): { readonly bytes: Buffer; readonly at: number[] } {
  const writer = new BlockWriter(1024);
  writer.addTable({ relationId: 1, schema: 's', name: 't', identity: 'default', tolerant: false, columns: [] });
  writer.beginTransaction({ xid: 1, commitLsn: 9n, commitTime: 1, origin: undefined });
  rows.forEach((row, ordinal) => {
    writer.beginChange(0, Op.insert, ordinal);
    writer.before(0);
    writer.after(true);
    if (inOnePiece) {
      writeImage(
        row.map((value) => (value === null ? null : Buffer.from(value!))),
        writer,
      );
      return;
    }
    writer.beginRow(row.length);
    for (const value of row) {
      if (value === null) writer.nullCell();
      else if (value === undefined) writer.unchangedCell();
      else if (typeof value === 'string') writer.textCellOf(value);
      else writer.bytesCell(Buffer.from(value), 0, value.length);
    }
    writer.endRow();
  });
  writer.endTransaction(true, 0);
  const bytes = writer.finish('s', 1, ORIGIN);
  const reader = BlockReader.open(bytes);
  const at: number[] = [];
  while (reader.nextTransaction()) while (reader.nextChange()) at.push(reader.afterStart);
  return { bytes, at };
}

/** What the server gets as COPY data, taken apart after the documentation of COPY's binary format. */
function copied(rows: readonly (readonly Value[])[], skipped?: Uint8Array, inOnePiece = false): (Buffer | null)[][] {
  const { bytes, at } = blockOf(rows, inOnePiece);
  const sent: Buffer[] = [];
  const output = new Output({ write: (piece) => sent.push(Buffer.from(piece)) > 0, bytesToWrite: 0 });
  const written = (rows[0]?.length ?? 0) - (skipped?.reduce((sum, one) => sum + one, 0) ?? 0);
  output.beginCopyData();
  beginCopyRows(output);
  const cells = new CellCursor(bytes);
  for (const one of at) writeCopyBytes(output, bytes, cells, one, skipped, written);
  endCopyRows(output);
  output.endCopyData();
  output.flush();
  const messages = Buffer.concat(sent);
  const bodies: Buffer[] = [];
  for (let pos = 0; pos < messages.length; pos += 1 + messages.readInt32BE(pos + 1)) {
    expect(messages[pos]).toBe(0x64);
    bodies.push(messages.subarray(pos + 5, pos + 1 + messages.readInt32BE(pos + 1)));
  }
  const data = Buffer.concat(bodies);
  expect(data.subarray(0, 11)).toEqual(Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'));
  expect(data.readInt32BE(11)).toBe(0);
  let pos = 19 + data.readInt32BE(15);
  const found: (Buffer | null)[][] = [];
  for (let cells = data.readInt16BE(pos); cells !== -1; cells = data.readInt16BE(pos)) {
    pos += 2;
    const row: (Buffer | null)[] = [];
    for (; cells > 0; cells--) {
      const length = data.readInt32BE(pos);
      pos += 4;
      row.push(length === -1 ? null : data.subarray(pos, pos + length));
      if (length > 0) pos += length;
    }
    found.push(row);
  }
  expect(pos + 2).toBe(data.length);
  return found;
}

test('rows of any width, and values of any length, are the bytes that they were', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.string({ maxLength: 100 }),
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(0, 1, 47, 48, 63, 64).map((length) => new Uint8Array(length).fill(length)),
  );
  const rows = fc.constantFrom(1, 2, 10, 63, 64, 65, 130).chain((width) =>
    fc.record({
      rows: fc.array(fc.array(value, { minLength: width, maxLength: width, size: 'max' }), {
        minLength: 1,
        maxLength: 4,
      }),
      inOnePiece: fc.boolean(),
      skipped: fc.option(fc.uint8Array({ min: 0, max: 1, minLength: width, maxLength: width }), { nil: undefined }),
    }),
  );
  fc.assert(
    fc.property(rows, ({ rows: given, skipped, inOnePiece }) => {
      const expected = given.map((row) =>
        row.filter((_, i) => skipped?.[i] !== 1).map((one) => (one === null ? null : Buffer.from(one))),
      );
      expect(copied(given, skipped, inOnePiece)).toEqual(expected);
    }),
    { numRuns: fuzzRuns(60) },
  );
});

test.each([8191, 8192, 131_072, 300_000])('a value of %i bytes, over pieces of the output', (length) => {
  const rows = [['a', new Uint8Array(length).fill(7), 'b']];
  const expected = [[Buffer.from('a'), Buffer.alloc(length, 7), Buffer.from('b')]];
  expect(copied(rows)).toEqual(expected);
  expect(copied(rows, undefined, true)).toEqual(expected);
});

test('a row without one of its values is never written (Promise 4)', () => {
  expect(() => copied([['a', undefined]])).toThrow('a cell without its value');
});

const column = (name: string, typeOid: number, format: BlockColumn['format']): BlockColumn => ({
  ...{ name, typeOid, format, typeSchema: 'pg_catalog', typeName: 'any', typmod: -1, key: name === 'id' },
});

test.each([
  ['of the same types', [20, 1700], ['20', '1700'], true],
  ['of another one', [20, 1700], ['20', '701'], false],
  ['of a domain over one', [20, 1700], ['20', '16400'], false],
  ['of texts for texts', [20, 25], ['20', '1043'], true],
  ['of json for text', [20, 114], ['20', '25'], false],
  ['of numbers that came as text', [25, 23], ['25', '23'], false],
] as const)('bytes are copied into columns %s: %#', (_what, from, to, expected) => {
  const shape = {
    ...{ relationId: 1, schema: 'public', name: 't', identity: 'default' as const, tolerant: false },
    columns: ['id', 'v'].map((name, i) => column(name, from[i]!, [25, 114, 23].includes(from[i]!) ? 'text' : 'binary')),
  };
  const table = catalogTable('t', { columns: ['id', 'v'].map((name, i) => catalogColumn(name, { typeOid: to[i]! })) });
  expect(takesBytes(shape, new TablePlan(table, shape).written)).toBe(expected);
});
