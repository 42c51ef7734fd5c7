import { type BinaryForm, Cell, type CellCursor } from '#schemas/block/index.ts';
import { copyWords, NATIVE_FROM } from '#schemas/block/view.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { BytesToEscape } from './bytes-to-escape.ts';
import type { Output } from './output.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BACKSLASH = 0x5c;
const N = 0x4e;

/** By byte: what follows the backslash when the byte must be escaped in COPY's text format, 0 when it stands for itself. */
const escapes = new Uint8Array(256);
escapes[TAB] = 0x74; // t
escapes[NEWLINE] = 0x6e; // n
escapes[RETURN] = 0x72; // r
escapes[BACKSLASH] = BACKSLASH;

/** What is to be known of a table whose rows become lines. */
export interface LinePlan {
  readonly skipped: Uint8Array | undefined;
  readonly forms: readonly (BinaryForm | undefined)[];
}

/**
 * Writes a row's cells as one line of COPY's text format, straight from the block's bytes into the output: no string and no object.
 * CopyData must be open. Columns are separated by tabs, NULL is \N.
 *
 * @param cells cursor over the buffer that holds the row
 * @param at offset of the row's cells
 * @param plan by cell: 1 in `skipped` for those that are not written, undefined when all are; how the text is made of a cell in binary
 * @param toEscape of the buffer, where its rows come in the order in which they lie there: cells without such a byte are then copied in half the time
 */
export function writeCopyLine(
  output: Output,
  bytes: Buffer,
  cells: CellCursor,
  at: number,
  { skipped, forms }: LinePlan,
  toEscape?: BytesToEscape,
): void {
  cells.start(at);
  // In local variables: through the output's own fields the loop takes a third longer.
  let { buf, pos, view } = output;
  const source = output.sourceView(bytes);
  let first = true;
  for (let column = 0; cells.next(); column++) {
    if (skipped?.[column] === 1) continue;
    const { from, to, kind } = cells;
    const form = kind === Cell.bytes ? forms[column] : undefined;
    const length = form === undefined ? to - from : form.most(bytes, from, to);
    // Every byte may need its backslash; tab before, newline after. A text that is made is made behind that.
    const most = length * (form === undefined ? 2 : 3) + 4;
    if (pos + most > buf.length) {
      output.pos = pos;
      output.copyRoom(most);
      ({ buf, pos, view } = output);
    }
    if (first) first = false;
    else buf[pos++] = TAB;
    if (kind === Cell.null) {
      buf[pos++] = BACKSLASH;
      buf[pos++] = N;
    } else if (kind === Cell.unchanged) throw noValue(kind);
    else if (form !== undefined) {
      const made = pos + length * 2;
      // What is written never overtakes what is read: each byte becomes two at most.
      pos = putEscaped(buf, made, form.put(bytes, from, to, buf, made), buf, pos);
    } else if (toEscape?.noneIn(from, to) === true) {
      if (length < NATIVE_FROM) pos = copyWords(source, from, to, view, pos);
      else pos += bytes.copy(buf, pos, from, to);
    } else pos = putEscaped(bytes, from, to, buf, pos);
  }
  output.pos = pos;
  output.copyRoom(1);
  output.buf[output.pos++] = NEWLINE;
}

function putEscaped(src: Buffer, from: number, to: number, out: Buffer, pos: number): number {
  for (let i = from; i < to; i++) {
    const byte = src[i]!;
    if (byte <= BACKSLASH && escapes[byte] !== 0) {
      out[pos++] = BACKSLASH;
      out[pos++] = escapes[byte]!;
    } else out[pos++] = byte;
  }
  return pos;
}

/** "Unchanged" is not NULL: a row that must be whole and is not, is never written. (Promise 4) */
export function noValue(kind: Cell): TerraFusionError {
  return new TerraFusionError(
    'BLOCK_CORRUPT',
    kind === Cell.unchanged
      ? 'A row that must be whole has a cell without its value'
      : 'A cell is not in the format that its column has',
  );
}
