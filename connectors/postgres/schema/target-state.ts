import type pg from 'pg';
import type {
  CollationModel,
  ExtensionModel,
  SchemaModel,
  SequenceModel,
  TableModel,
  TypeModel,
} from '#connectors/contract/schema.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { readLateKeys } from '../target/late-keys.ts';
import { type MadeObjects, readMadeObjects } from './made.ts';
import { inCatalog } from './read.ts';
import { readSequences } from './read-sequences.ts';
import { findTables, readTables } from './read-tables.ts';
import { readCollations, readExtensions, readTypes } from './read-types.ts';

/** What the target has under the model's names, by formatted name. */
export interface TargetState {
  readonly serverVersion: number;
  readonly schemas: ReadonlySet<string>;
  readonly extensions: ReadonlyMap<string, ExtensionModel>;
  readonly collations: ReadonlyMap<string, CollationModel>;
  readonly types: ReadonlyMap<string, TypeModel>;
  readonly sequences: ReadonlyMap<string, SequenceModel>;
  readonly tables: ReadonlyMap<string, TableModel>;
  /** Views and the like in a table's place, by formatted name. */
  readonly otherRelations: ReadonlySet<string>;
  readonly made: MadeObjects;
  /** Formatted names of tables whose primary key a load makes at its end. */
  readonly lateKeys: ReadonlySet<string>;
}

export async function readTargetState(client: pg.ClientBase, model: SchemaModel): Promise<TargetState> {
  const made = await readMadeObjects(client);
  return inCatalog(client, async () => {
    const { rows } = await client.query<{ version: number; schemas: string[] }>(
      `SELECT current_setting('server_version_num')::int AS version, (SELECT array_agg(nspname::text) FROM pg_namespace) AS schemas`,
    );
    const found = await findTables(
      client,
      model.tables.map(({ name }) => name),
    );
    const tables = await readTables(
      client,
      found.map(({ oid }) => oid),
    );
    const late = await readLateKeys(
      client,
      found.map(({ oid }) => oid),
    );
    return {
      serverVersion: rows[0]!.version,
      schemas: new Set(rows[0]!.schemas),
      extensions: new Map(
        (await readExtensions(client, await extensionOids(client, model))).map((each) => [each.name, each]),
      ),
      collations: byName(await readCollations(client, await oids(client, COLLATIONS, model.collations.map(nameOf)))),
      types: byName(await readTypes(client, await oids(client, TYPES, model.types.map(nameOf)))),
      sequences: byName(await readSequences(client, await oids(client, SEQUENCES, model.sequences.map(nameOf)))),
      tables: byName(tables.tables),
      otherRelations: new Set(
        await texts(
          client,
          OTHER_RELATIONS,
          model.tables.map(({ name }) => name),
        ),
      ),
      made,
      lateKeys: new Set(found.filter(({ oid }) => late.has(oid)).map(formatTableName)),
    };
  });
}

const nameOf = ({ name }: { readonly name: TableName }): TableName => name;

function byName<T extends { readonly name: TableName }>(objects: readonly T[]): Map<string, T> {
  return new Map(objects.map((each) => [formatTableName(each.name), each]));
}

const wanted = `unnest($1::text[], $2::text[]) AS w (schema, name) JOIN pg_namespace n ON n.nspname = w.schema`;
const TYPES = `SELECT t.oid::text FROM ${wanted} JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = w.name
  LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')`;
const COLLATIONS = `SELECT l.oid::text FROM ${wanted} JOIN pg_collation l ON l.collnamespace = n.oid AND l.collname = w.name`;
const SEQUENCES = `SELECT c.oid::text FROM ${wanted} JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind = 'S'`;
const OTHER_RELATIONS = `SELECT w.schema, w.name FROM ${wanted}
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name AND c.relkind NOT IN ('r', 'p')`;

async function oids(client: pg.ClientBase, sql: string, names: readonly TableName[]): Promise<string[]> {
  if (names.length === 0) return [];
  const { rows } = await client.query<{ oid: string }>(sql, [
    names.map(({ schema }) => schema),
    names.map(({ name }) => name),
  ]);
  return rows.map(({ oid }) => oid);
}

async function texts(client: pg.ClientBase, sql: string, names: readonly TableName[]): Promise<string[]> {
  const { rows } = await client.query<TableName>(sql, [
    names.map(({ schema }) => schema),
    names.map(({ name }) => name),
  ]);
  return rows.map(formatTableName);
}

async function extensionOids(client: pg.ClientBase, { extensions }: SchemaModel): Promise<string[]> {
  const { rows } = await client.query<{ oid: string }>(
    'SELECT oid::text FROM pg_extension WHERE extname = ANY ($1::text[])',
    [extensions.map(({ name }) => name)],
  );
  return rows.map(({ oid }) => oid);
}
