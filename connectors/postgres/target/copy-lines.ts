import type { CellCursor } from '#schemas/block/index.ts';
import { Cell } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { BytesToEscape } from './bytes-to-escape.ts';
import type { Output } from './output.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BACKSLASH = 0x5c;
const N = 0x4e;
/** Values shorter than this are copied byte by byte: a native copy costs more than the loop. */
const SHORT = 48;

/** By byte: what follows the backslash when the byte must be escaped in COPY's text format, 0 when it stands for itself. */
const escapes = new Uint8Array(256);
escapes[TAB] = 0x74; // t
escapes[NEWLINE] = 0x6e; // n
escapes[RETURN] = 0x72; // r
escapes[BACKSLASH] = BACKSLASH;

/**
 * Writes a row's cells as one line of COPY's text format, straight from the block's bytes into the output: no string and no object.
 * CopyData must be open. Columns are separated by tabs, NULL is \N.
 *
 * @param cells cursor over the buffer that holds the row
 * @param at offset of the row's cells
 * @param skipped by cell: 1 for those that are not written; undefined when all are
 * @param toEscape of the buffer, where its rows come in the order in which they lie there: cells without such a byte are then copied in half the time
 */
export function writeCopyLine(
  output: Output,
  bytes: Buffer,
  cells: CellCursor,
  at: number,
  skipped: Uint8Array | undefined,
  toEscape?: BytesToEscape,
): void {
  cells.start(at);
  let first = true;
  for (let column = 0; cells.next(); column++) {
    if (skipped?.[column] === 1) continue;
    const { from, to, kind } = cells;
    // Every byte may need its backslash; tab before, newline after.
    const most = (to - from) * 2 + 4;
    if (output.pos + most > output.buf.length) output.copyRoom(most);
    const { buf } = output;
    let { pos } = output;
    if (first) first = false;
    else buf[pos++] = TAB;
    if (kind === Cell.text && toEscape?.noneIn(from, to) === true) {
      if (to - from < SHORT) for (let i = from; i < to; i++) buf[pos++] = bytes[i]!;
      else pos += bytes.copy(buf, pos, from, to);
    } else if (kind === Cell.text) {
      for (let i = from; i < to; i++) {
        const byte = bytes[i]!;
        if (byte <= BACKSLASH && escapes[byte] !== 0) {
          buf[pos++] = BACKSLASH;
          buf[pos++] = escapes[byte]!;
        } else buf[pos++] = byte;
      }
    } else if (kind === Cell.null) {
      buf[pos++] = BACKSLASH;
      buf[pos++] = N;
    } else throw noValue(kind);
    output.pos = pos;
  }
  output.copyRoom(1);
  output.buf[output.pos++] = NEWLINE;
}

/** "Unchanged" is not NULL: a row that must be whole and is not, is never written. (Promise 4) */
export function noValue(kind: Cell): TerraFusionError {
  return new TerraFusionError(
    'BLOCK_CORRUPT',
    kind === Cell.unchanged
      ? 'A row that must be whole has a cell without its value'
      : 'A cell is not in text format, which is the only one that is applied here',
  );
}
