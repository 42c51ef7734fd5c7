import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BytesToEscape } from '#connectors/postgres/target/bytes-to-escape.ts';
import { writeCopyLine } from '#connectors/postgres/target/copy-lines.ts';
import { Output } from '#connectors/postgres/target/output.ts';
import { BlockWriter, CellCursor } from '#schemas/block/index.ts';
import { writeCopyRow } from '#connectors/postgres/source/copy-text.ts';
import { type Cells, RowBytes } from './support.ts';

/** What the server would get as COPY data. */
function copyData(rows: Pick<RowBytes, 'bytes' | 'at'>, skipped?: Uint8Array, toEscape?: BytesToEscape): Buffer {
  const sent: Buffer[] = [];
  const output = new Output({ write: (bytes) => sent.push(Buffer.from(bytes)) > 0, bytesToWrite: 0 });
  const cells = new CellCursor(rows.bytes);
  output.beginCopyData();
  for (const at of rows.at) writeCopyLine(output, rows.bytes, cells, at, { skipped, forms: [] }, toEscape);
  output.endCopyData();
  output.copyDone();
  output.flush();
  return bodies(Buffer.concat(sent));
}

function bodies(messages: Buffer): Buffer {
  const found: Buffer[] = [];
  let pos = 0;
  for (; pos < messages.length; pos += 1 + messages.readInt32BE(pos + 1)) {
    const end = pos + 1 + messages.readInt32BE(pos + 1);
    expect(end).toBeLessThanOrEqual(messages.length);
    if (messages[pos] === 0x64) found.push(messages.subarray(pos + 5, end));
  }
  expect(pos).toBe(messages.length);
  return Buffer.concat(found);
}

/** Reads a line back with the source side's reader of the same format. */
function readLine(line: Buffer): (string | null)[] {
  const writer = new BlockWriter();
  const cells: (string | null)[] = [];
  writer.textCell = (src, from, to) => void cells.push(Buffer.from(src.subarray(from, to)).toString());
  writer.nullCell = () => void cells.push(null);
  writeCopyRow(writer, line, 0, line.length, Buffer.alloc(line.length + 1));
  return cells;
}

const cell = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('\t', '\n', '\r', '\\', 'N', '.', 'a', '\b', '\v', '😀') }),
  fc.nat(200_000).map((length) => '\\'.repeat(length)),
);

describe('lines of COPY', () => {
  test('what is written reads back the same, over any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 20 }), (rows) => {
        const data = copyData(new RowBytes(rows));
        const lines = data.toString('latin1').split('\n').slice(0, -1);
        expect(lines.map((line) => readLine(Buffer.from(`${line}\n`, 'latin1')))).toEqual(rows);
      }),
      { numRuns: 60 },
    );
  });

  test('knowing where the bytes to escape lie changes nothing, in whatever order rows come', () => {
    const rowsOf = fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(rowsOf, fc.boolean(), (cells, backwards) => {
        const made = new RowBytes(cells);
        const rows = { bytes: made.bytes, at: backwards ? made.at.toReversed() : made.at };
        const toEscape = new BytesToEscape(rows.bytes);
        expect(copyData(rows, undefined, toEscape).equals(copyData(rows))).toBe(true);
        expect(
          copyData(rows, Uint8Array.of(0, 1, 0), new BytesToEscape(rows.bytes)).equals(
            copyData(rows, Uint8Array.of(0, 1, 0)),
          ),
        ).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test('where the next byte to escape lies is told from front to back only', () => {
    const bytes = Buffer.from('abc\\def\nghi');
    const known = new BytesToEscape(bytes);
    expect([
      known.noneIn(0, 3),
      known.noneIn(1, 4),
      known.noneIn(4, 7),
      known.noneIn(5, 8),
      known.noneIn(8, 11),
    ]).toEqual([true, false, true, false, true]);
    // What lies before is not known any more, and nothing is promised of it.
    expect(known.noneIn(0, 3)).toBe(false);
  });

  test('columns that the target computes are left out', () => {
    const rows = new RowBytes([
      ['1', 'x', '2'],
      ['3', null, null],
    ]);
    expect(copyData(rows, Uint8Array.of(0, 1, 0)).toString()).toBe('1\t2\n3\t\\N\n');
    expect(copyData(rows, Uint8Array.of(1, 0, 0)).toString()).toBe('x\t2\n\\N\t\\N\n');
  });

  test('a cell without its value is never written (Promise 4)', () => {
    const row: Cells = ['1', undefined, '2'];
    expect(() => copyData(new RowBytes([row]))).toThrow(expect.objectContaining({ code: 'BLOCK_CORRUPT' }) as Error);
  });
});
