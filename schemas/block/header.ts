import { CELL_FORMATS, REPLICA_IDENTITIES, type BlockColumn, type BlockHeader, type BlockTable } from './model.ts';
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
 * The position that a block continues from, without a look at the rest; undefined for a format that does not tell it.
 * @throws {RangeError} when the bytes are no header
 */
export function continuesFrom(bytes: Buffer): Position | undefined {
  const wire = new WireReader(bytes);
  const format = wire.long();
  if (format < 2) return undefined;
  const source = wire.length();
  wire.pos += source;
  wire.long(); // generation
  return readAfter(wire);
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
