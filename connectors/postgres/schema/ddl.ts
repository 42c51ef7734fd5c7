import type {
  CollationModel,
  ColumnModel,
  ConstraintModel,
  ExtensionModel,
  ForeignKeyModel,
  IndexModel,
  SequenceModel,
  TableModel,
  TypeModel,
} from '#connectors/contract/schema.ts';
import type { TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteLiteral, quoteTable } from '../identifiers.ts';

/*
 * The model as SQL text, one statement a function. Pure: nothing is looked up and nothing is run, so that the creation of a schema and
 * its later evolution say the same thing in the same words. Names are quoted here; types, expressions and definitions are the catalog's.
 */

/** What decides how a column is written. */
export interface ColumnSetting {
  /** `server_version_num` of the server that reads the text. */
  readonly serverVersion: number;
  /** The sequence of an identity column. */
  readonly identity?: SequenceModel | undefined;
}

/** Virtual generated columns are known from here on; older servers store them. */
export const VIRTUAL_SINCE = 180_000;

export const createSchema = (name: string): string => `CREATE SCHEMA ${quoteIdentifier(name)}`;

export function createExtension({ name, schema }: ExtensionModel): string {
  return `CREATE EXTENSION ${quoteIdentifier(name)} SCHEMA ${quoteIdentifier(schema)}`;
}

export function createCollation({ name, definition }: CollationModel): string {
  return `CREATE COLLATION ${quoteTable(name)} (${definition})`;
}

export function createType(type: TypeModel): string {
  const name = quoteTable(type.name);
  switch (type.kind) {
    case 'enum':
      return `CREATE TYPE ${name} AS ENUM (${type.labels.map(quoteLiteral).join(', ')})`;
    case 'domain': {
      const parts = [`CREATE DOMAIN ${name} AS ${type.base}`];
      if (type.collation !== undefined) parts.push(`COLLATE ${type.collation}`);
      if (type.default !== undefined) parts.push(`DEFAULT ${type.default}`);
      if (type.notNull) parts.push('NOT NULL');
      for (const check of type.checks) parts.push(`CONSTRAINT ${quoteIdentifier(check.name)} ${check.definition}`);
      return parts.join(' ');
    }
    case 'composite':
      return `CREATE TYPE ${name} AS (${type.attributes
        .map((each) => `${quoteIdentifier(each.name)} ${each.type}${collate(each.collation)}`)
        .join(', ')})`;
    case 'range':
      return `CREATE TYPE ${name} AS RANGE (${type.definition})`;
  }
}

export function createSequence(sequence: SequenceModel): string {
  return `CREATE SEQUENCE ${quoteTable(sequence.name)} AS ${sequence.type} ${sequenceOptions(sequence)}`;
}

/** Goes with its column from now on. @returns undefined when it belongs to nobody, or is an identity's, which is born owned */
export function ownSequence({ name, ownedBy, identity }: SequenceModel): string | undefined {
  if (ownedBy === undefined || identity) return undefined;
  return `ALTER SEQUENCE ${quoteTable(name)} OWNED BY ${quoteTable(ownedBy.table)}.${quoteIdentifier(ownedBy.column)}`;
}

function sequenceOptions({ start, increment, minimum, maximum, cache, cycle }: SequenceModel): string {
  return `START WITH ${start} INCREMENT BY ${increment} MINVALUE ${minimum} MAXVALUE ${maximum} CACHE ${cache} ${cycle ? 'CYCLE' : 'NO CYCLE'}`;
}

/** The column within CREATE TABLE or after ADD COLUMN. */
export function columnDefinition(column: ColumnModel, setting: ColumnSetting): string {
  const parts = [quoteIdentifier(column.name), `${column.type}${collate(column.collation)}`];
  if (column.notNullName !== undefined) parts.push(`CONSTRAINT ${quoteIdentifier(column.notNullName)}`);
  if (column.notNull) parts.push('NOT NULL');
  const value = columnValue(column, setting);
  if (value !== '') parts.push(value);
  return parts.join(' ');
}

function columnValue({ value }: ColumnModel, { serverVersion, identity }: ColumnSetting): string {
  switch (value.kind) {
    case 'none':
      return '';
    case 'default':
    case 'sequence':
      return `DEFAULT ${defaultExpression(value)}`;
    case 'identity': {
      const how = value.always ? 'ALWAYS' : 'BY DEFAULT';
      const options =
        identity === undefined ? '' : ` (SEQUENCE NAME ${quoteTable(identity.name)} ${sequenceOptions(identity)})`;
      return `GENERATED ${how} AS IDENTITY${options}`;
    }
    case 'generated':
      return `GENERATED ALWAYS AS (${value.expression}) ${value.stored || serverVersion < VIRTUAL_SINCE ? 'STORED' : 'VIRTUAL'}`;
  }
}

/** A default as an expression, by itself. */
export function defaultExpression(value: Extract<ColumnModel['value'], { kind: 'default' | 'sequence' }>): string {
  return value.kind === 'default'
    ? value.expression
    : `nextval(${quoteLiteral(quoteTable(value.sequence))}::pg_catalog.regclass)`;
}

/** The same columns without what could be missing at the other end: defaults, generated columns, collations. */
export function plainColumn(column: ColumnModel): ColumnModel {
  return { ...column, value: column.value.kind === 'identity' ? column.value : { kind: 'none' }, collation: undefined };
}

/** @param primaryKey made with the table when given */
export function createTable(
  table: TableModel,
  settingOf: (column: ColumnModel) => ColumnSetting,
  primaryKey?: ConstraintModel,
): string {
  const lines = table.columns.map((column) => columnDefinition(column, settingOf(column)));
  if (primaryKey) lines.push(constraintDefinition(primaryKey));
  return `CREATE ${table.unlogged ? 'UNLOGGED ' : ''}TABLE ${quoteTable(table.name)} (\n  ${lines.join(',\n  ')}\n)${tableTail(table)}`;
}

/** A partition, with the columns of its parent. */
export function createPartition(table: TableModel, partition: NonNullable<TableModel['partitionOf']>): string {
  const { table: parent, bound } = partition;
  return `CREATE ${table.unlogged ? 'UNLOGGED ' : ''}TABLE ${quoteTable(table.name)} PARTITION OF ${quoteTable(parent)} ${bound}${tableTail(table)}`;
}

export function attachPartition(
  table: TableName,
  { table: parent, bound }: NonNullable<TableModel['partitionOf']>,
): string {
  return `ALTER TABLE ${quoteTable(parent)} ATTACH PARTITION ${quoteTable(table)} ${bound}`;
}

function tableTail({ partitionKey, options }: TableModel): string {
  const by = partitionKey === undefined ? '' : ` PARTITION BY ${partitionKey}`;
  return `${by}${options.length === 0 ? '' : ` WITH (${options.join(', ')})`}`;
}

export function addColumn(table: TableName, column: ColumnModel, setting: ColumnSetting): string {
  return `ALTER TABLE ${quoteTable(table)} ADD COLUMN ${columnDefinition(column, setting)}`;
}

/** @param value undefined drops it */
export function setDefault(
  table: TableName,
  column: string,
  value: Extract<ColumnModel['value'], { kind: 'default' | 'sequence' }> | undefined,
): string {
  const action = value === undefined ? 'DROP DEFAULT' : `SET DEFAULT ${defaultExpression(value)}`;
  return `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(column)} ${action}`;
}

/** Of a column that holds no values yet: others would be read and compared anew. */
export function setCollation(table: TableName, { name, type, collation }: ColumnModel): string {
  return `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(name)} TYPE ${type}${collate(collation)}`;
}

export function setOptions({ name, options }: TableModel): string {
  return `ALTER TABLE ${quoteTable(name)} SET (${options.join(', ')})`;
}

export function setNotNull(table: TableName, column: string, notNull = true): string {
  return `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteIdentifier(column)} ${notNull ? 'SET' : 'DROP'} NOT NULL`;
}

export function addConstraint(table: TableName, constraint: ConstraintModel): string {
  return `ALTER TABLE ${quoteTable(table)} ADD ${constraintDefinition(constraint)}`;
}

export function constraintDefinition(constraint: ConstraintModel): string {
  const text = constraint.kind === 'foreign' ? foreignKeyDefinition(constraint) : constraint.definition;
  return `CONSTRAINT ${quoteIdentifier(constraint.name)} ${text}`;
}

export function foreignKeyDefinition(key: ForeignKeyModel): string {
  const parts = [
    `FOREIGN KEY (${keyColumns(key.columns, key.period)})`,
    `REFERENCES ${quoteTable(key.references)} (${keyColumns(key.referencedColumns, key.period)})`,
  ];
  if (key.matchFull) parts.push('MATCH FULL');
  if (key.onUpdate !== 'NO ACTION') parts.push(`ON UPDATE ${key.onUpdate}`);
  if (key.onDelete !== 'NO ACTION') parts.push(`ON DELETE ${key.onDelete}`);
  if (key.onDeleteColumns.length > 0) parts.push(`(${quoteColumns(key.onDeleteColumns)})`);
  if (key.deferrable) parts.push('DEFERRABLE');
  if (key.deferred) parts.push('INITIALLY DEFERRED');
  if (!key.enforced) parts.push('NOT ENFORCED');
  else if (!key.validated) parts.push('NOT VALID');
  return parts.join(' ');
}

function keyColumns(columns: readonly string[], period: boolean): string {
  if (!period) return quoteColumns(columns);
  return columns
    .map((column, index) => `${index === columns.length - 1 ? 'PERIOD ' : ''}${quoteIdentifier(column)}`)
    .join(', ');
}

export function createIndex(table: TableName, { name, unique, definition }: IndexModel): string {
  return `CREATE ${unique ? 'UNIQUE ' : ''}INDEX ${quoteIdentifier(name)} ON ${quoteTable(table)} ${definition}`;
}

export function setReplicaIdentity(table: TableName, identity: TableModel['replicaIdentity']): string {
  const text =
    identity.kind === 'index' ? `USING INDEX ${quoteIdentifier(identity.index)}` : identity.kind.toUpperCase();
  return `ALTER TABLE ${quoteTable(table)} REPLICA IDENTITY ${text}`;
}

/** What a comment is on, as SQL says it. */
export const commentable = {
  table: (name: TableName): string => `TABLE ${quoteTable(name)}`,
  column: (table: TableName, column: string): string => `COLUMN ${quoteTable(table)}.${quoteIdentifier(column)}`,
  constraint: (table: TableName, name: string): string => `CONSTRAINT ${quoteIdentifier(name)} ON ${quoteTable(table)}`,
  index: (table: TableName, name: string): string => `INDEX ${quoteTable({ schema: table.schema, name })}`,
  sequence: (name: TableName): string => `SEQUENCE ${quoteTable(name)}`,
  type: ({ name, kind }: TypeModel): string => `${kind === 'domain' ? 'DOMAIN' : 'TYPE'} ${quoteTable(name)}`,
  collation: (name: TableName): string => `COLLATION ${quoteTable(name)}`,
};

export function comment(on: string, text: string): string {
  return `COMMENT ON ${on} IS ${quoteLiteral(text)}`;
}

const collate = (collation: string | undefined): string => (collation === undefined ? '' : ` COLLATE ${collation}`);
