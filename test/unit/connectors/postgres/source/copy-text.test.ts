import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeCopyRow } from '#connectors/postgres/source/copy-text.ts';
import { Before, BlockReader, BlockWriter, Op, readRow } from '#schemas/block/index.ts';
import { ORIGIN } from '#schemas/position.ts';

const table = { relationId: 1, schema: 's', name: 't', identity: 'default', tolerant: false, columns: [] } as const;

function decode(line: string | Buffer): (string | null | undefined)[] {
  const bytes = Buffer.from(line as string);
  const row = new BlockWriter(64);
  const cells = writeCopyRow(row, bytes, 0, bytes.length, Buffer.alloc(bytes.length));
  // The number of cells stands before them, so they are written twice.
  const writer = new BlockWriter();
  writer.addTable(table);
  writer.beginTransaction({ xid: 0, commitLsn: 0n, commitTime: 0, origin: undefined });
  writer.beginChange(0, Op.insert, 0);
  writer.before(Before.absent);
  writer.after(true);
  writer.beginRow(cells);
  writeCopyRow(writer, bytes, 0, bytes.length, Buffer.alloc(bytes.length));
  writer.endRow();
  writer.endTransaction(false, 0);
  const block = BlockReader.open(writer.finish('', 0, ORIGIN));
  block.nextTransaction();
  block.nextChange();
  return readRow(block.bytes, block.afterStart);
}

/** As the server does it (CopyAttributeOutText). */
function encode(cells: readonly (string | null)[]): string {
  const escapes: Readonly<Record<string, string>> = {
    '\b': 'b',
    '\f': 'f',
    '\n': 'n',
    '\r': 'r',
    '\t': 't',
    '\v': 'v',
    '\\': '\\',
  };
  const escape = (text: string) => text.replace(/[\b\f\n\r\t\v\\]/g, (found) => `\\${escapes[found]!}`);
  return `${cells.map((cell) => (cell === null ? String.raw`\N` : escape(cell))).join('\t')}\n`;
}

describe('rows of COPY text', () => {
  test('any row comes back as it was', () => {
    const cell = fc.oneof(
      fc.constant(null),
      fc.string(),
      fc.string({ unit: fc.constantFrom('\\', 'N', '\t', '\n', 'n', '\b', '\v', '\f', '\r', 'é', '😀') }),
    );
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1 }), (cells) => {
        const clean = cells.map((value) => value?.replaceAll('\0', '') ?? null);
        expect(decode(encode(clean))).toEqual(clean);
      }),
    );
  });

  test.each([
    ['\n', ['']],
    ['', ['']],
    ['\\N\n', [null]],
    ['\\\\N\n', ['\\N']],
    ['a\t\t\\N\n', ['a', '', null]],
    ['N\t\\\\\n', ['N', '\\']],
  ])('%j', (line, cells) => {
    expect(decode(line)).toEqual(cells);
  });

  test('a backslash at the very end harms nobody', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const buf = Buffer.from(bytes);
        const writer = new BlockWriter(16);
        expect(writeCopyRow(writer, buf, 0, buf.length, Buffer.alloc(buf.length))).toBeLessThanOrEqual(
          bytes.length + 1,
        );
      }),
    );
  });
});
