import { BLOCK_FORMAT } from '#schemas/block/index.ts';
import { putBigLong, WireReader } from '#schemas/block/wire.ts';

/**
 * The same block with this input offset: everything but that number is copied as it is, or nothing when it is the number already.
 * @param bytes a block of the current format, as `Processor.process` returns it
 */
export function reheader(bytes: Buffer, inputOffset: bigint): Buffer {
  const wire = new WireReader(bytes);
  const format = wire.long();
  if (format !== BLOCK_FORMAT) throw new RangeError(`a block of format ${format} has no place for an input offset`);
  wire.string(); // source
  wire.long(); // generation
  wire.long(); // after
  wire.bigLong();
  wire.long();
  const start = wire.pos;
  if (wire.bigLong() === inputOffset) return bytes;
  const offset = Buffer.allocUnsafe(10);
  const length = putBigLong(offset, 0, inputOffset);
  return Buffer.concat([bytes.subarray(0, start), offset.subarray(0, length), bytes.subarray(wire.pos)]);
}
