import { TablePlan } from '#connectors/postgres/target/table-plan.ts';
import type { CatalogColumn, CatalogTable } from '#connectors/postgres/target/catalog.ts';
import { type BlockTable, BlockWriter } from '#schemas/block/index.ts';

export type Cells = readonly (string | null | undefined)[];

export function catalogColumn(name: string, more: Partial<CatalogColumn> = {}): CatalogColumn {
  return {
    name,
    type: 'text',
    typeOid: '25',
    cast: 'pg_catalog.text',
    domain: false,
    compared: 'text',
    castByFunction: false,
    equalsIn: 'pg_catalog',
    notNull: false,
    hasDefault: false,
    generated: false,
    identityAlways: false,
    ...more,
  };
}

export function catalogTable(name: string, more: Partial<CatalogTable> = {}): CatalogTable {
  return {
    oid: name,
    schema: 'public',
    name,
    kind: 'r',
    rowSecurity: false,
    columns: ['id', 'a', 'b'].map((column) => catalogColumn(column)),
    primaryKey: ['id'],
    primaryKeyName: 'id_pkey',
    uniqueKeys: [['id']],
    indexed: ['id'],
    foreignKeys: [],
    ...more,
  };
}

export function shapeOf(name: string, more: Partial<BlockTable> = {}): BlockTable {
  return {
    relationId: 1,
    schema: 'public',
    name,
    identity: 'default',
    tolerant: false,
    columns: ['id', 'a', 'b'].map((column) => ({
      name: column,
      typeOid: 25,
      typeSchema: 'pg_catalog',
      typeName: 'text',
      typmod: -1,
      key: column === 'id',
      format: 'text',
    })),
    ...more,
  };
}

export const planOf = (shape = shapeOf('parcel'), table = catalogTable('parcel')): TablePlan =>
  new TablePlan(table, shape);

/** Rows one after the other in a buffer, as a block has them. */
export class RowBytes {
  readonly bytes: Buffer;
  readonly at: readonly number[];

  constructor(rows: readonly Cells[]) {
    const at: number[] = [];
    const parts: Buffer[] = [];
    let length = 0;
    for (const row of rows) {
      at.push(length);
      const part = rowBytes(row);
      parts.push(part);
      length += part.length;
    }
    this.bytes = Buffer.concat(parts);
    this.at = at;
  }
}

function rowBytes(cells: Cells): Buffer {
  const writer = new BlockWriter(1024);
  // A block of one change whose row begins at a place that its own length tells.
  writer.beginTransaction({ xid: 1, commitLsn: 1n, commitTime: 1, origin: undefined });
  writer.beginChange(-1, 0, 0);
  writer.before(0);
  writer.after(true);
  const before = writer.byteLength;
  writer.beginRow(cells.length);
  for (const cell of cells) {
    if (cell === undefined) writer.unchangedCell();
    else if (cell === null) writer.nullCell();
    else writer.textCellOf(cell);
  }
  writer.endRow();
  const length = writer.byteLength - before;
  writer.endTransaction(true, 0);
  const tail = writer.byteLength - before - length;
  const block = writer.finish('s', 1, { generation: 1, commitLsn: 0n, ordinal: 0 });
  const end = block.length - 1 - tail;
  return Buffer.from(block.subarray(end - length, end));
}
