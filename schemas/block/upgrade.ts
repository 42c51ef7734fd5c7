import { blockType } from './avro.ts';
import { BLOCK_FORMAT } from './model.ts';

/**
 * Reads a block of an older format and writes it in the current one, by Avro's schema resolution.
 * Slow, and rare: only blocks that were stored before an update of the product come this way.
 * @throws {TerraFusionError} BLOCK_VERSION_UNKNOWN
 */
export function upgradeBlock(bytes: Buffer, format: number): Buffer {
  const older = blockType(format);
  const current = blockType();
  const resolver = current.createResolver(older);
  const block = current.fromBuffer(bytes, resolver) as { format: number };
  return current.toBuffer({ ...block, format: BLOCK_FORMAT });
}
