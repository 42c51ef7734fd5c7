import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { keptTables } from './kept-tables.ts';
import type { BlockTransaction } from './model.ts';

/**
 * The block without some changes, chosen by their transaction and their table (index in the header); the transactions' ends stay, since the
 * position moves over them all the same.
 * @returns the same bytes when it has none of them
 */
export function withoutChanges(
  bytes: Buffer,
  leaveOut: (transaction: BlockTransaction, table: number) => boolean,
): Buffer {
  const block = BlockReader.open(bytes);
  let any = false;
  while (!any && block.nextTransaction()) {
    while (block.nextChange()) any ||= block.table >= 0 && leaveOut(block.transaction, block.table);
  }
  if (!any) return bytes;
  block.rewind();
  const writer = new BlockWriter(bytes.length);
  const tableIndex = keptTables(block, writer);
  while (block.nextTransaction()) {
    writer.beginTransaction(block.transaction);
    while (block.nextChange()) {
      if (block.table >= 0 && leaveOut(block.transaction, block.table)) continue;
      writer.beginChange(tableIndex(), block.op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
    }
    writer.endTransaction(block.complete, block.end.ordinal);
  }
  const { source, generation, after, inputOffset } = block.header;
  return writer.finish(source, generation, after, inputOffset);
}
