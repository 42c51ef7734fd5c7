import type { BlockReader } from './block-reader.ts';
import type { BlockWriter } from './block-writer.ts';

/**
 * For writing a part of a block again: gives the current change's table in the new block, and describes there only tables of which
 * something is left. A table that is only described would have to be at the target all the same.
 */
export function keptTables(block: BlockReader, writer: BlockWriter): () => number {
  const indexes = new Map<number, number>([[-1, -1]]);
  return () => {
    let index = indexes.get(block.table);
    if (index === undefined) {
      index = writer.addTable(block.header.tables[block.table]!);
      indexes.set(block.table, index);
    }
    return index;
  };
}
