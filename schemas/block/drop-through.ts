import { comparePositions, LAST_ORDINAL, type Position } from '../position.ts';
import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { keptTables } from './kept-tables.ts';

/**
 * The block without the changes at or below `held`: every stage is idempotent by position, so a block that was cut
 * differently after a restart, or arrived twice, does no harm.
 *
 * @returns the same bytes when nothing needs to go, undefined when nothing is left
 */
export function dropThrough(bytes: Buffer, held: Position): Buffer | undefined {
  const block = BlockReader.open(bytes);
  const { generation } = block.header;
  if (!block.nextTransaction()) return comparePositions(block.end, held) <= 0 ? undefined : bytes;
  const startsAfter = comparePositions({ generation, commitLsn: block.transaction.commitLsn, ordinal: -1 }, held) > 0;
  if (startsAfter) return bytes;
  block.rewind();

  const writer = new BlockWriter(bytes.length);
  const tableIndex = keptTables(block, writer);
  let kept = false;
  while (block.nextTransaction()) {
    const { commitLsn } = block.transaction;
    const whole = comparePositions({ generation, commitLsn, ordinal: LAST_ORDINAL }, held) <= 0;
    let begun = false;
    while (block.nextChange()) {
      if (whole || comparePositions({ generation, commitLsn, ordinal: block.ordinal }, held) <= 0) continue;
      if (!begun) writer.beginTransaction(block.transaction);
      begun = true;
      writer.beginChange(tableIndex(), block.op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
    }
    // An end that is news is kept even when no change of it is: the transaction is complete only with it.
    if (comparePositions(block.end, held) <= 0) continue;
    if (!begun) writer.beginTransaction(block.transaction);
    writer.endTransaction(block.complete, block.end.ordinal);
    kept = true;
  }
  if (!kept) return undefined;
  // What is left continues from what is held: the part before it is there already.
  const after = comparePositions(block.header.after, held) < 0 ? held : block.header.after;
  return writer.finish(block.header.source, generation, after, block.header.inputOffset);
}
