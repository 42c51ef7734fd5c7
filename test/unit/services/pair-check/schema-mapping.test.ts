import { describe, expect, test } from 'vitest';
import type { ColumnModel, ConstraintModel, SchemaModel, TableModel } from '#connectors/contract/schema.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import { parseTableName } from '#schemas/tables.ts';
import { targetSchema, type PlannedTable } from '#services/pair-check/schema-mapping.ts';
import type { z } from 'zod';

const column = (name: string, more: Partial<ColumnModel> = {}): ColumnModel => ({
  name,
  type: 'integer',
  collation: undefined,
  notNull: false,
  notNullName: undefined,
  value: { kind: 'none' },
  comment: undefined,
  ...more,
});

function key(kind: 'primary' | 'unique', name: string, ...columns: string[]): ConstraintModel {
  return { kind, name, comment: undefined, columns, definition: 'as printed', plain: true };
}

function foreign(name: string, columns: string[], references: string, referencedColumns: string[]): ConstraintModel {
  return {
    kind: 'foreign',
    name,
    comment: undefined,
    columns,
    references: parseTableName(references),
    referencedColumns,
    period: false,
    matchFull: false,
    onUpdate: 'NO ACTION',
    onDelete: 'NO ACTION',
    onDeleteColumns: [],
    deferrable: false,
    deferred: false,
    validated: true,
    enforced: true,
  };
}

function table(name: string, columns: readonly ColumnModel[], more: Partial<TableModel> = {}): TableModel {
  return {
    name: parseTableName(name),
    unlogged: false,
    columns,
    partitionKey: undefined,
    partitionOf: undefined,
    options: [],
    replicaIdentity: { kind: 'default' },
    constraints: [],
    indexes: [],
    comment: undefined,
    ...more,
  };
}

const sequence = (name: string, owner: string, identity = false): SchemaModel['sequences'][number] => ({
  name: parseTableName(name),
  type: 'integer',
  start: '1',
  increment: '1',
  minimum: '1',
  maximum: '9',
  cache: '1',
  cycle: false,
  ownedBy: { table: parseTableName(owner), column: 'id' },
  identity,
  value: { last: '4', called: true },
  comment: undefined,
});

const owner = table(
  'pacs.owner',
  [
    column('id', { value: { kind: 'sequence', sequence: parseTableName('pacs.owner_id_seq') }, notNull: true }),
    column('name', { value: { kind: 'default', expression: "'x'" } }),
    column('loud', { value: { kind: 'generated', expression: 'upper(name)', stored: true } }),
  ],
  {
    constraints: [
      key('primary', 'owner_pkey', 'id'),
      key('unique', 'owner_name_key', 'name'),
      { kind: 'check', name: 'named', comment: undefined, columns: ['name'], definition: 'CHECK (name)' },
    ],
    indexes: [
      {
        name: 'owner_name',
        unique: false,
        definition: 'USING btree ("name")',
        columns: ['name'],
        plain: true,
        comment: 'c',
      },
      {
        name: 'owner_lower',
        unique: false,
        definition: 'USING btree (lower("name"))',
        columns: [],
        plain: false,
        comment: undefined,
      },
    ],
  },
);
const parcel = table('pacs.parcel', [column('id', { notNull: true }), column('owner_id')], {
  partitionKey: 'RANGE (id)',
  constraints: [
    key('primary', 'parcel_pkey', 'id'),
    foreign('parcel_owner', ['owner_id'], 'pacs.owner', ['id']),
    foreign('parcel_else', ['owner_id'], 'pacs.elsewhere', ['id']),
  ],
});
const partition = table('pacs.parcel_1', [column('id'), column('owner_id')], {
  partitionOf: { table: parcel.name, bound: 'DEFAULT' },
});
const model: SchemaModel = {
  serverVersion: 180_000,
  extensions: [],
  collations: [],
  types: [],
  sequences: [sequence('pacs.owner_id_seq', 'pacs.owner')],
  tables: [owner, parcel, partition],
  notCarried: [],
};

function planned(source: TableModel, input?: Partial<z.input<typeof tableInput>>): PlannedTable {
  const parsed = input && tableInput.parse({ source: `${source.name.schema}.${source.name.name}`, ...input });
  const columns = source.columns.filter(({ value }) => value.kind !== 'generated');
  return {
    input: parsed,
    shape: {
      table: {
        ...source.name,
        relationId: 1,
        identity: 'default',
        tolerant: false,
        columns: columns.map(({ name }) => ({
          name,
          typeOid: 23,
          typeSchema: 'pg_catalog',
          typeName: 'int4',
          typmod: -1,
          key: name === 'id',
          format: 'text' as const,
        })),
      },
      primaryKey: ['id'],
      typeNames: new Map(columns.map(({ name }) => [name, 'integer'])),
      notNull: new Set(['id']),
      estimatedRows: 0,
    },
    target: parsed?.target === undefined ? source.name : parseTableName(parsed.target),
  };
}

const map = (tables: readonly PlannedTable[]): SchemaModel => targetSchema(model, tables, pairConfig.parse({}));
const told = ({ notCarried }: SchemaModel): string[] => notCarried.map(({ object }) => object).sort();

describe("a source's schema under the target's names", () => {
  test('a table under another name takes its sequences, partitions and references with it', () => {
    const mapped = map([planned(owner, { target: 'cama.person' }), planned(parcel, { target: 'cama.lot' })]);
    const [person, lot, part] = mapped.tables;
    expect(person!.columns[0]!.value).toEqual({ kind: 'sequence', sequence: { schema: 'cama', name: 'owner_id_seq' } });
    expect(person).toEqual({ ...owner, name: { schema: 'cama', name: 'person' }, columns: person!.columns });
    expect(mapped.sequences).toEqual([
      {
        ...model.sequences[0],
        name: { schema: 'cama', name: 'owner_id_seq' },
        ownedBy: { table: person!.name, column: 'id' },
      },
    ]);
    expect(lot!.partitionKey).toBe('RANGE (id)');
    expect(lot!.constraints.at(-1)).toMatchObject({
      name: 'parcel_owner',
      references: { schema: 'cama', name: 'person' },
    });
    expect(part).toMatchObject({ name: { schema: 'cama', name: 'parcel_1' }, partitionOf: { table: lot!.name } });
    expect(told(mapped)).toEqual(['foreign key parcel_else of pacs.parcel']);
  });

  test('of mapped columns keys, plain indexes and foreign keys follow, and texts are told', () => {
    const mapped = map([
      planned(owner, { target: 'cama.person', columns: { pid: { from: 'id' }, who: { from: 'name' } } }),
      planned(parcel, { columns: { id: { from: 'id' }, person: { from: 'owner_id' } } }),
    ]);
    const [person, lot] = mapped.tables;
    expect(mapped.tables).toHaveLength(2);
    expect(person!.columns.map(({ name, value }) => [name, value.kind])).toEqual([
      ['pid', 'sequence'],
      ['who', 'default'],
    ]);
    expect(person!.constraints.map(({ name, columns }) => [name, columns])).toEqual([
      ['person_pkey', ['pid']],
      ['owner_name_key', ['who']],
    ]);
    expect(person!.indexes).toMatchObject([{ name: 'owner_name', definition: 'USING btree ("who")', comment: 'c' }]);
    expect(lot!.partitionKey).toBeUndefined();
    expect(lot!.constraints.at(-1)).toMatchObject({ columns: ['person'], referencedColumns: ['pid'] });
    expect(mapped.sequences[0]!.ownedBy).toEqual({ table: person!.name, column: 'pid' });
    expect(told(mapped)).toEqual([
      'check named of pacs.owner',
      'foreign key parcel_else of pacs.parcel',
      'generated column pacs.owner.loud',
      'index owner_lower of pacs.owner',
      'partitioning of pacs.parcel',
    ]);
  });

  test('a value that is changed on the way carries nothing but the key that rows are found by', () => {
    const mapped = map([
      planned(owner, { columns: { id: { from: 'id', type: 'text' }, who: { from: 'name', transforms: ['upper'] } } }),
      planned(parcel),
    ]);
    expect(mapped.tables[0]!.constraints.map(({ name }) => name)).toEqual(['owner_pkey']);
    expect(mapped.sequences).toEqual([]);
    expect(told(mapped)).toContain('unique owner_name_key of pacs.owner');
    expect(told(mapped)).toContain('foreign key parcel_owner of pacs.parcel');
  });

  test.each([
    { where: 'row.id > 1' },
    { rules: [{ name: 'r', check: 'row.id > 1' }] },
    { rules: [{ name: 'r', check: 'row.id > 1', on_failure: 'quarantine' as const }] },
  ])('nothing points to a table of which rows may be missing: %o', (input) => {
    const mapped = map([planned(owner, input), planned(parcel)]);
    expect(
      mapped.notCarried.find(({ object }) => object === 'foreign key parcel_owner of pacs.parcel')?.reason,
    ).toContain('not all rows');
    // A rule that only warns takes no row away.
    const warned = map([
      planned(owner, { rules: [{ name: 'r', check: 'row.id > 1', on_failure: 'warn' }] }),
      planned(parcel),
    ]);
    expect(told(warned)).toEqual(['foreign key parcel_else of pacs.parcel']);
  });
});
