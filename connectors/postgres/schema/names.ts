import type { ConstraintModel, TypeModel } from '#connectors/contract/schema.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';

/** How reports name an object: its kind and its name, which together are its id. */
export const objectName = {
  extension: (name: string): string => `extension ${name}`,
  schema: (name: string): string => `schema ${name}`,
  collation: (name: TableName): string => `collation ${formatTableName(name)}`,
  type: ({ name }: TypeModel): string => `type ${formatTableName(name)}`,
  sequence: (name: TableName): string => `sequence ${formatTableName(name)}`,
  table: (name: TableName): string => `table ${formatTableName(name)}`,
  partitioning: (name: TableName): string => `partitioning of ${formatTableName(name)}`,
  column: (table: TableName, column: string): string => `column ${formatTableName(table)}.${column}`,
  default: (table: TableName, column: string): string => `default of ${formatTableName(table)}.${column}`,
  collationOf: (table: TableName, column: string): string => `collation of ${formatTableName(table)}.${column}`,
  constraint: (table: TableName, { kind, name }: ConstraintModel): string =>
    `${CONSTRAINTS[kind]} ${name} of ${formatTableName(table)}`,
  index: (table: TableName, name: string): string => `index ${name} of ${formatTableName(table)}`,
  comment: (on: string): string => `comment on ${on}`,
};

const CONSTRAINTS: Readonly<Record<ConstraintModel['kind'], string>> = {
  primary: 'primary key',
  unique: 'unique constraint',
  exclusion: 'exclusion constraint',
  check: 'check constraint',
  notNull: 'not-null constraint',
  foreign: 'foreign key',
};
