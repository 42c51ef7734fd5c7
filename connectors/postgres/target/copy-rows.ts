import { type BlockTable, Cell, type CellCursor, isTextInBinary } from '#schemas/block/index.ts';
import { copyWords, NATIVE_FROM } from '#schemas/block/view.ts';
import { WireReader } from '#schemas/block/wire.ts';
import { noValue } from './copy-lines.ts';
import type { Output } from './output.ts';
import type { PlanColumn } from './table-plan.ts';

/** Begins COPY's binary format: its signature, no flags, no extension. (PostgreSQL documentation, COPY, "Binary Format") */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');

/** text, varchar and char(n) receive the same bytes. */
const characters: ReadonlySet<string> = new Set(['25', '1043', '1042']);

/**
 * Whether the cells that are written can be copied as the bytes they are: some are in binary, each of a type that the target's column has too, and the
 * others are texts for columns of text. Then the server neither takes a line apart nor reads a value's text.
 */
export function takesBytes({ columns }: BlockTable, written: readonly PlanColumn[]): boolean {
  const fits = ({ cell, column }: PlanColumn): boolean => {
    const { format, typeOid } = columns[cell]!;
    if (format === 'text' && !isTextInBinary(typeOid)) return false;
    const own = String(typeOid);
    return own === column.typeOid || (characters.has(own) && characters.has(column.typeOid));
  };
  return columns.some(({ format }) => format === 'binary') && written.every(fits);
}

/** To be called once before the rows, with CopyData open. */
export function beginCopyRows(output: Output): void {
  output.copyRoom(HEADER.length);
  output.pos += HEADER.copy(output.buf, output.pos);
}

/** To be called once after the rows. */
export function endCopyRows(output: Output): void {
  output.copyRoom(2);
  output.pos = output.buf.writeInt16BE(-1, output.pos);
}

/**
 * Writes a row's cells as one row of COPY's binary format, straight from the block's bytes into the output: no string and no object. Reads the cells as
 * `CellCursor` does, in place: with its calls and fields the loop takes half as long again.
 *
 * @param cells cursor over the buffer that holds the row
 * @param at offset of the row's cells, which the block's reader has checked
 * @param skipped by cell: 1 for those that are not written; undefined when all are
 * @param written how many are
 */
export function writeCopyBytes(
  output: Output,
  bytes: Buffer,
  cells: CellCursor,
  at: number,
  skipped: Uint8Array | undefined,
  written: number,
): void {
  cells.start(at);
  if (cells.imageStart !== -1) {
    copyImage(output, bytes, cells, skipped, written);
    return;
  }
  output.copyRoom(2);
  let { buf, pos } = output;
  buf[pos++] = written >>> 8;
  buf[pos++] = written;
  let from = at;
  let left = 0;
  for (let column = 0; ; column++, left--) {
    if (left === 0) {
      // A run of less than 64 cells, or their end: a byte.
      const run = bytes[from]!;
      if (run < 0x80 && (run & 1) === 0) {
        from++;
        left = run >>> 1;
      } else {
        const wire = new WireReader(bytes, from);
        left = wire.run();
        from = wire.pos;
      }
      if (left === 0) break;
    }
    const kind = bytes[from++]! >>> 1;
    let length = -1;
    if (kind === Cell.bytes || kind === Cell.text) {
      length = bytes[from++]!;
      if (length < 0x80) length >>>= 1;
      else {
        const wire = new WireReader(bytes, from - 1);
        length = wire.length();
        from = wire.pos;
      }
    }
    if (skipped?.[column] === 1) {
      if (length > 0) from += length;
      continue;
    }
    if (length < 0 && kind !== Cell.null) throw noValue(kind as Cell);
    if (pos + length + 8 > buf.length) {
      output.pos = pos;
      output.copyRoom(length + 8);
      ({ buf, pos } = output);
    }
    buf[pos++] = length >>> 24;
    buf[pos++] = length >>> 16;
    buf[pos++] = length >>> 8;
    buf[pos++] = length;
    if (length <= 0) continue;
    const to = from + length;
    if (length < NATIVE_FROM) pos = copyWords(output.sourceView(bytes), from, to, output.view, pos);
    else pos += bytes.copy(buf, pos, from, to);
    from = to;
  }
  output.pos = pos;
}

/**
 * A row in one piece is what COPY takes; unless cells are left out.
 *
 * @param cells at its beginning
 */
function copyImage(
  output: Output,
  bytes: Buffer,
  cells: CellCursor,
  skipped: Uint8Array | undefined,
  written: number,
): void {
  if (skipped === undefined) {
    const { imageStart, imageEnd } = cells;
    output.copyRoom(imageEnd - imageStart);
    output.pos += bytes.copy(output.buf, output.pos, imageStart, imageEnd);
    return;
  }
  output.copyRoom(2);
  output.pos = output.buf.writeUInt16BE(written, output.pos);
  for (let column = 0; cells.next(); column++) {
    if (skipped[column] === 1) continue;
    const { kind, from, to } = cells;
    output.copyRoom(4 + to - from);
    output.pos = output.buf.writeInt32BE(kind === Cell.null ? -1 : to - from, output.pos);
    output.pos += bytes.copy(output.buf, output.pos, from, to);
  }
}
