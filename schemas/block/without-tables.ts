import { BlockReader } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { keptTables } from './kept-tables.ts';
import type { BlockTable } from './model.ts';

/**
 * The block without the changes of some tables; positions move over them all the same.
 * @returns the same bytes when it has none of them
 */
export function withoutTables(bytes: Buffer, leaveOut: (table: BlockTable) => boolean): Buffer {
  const block = BlockReader.open(bytes);
  const { source, generation, after, inputOffset, tables } = block.header;
  const left = tables.map(leaveOut);
  if (!left.includes(true)) return bytes;
  const writer = new BlockWriter(bytes.length);
  const tableIndex = keptTables(block, writer);
  while (block.nextTransaction()) {
    writer.beginTransaction(block.transaction);
    while (block.nextChange()) {
      if (block.table >= 0 && left[block.table]) continue;
      writer.beginChange(tableIndex(), block.op, block.ordinal);
      writer.raw(block.bytes, block.imagesStart, block.changeEnd);
    }
    writer.endTransaction(block.complete, block.end.ordinal);
  }
  return writer.finish(source, generation, after, inputOffset);
}
