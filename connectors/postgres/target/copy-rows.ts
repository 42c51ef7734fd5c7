import { type BlockTable, Cell, type CellCursor, isTextInBinary } from '#schemas/block/index.ts';
import { noValue } from './copy-lines.ts';
import type { Output } from './output.ts';
import type { PlanColumn } from './table-plan.ts';

/** Begins COPY's binary format: its signature, no flags, no extension. (PostgreSQL documentation, COPY, "Binary Format") */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
/** Values shorter than this are copied byte by byte: a native copy costs more than the loop. */
const SHORT = 48;

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
 * Writes a row's cells as one row of COPY's binary format, straight from the block's bytes into the output: no string and no object.
 *
 * @param cells cursor over the buffer that holds the row
 * @param at offset of the row's cells
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
  output.copyRoom(2);
  output.pos = output.buf.writeInt16BE(written, output.pos);
  for (let column = 0; cells.next(); column++) {
    if (skipped?.[column] === 1) continue;
    const { from, to, kind } = cells;
    const length = to - from;
    if (output.pos + length + 4 > output.buf.length) output.copyRoom(length + 4);
    const { buf } = output;
    let { pos } = output;
    if (kind === Cell.bytes || kind === Cell.text) {
      buf[pos++] = length >>> 24;
      buf[pos++] = length >>> 16;
      buf[pos++] = length >>> 8;
      buf[pos++] = length;
      if (length < SHORT) for (let i = from; i < to; i++) buf[pos++] = bytes[i]!;
      else pos += bytes.copy(buf, pos, from, to);
    } else if (kind === Cell.null) {
      buf[pos++] = 0xff;
      buf[pos++] = 0xff;
      buf[pos++] = 0xff;
      buf[pos++] = 0xff;
    } else throw noValue(kind);
    output.pos = pos;
  }
}
