import { type BinaryForm, binaryFormOf, type BlockColumn, type BlockTable } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import { takesBytes } from './copy-rows.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import type { ReceivedTypes } from './same-types.ts';
import { Statements } from './statements.ts';

/** A cell of the block's rows and the target column it belongs to. */
export interface PlanColumn {
  /** Index of the cell in the block's rows. */
  readonly cell: number;
  readonly column: CatalogColumn;
  /** The column's name, quoted. */
  readonly sql: string;
  /** Cells are in binary, and of the very type of the column: they go into an array of that type as they are. */
  readonly inBinary: boolean;
}

/**
 * How a change finds its row: by key columns; by all its values, one of equal rows, in the source's order; or not at all (inserts only).
 */
export type Matching = 'key' | 'whole-row' | 'none';

/** How the rows of a table in one shape are brought into a target table. Made once a connection and shape. */
export class TablePlan {
  readonly table: CatalogTable;
  readonly shape: BlockTable;
  readonly matching: Matching;
  /** By cell. */
  readonly columns: readonly PlanColumn[];
  /** Columns by which a row is found; empty unless `matching` is "key". */
  readonly keys: readonly PlanColumn[];
  /** All columns that are written: every cell but those of columns which the target computes. */
  readonly written: readonly PlanColumn[];
  /** By cell: 1 when it is not written. Undefined when all are. */
  readonly skipped: Uint8Array | undefined;
  /** By cell: 1 when it belongs to the key. */
  readonly isKey: Uint8Array;
  /** By cell: how its text is made where it is in binary. */
  readonly forms: readonly (BinaryForm | undefined)[];
  readonly copyable: boolean;
  /** Rows can be copied as the bytes they are; after that these types must still be the columns'. */
  readonly bytes: ReceivedTypes | undefined;
  /** Rows can be copied, and one whose key is there already is refused by an index. */
  readonly refusesTwice: boolean;
  readonly statements: Statements;
  /** Table name as SQL. */
  readonly sql: string;

  /** @throws {TerraFusionError} TARGET_COLUMN_MISSING naming all that are missing; BLOCK_CORRUPT */
  constructor(table: CatalogTable, shape: BlockTable) {
    this.table = table;
    this.shape = shape;
    this.sql = quoteTable(table);
    const columns = matchColumns(table, shape);
    this.columns = columns;
    const keys = findKeys(table, shape, columns);
    this.matching = keys.length > 0 ? 'key' : shape.identity === 'full' ? 'whole-row' : 'none';
    this.keys = keys;
    this.written = columns.filter(({ column }) => !column.generated);
    this.skipped =
      this.written.length === columns.length
        ? undefined
        : Uint8Array.from(columns, ({ column }) => (column.generated ? 1 : 0));
    this.isKey = Uint8Array.from(columns, (column) => (keys.includes(column) ? 1 : 0));
    this.forms = shape.columns.map(formOf);
    this.copyable = (table.kind === 'r' || table.kind === 'p') && !table.rowSecurity && this.written.length > 0;
    this.bytes =
      this.copyable && takesBytes(shape, this.written)
        ? {
            table: this.sql,
            columns: this.written.map(({ column }) => column.name),
            types: this.written.map(({ column }) => column.typeOid),
          }
        : undefined;
    this.statements = new Statements(this);
    this.refusesTwice = this.copyable && this.statements.upsert() !== undefined;
  }
}

function formOf({ format, typeOid }: BlockColumn): BinaryForm | undefined {
  if (format === 'text') return undefined;
  const form = binaryFormOf(typeOid);
  if (form === undefined)
    throw new TerraFusionError(
      'BLOCK_CORRUPT',
      `Values in binary of type ${typeOid}, of which only the text is known here`,
    );
  return form;
}

/** Two block tables with equal signatures have the same plan. */
export function signatureOf(shape: BlockTable): string {
  let text = `${shape.schema}\0${shape.name}\0${shape.identity}\0${shape.tolerant ? 1 : 0}`;
  // By the format, and in binary by the type, it is decided how bytes are read.
  for (const { name, key, format, typeOid } of shape.columns)
    text += `\0${key ? '+' : '-'}${format === 'binary' ? typeOid : ''}${name}`;
  return text;
}

function matchColumns(table: CatalogTable, shape: BlockTable): PlanColumn[] {
  const known = new Map(table.columns.map((column) => [column.name, column]));
  const missing = shape.columns.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new TerraFusionError(
      'TARGET_COLUMN_MISSING',
      `The target table ${formatTableName(table)} has no column ${missing.join(', ')}`,
      { details: { table: formatTableName(table), columns: missing } },
    );
  }
  return shape.columns.map(({ name, format, typeOid }, cell) => {
    const column = known.get(name)!;
    const inBinary = format === 'binary' && column.typeOid === String(typeOid);
    return { cell, column, sql: quoteIdentifier(name), inBinary };
  });
}

function findKeys(table: CatalogTable, shape: BlockTable, columns: readonly PlanColumn[]): PlanColumn[] {
  switch (shape.identity) {
    case 'nothing':
      return [];
    case 'default':
    case 'index':
      return columns.filter(({ cell }) => shape.columns[cell]!.key);
    case 'full': {
      // The whole old row travels: any key will do, and the target's own is indexed.
      const keys = columns.filter(({ column }) => table.primaryKey.includes(column.name));
      return keys.length === table.primaryKey.length ? keys : [];
    }
  }
}
