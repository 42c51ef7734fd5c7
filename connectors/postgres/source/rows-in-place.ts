import { type BlockWriter, Cell } from '#schemas/block/index.ts';
import { copyWords, NATIVE_FROM } from '#schemas/block/view.ts';
import { putLong } from '#schemas/block/wire.ts';
import { malformed } from './message-reader.ts';
import type { Relation } from './relations.ts';

const BINARY = 0x62; // b
const NULL = 0x6e; // n
const UNCHANGED = 0x75; // u

/**
 * Writes a row of a stream in binary into the block in one piece: the form in which COPY takes it, so that the target's writer need not look into it. It is
 * the form in which it comes, without the kinds of the values.
 *
 * @param view of the same bytes as `buf`
 * @param start of the row, the number of its columns
 * @returns the position after the row; -1 for a row without all of its values, of which nothing is written
 * @throws {TerraFusionError} SOURCE_PROTOCOL
 */
export function writeRowImage(writer: BlockWriter, buf: Buffer, view: DataView, start: number, end: number): number {
  const count = (buf[start]! << 8) | buf[start + 1]!;
  const likely = end - start - count;
  const first = writer.beginImage(end - start + 3 * count, likely);
  const { buffer: out, view: outView } = writer;
  let to = first;
  out[to++] = buf[start]!;
  out[to++] = buf[start + 1]!;
  let pos = start + 2;
  for (let column = 0; column < count; column++) {
    if (pos >= end) malformed('a row that ends before its last column');
    const kind = buf[pos++]!;
    if (kind === BINARY) {
      if (end - pos < 4) malformed('a row that ends within a length');
      const length = view.getUint32(pos);
      if (length > end - pos - 4) malformed('a row that ends within a value');
      const next = pos + 4 + length;
      // With its length, which is written the same.
      to = length < NATIVE_FROM ? copyWords(view, pos, next, outView, to) : to + buf.copy(out, to, pos, next);
      pos = next;
    } else if (kind === NULL) {
      outView.setInt32(to, -1);
      to += 4;
    } else if (kind === UNCHANGED) return -1;
    else malformed(`a value of the unknown kind ${kind}`);
  }
  writer.endImage(first, to);
  return pos;
}

/** As a union's index stands on the wire. */
const TEXT = Cell.text << 1;
const BYTES = Cell.bytes << 1;
const NOTHING = Cell.null << 1;
const NOT_SENT = Cell.unchanged << 1;

/**
 * Writes a row into the block cell by cell.
 *
 * @param view of the same bytes as `buf`
 * @param start of the row, the number of its columns
 * @param relation the row's table
 * @returns the position after the row
 * @throws {TerraFusionError} SOURCE_PROTOCOL
 */
export function writeRowCells(
  writer: BlockWriter,
  buf: Buffer,
  view: DataView,
  start: number,
  end: number,
  { valueKind, isText }: Pick<Relation, 'valueKind' | 'isText'>,
): number {
  const count = (buf[start]! << 8) | buf[start + 1]!;
  // What stands before a value is shorter here than there.
  let to = writer.beginCells(end - start);
  const { buffer: out, view: outView } = writer;
  if (count > 0) to = putLong(out, to, count);
  let pos = start + 2;
  for (let column = 0; column < count; column++) {
    if (pos >= end) malformed('a row that ends before its last column');
    const kind = buf[pos++]!;
    if (kind === valueKind) {
      if (end - pos < 4) malformed('a row that ends within a length');
      const length = view.getUint32(pos);
      pos += 4;
      if (length > end - pos) malformed('a row that ends within a value');
      out[to++] = isText[column] === 1 ? TEXT : BYTES;
      if (length < 64) out[to++] = length << 1;
      else to = putLong(out, to, length);
      const next = pos + length;
      to = length < NATIVE_FROM ? copyWords(view, pos, next, outView, to) : to + buf.copy(out, to, pos, next);
      pos = next;
    } else if (kind === NULL) out[to++] = NOTHING;
    else if (kind === UNCHANGED) out[to++] = NOT_SENT;
    else malformed(`a value of the unknown kind ${kind}`);
  }
  out[to++] = 0; // no further cells
  writer.endCells(to);
  return pos;
}
