import { comparePositions, type Position } from '../position.ts';
import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { keptTables } from './kept-tables.ts';
import type { BlockTable } from './model.ts';

/** How much of a table is left out: all of it, or what is at or before a position; undefined: nothing. */
export type LeftOut = 'all' | Position | undefined;

/**
 * The block without changes of some tables; the ends of its transactions stay, since the position moves over them all the same.
 * @returns the same bytes when it has nothing of them
 */
export function withoutTables(bytes: Buffer, leftOut: (table: BlockTable) => LeftOut): Buffer {
  const block = BlockReader.open(bytes);
  const { source, generation, after, inputOffset, tables } = block.header;
  const parts = tables.map(leftOut);
  if (parts.every((part) => part === undefined)) return bytes;
  const leaves = (): boolean => {
    const part = block.table < 0 ? undefined : parts[block.table];
    if (part === undefined || part === 'all') return part === 'all';
    return comparePositions({ generation, commitLsn: block.transaction.commitLsn, ordinal: block.ordinal }, part) <= 0;
  };
  let any = false;
  while (!any && block.nextTransaction()) while (block.nextChange()) any ||= leaves();
  if (!any) return bytes;
  block.rewind();
  const writer = new BlockWriter(bytes.length);
  const tableIndex = keptTables(block, writer);
  while (block.nextTransaction()) {
    writer.beginTransaction(block.transaction);
    while (block.nextChange()) {
      if (leaves()) continue;
      writer.beginChange(tableIndex(), block.op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
    }
    writer.endTransaction(block.complete, block.end.ordinal);
  }
  return writer.finish(source, generation, after, inputOffset);
}
