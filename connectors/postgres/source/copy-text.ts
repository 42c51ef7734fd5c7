import type { BlockWriter } from '#schemas/block/index.ts';

const TAB = 0x09;
const NEWLINE = 0x0a;
const BACKSLASH = 0x5c;

/** What stands for a byte after a backslash; all others stand for themselves. */
const unescaped = new Uint8Array(256).map((_, byte) => byte);
for (const [letter, byte] of Object.entries({ b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 }))
  unescaped[letter.charCodeAt(0)] = byte;

/**
 * Writes the cells of one row of COPY's text format, its line end included, into the block.
 * @param scratch at least as long as the row
 * @returns how many cells there were
 */
export function writeCopyRow(writer: BlockWriter, buf: Buffer, start: number, end: number, scratch: Buffer): number {
  const stop = end > start && buf[end - 1] === NEWLINE ? end - 1 : end;
  let cells = 0;
  let from = start;
  let escapes = false;
  for (let pos = start; pos <= stop; pos++) {
    const byte = pos === stop ? TAB : buf[pos]!;
    if (byte === BACKSLASH) {
      escapes = true;
      pos++; // The byte after it is never a separator.
    } else if (byte === TAB) {
      if (!escapes) writer.textCell(buf, from, pos);
      else if (pos - from === 2 && buf[from + 1] === 0x4e) writer.nullCell();
      else writer.textCell(scratch, 0, unescape(buf, from, pos, scratch));
      cells++;
      from = pos + 1;
      escapes = false;
    }
  }
  return cells;
}

/** @returns how many bytes were written to `into` */
function unescape(buf: Buffer, from: number, to: number, into: Buffer): number {
  let length = 0;
  for (let pos = from; pos < to; pos++) {
    const byte = buf[pos]!;
    into[length++] = byte === BACKSLASH ? unescaped[buf[++pos]!]! : byte;
  }
  return length;
}
