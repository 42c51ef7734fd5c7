import { readFileSync } from 'node:fs';
import avsc from 'avsc';
import { TerraFusionError } from '../errors.ts';
import { BLOCK_FORMAT } from './model.ts';

/** Avro longs as bigint: positions use more than 53 bits. */
const longType = avsc.types.LongType.__with({
  fromBuffer: (buf: Buffer) => buf.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buf = Buffer.alloc(8);
    buf.writeBigInt64LE(value);
    return buf;
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => value.toString(),
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

const files: Readonly<Record<number, string>> = {
  1: 'change-block.1.avsc',
  2: 'change-block.2.avsc',
  3: 'change-block.avsc',
};
const types = new Map<number, avsc.Type>();

/**
 * The Avro type of a block format, for tools, older blocks and the conformance suite; the hot path has its own codec.
 * Longs are bigint; unions are wrapped (`{ string: "…" }`).
 * @throws {TerraFusionError} BLOCK_VERSION_UNKNOWN
 */
export function blockType(format: number = BLOCK_FORMAT): avsc.Type {
  let type = types.get(format);
  if (type) return type;
  const file = files[format];
  if (!file) {
    throw new TerraFusionError(
      'BLOCK_VERSION_UNKNOWN',
      `Block format ${format} is not known here; the newest is ${BLOCK_FORMAT}`,
    );
  }
  type = avsc.Type.forSchema(JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as avsc.Schema, {
    registry: { long: longType },
    wrapUnions: true,
  });
  types.set(format, type);
  return type;
}
