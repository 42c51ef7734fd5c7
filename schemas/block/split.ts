import { comparePositions, type Position } from '../position.ts';
import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { dropThrough } from './drop-through.ts';
import { keptTables } from './kept-tables.ts';

/** The two parts of a block; a part that would have nothing to say is undefined. */
export interface SplitBlock {
  readonly head: Buffer | undefined;
  readonly tail: Buffer | undefined;
}

/**
 * Cuts a block before a change of it. A transaction of which nothing stands before the change goes to the tail whole, so that what comes
 * before it ends between transactions.
 * @param at position of the change; of a transaction's beginning with ordinal -1
 */
export function splitBefore(bytes: Buffer, at: Position): SplitBlock {
  const block = BlockReader.open(bytes);
  const { source, generation, after, inputOffset } = block.header;
  const writer = new BlockWriter(bytes.length);
  const tableIndex = keptTables(block, writer);
  let end = after;
  let found = false;
  while (!found && block.nextTransaction()) {
    const { commitLsn } = block.transaction;
    let begun = false;
    let last = -1;
    while (block.nextChange()) {
      if (found || comparePositions({ generation, commitLsn, ordinal: block.ordinal }, at) >= 0) {
        found = true;
        continue;
      }
      if (!begun) writer.beginTransaction(block.transaction);
      begun = true;
      last = block.ordinal;
      writer.beginChange(tableIndex(), block.op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
    }
    if (!found && comparePositions(block.end, at) >= 0) found = true;
    else if (!found && !begun) writer.beginTransaction(block.transaction);
    if (found && !begun) break;
    // Up to the change: ordinals in between belong to changes that somebody before us has left out.
    const through = found ? Math.max(last, at.ordinal - 1) : block.end.ordinal;
    writer.endTransaction(!found && block.complete, through);
    end = found ? { generation, commitLsn, ordinal: through } : block.end;
  }
  if (!found) return { head: bytes, tail: undefined };
  if (writer.isEmpty) return { head: undefined, tail: bytes };
  return { head: writer.finish(source, generation, after, inputOffset), tail: dropThrough(bytes, end) };
}
