import { TerraFusionError } from '../errors.ts';
import {
  BLOCK_FORMAT,
  CELL_FORMATS,
  REPLICA_IDENTITIES,
  type BlockColumn,
  type BlockHeader,
  type BlockTable,
} from './model.ts';
import type { Position } from '../position.ts';
import { WireReader } from './wire.ts';

/**
 * Reads a header of any format known here; what an older one does not tell is filled in. The reader is then at the transactions.
 * @throws {RangeError} when the bytes are no header
 */
export function readHeader(wire: WireReader): BlockHeader {
  const format = wire.long();
  const source = wire.string();
  const generation = wire.long();
  const tellsAfter = format >= 2;
  const after = tellsAfter ? readAfter(wire) : { generation: 0, commitLsn: 0n, ordinal: 0 };
  const inputOffset = tellsAfter ? wire.bigLong() : -1n;
  const tables: BlockTable[] = [];
  for (let run = wire.run(); run > 0; run = wire.run()) {
    for (; run > 0; run--) tables.push(readTable(wire, format));
  }
  return { format, source, generation, after, inputOffset, tables };
}

/**
 * The position that a block continues from, without a look at the rest; undefined for a format that does not tell it, or is not known.
 * @throws {TerraFusionError} BLOCK_CORRUPT when the bytes are no header
 */
export function continuesFrom(bytes: Buffer): Position | undefined {
  const wire = new WireReader(bytes);
  try {
    const format = wire.long();
    // What a newer format says in these places nobody knows: who opens the block is told.
    if (format !== BLOCK_FORMAT) return undefined;
    const source = wire.length();
    wire.pos += source;
    wire.long(); // generation
    return readAfter(wire);
  } catch (cause) {
    throw corrupt(bytes, cause);
  }
}

/** What went wrong with bytes that should be a block, in our words. */
export function corrupt(bytes: Buffer, cause: unknown): TerraFusionError {
  if (cause instanceof TerraFusionError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TerraFusionError('BLOCK_CORRUPT', `A block of ${bytes.length} bytes cannot be read: ${reason}`, { cause });
}

const readAfter = (wire: WireReader): Position => ({
  generation: wire.long(),
  commitLsn: wire.bigLong(),
  ordinal: wire.long(),
});

function readTable(wire: WireReader, format: number): BlockTable {
  const relationId = wire.long();
  const schema = wire.string();
  const name = wire.string();
  const identity = pick(REPLICA_IDENTITIES, wire.long());
  const tolerant = format >= 2 && wire.boolean();
  const columns: BlockColumn[] = [];
  for (let run = wire.run(); run > 0; run = wire.run()) {
    for (; run > 0; run--) {
      columns.push({
        name: wire.string(),
        typeOid: wire.long(),
        typeSchema: wire.string(),
        typeName: wire.string(),
        typmod: wire.long(),
        key: wire.boolean(),
        format: pick(CELL_FORMATS, wire.long()),
      });
    }
  }
  return { relationId, schema, name, identity, tolerant, columns };
}

function pick<T>(symbols: readonly T[], index: number): T {
  const symbol = symbols[index];
  if (symbol === undefined) throw new RangeError(`${index} is not one of the ${symbols.length} symbols`);
  return symbol;
}
