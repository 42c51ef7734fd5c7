import { TerraFusionError } from '../errors.ts';
import { BlockWriter } from './block-writer.ts';
import { readHeader } from './header.ts';
import { BLOCK_FORMAT } from './model.ts';
import { WireReader } from './wire.ts';

/**
 * Writes a block of an older format in the current one. Rare: only blocks that were stored before an update of the product come this way.
 * They differ from it in their headers and in what their changes cannot say, so the changes are copied as they are; going through Avro's schema resolution would turn
 * bytes into text, and take a corrupt count at its word.
 * @throws {TerraFusionError} BLOCK_VERSION_UNKNOWN; {RangeError} when the bytes are no block
 */
export function upgradeBlock(bytes: Buffer, format: number): Buffer {
  if (format < 1 || format > BLOCK_FORMAT) {
    throw new TerraFusionError(
      'BLOCK_VERSION_UNKNOWN',
      `Block format ${format} is not known here; the newest is ${BLOCK_FORMAT}`,
    );
  }
  const wire = new WireReader(bytes);
  const { source, generation, after, inputOffset, tables } = readHeader(wire);
  if (wire.atEnd || bytes[bytes.length - 1] !== 0)
    throw new RangeError('the block does not end where its transactions do');
  const writer = new BlockWriter(bytes.length - wire.pos);
  for (const table of tables) writer.addTable(table);
  // The last byte ends the array of transactions; the writer sets it anew.
  writer.raw(bytes, wire.pos, bytes.length - 1);
  return writer.finish(source, generation, after, inputOffset);
}
