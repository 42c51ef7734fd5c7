import type pg from 'pg';
import type { TargetTable } from '#connectors/contract/target.ts';
import type { TableName } from '#schemas/tables.ts';
import { quoteTable } from '../identifiers.ts';
import { catalogSql, type CatalogTable, catalogValues, readCatalog } from './catalog.ts';
import { readLateKeys } from './late-keys.ts';

/** What the catalog says of the tables, and the key of one that a load fills at the moment; a missing one is left out. */
export async function readTables(client: pg.ClientBase, tables: readonly TableName[]): Promise<CatalogTable[]> {
  const { rows } = await client.query<[string]>({ text: catalogSql, values: catalogValues(tables), rowMode: 'array' });
  const found = readCatalog(rows);
  const late = await readLateKeys(
    client,
    found.filter(({ primaryKey }) => primaryKey.length === 0).map(({ oid }) => oid),
  );
  return found.map((table) => {
    const key = late.get(table.oid);
    if (key === undefined) return table;
    const { name, columns } = key;
    return { ...table, primaryKey: columns, primaryKeyName: name, uniqueKeys: [...table.uniqueKeys, columns] };
  });
}

export async function describeTables(client: pg.ClientBase, tables: readonly TableName[]): Promise<TargetTable[]> {
  const described: TargetTable[] = [];
  for (const { schema, name, columns, primaryKey, uniqueKeys } of await readTables(client, tables)) {
    described.push({
      table: { schema, name },
      columns: columns.map(({ name, type, notNull, hasDefault, generated, identityAlways }) => ({
        name,
        type,
        notNull,
        hasDefault,
        generated,
        identityAlways,
      })),
      primaryKey,
      uniqueKeys,
      hasRows: await hasRows(client, { schema, name }),
    });
  }
  return described;
}

export async function hasRows(client: pg.ClientBase, table: TableName): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(`SELECT EXISTS (SELECT FROM ${quoteTable(table)}) AS found`);
  return rows[0]!.found;
}
