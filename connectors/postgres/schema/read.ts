import type pg from 'pg';
import type { SchemaModel, SequenceModel, SkippedObject } from '#connectors/contract/schema.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteTable } from '../identifiers.ts';
import { readClosure } from './closure.ts';
import { readSequences } from './read-sequences.ts';
import { findTables, readTables } from './read-tables.ts';
import { readCollations, readExtensions, readTypes } from './read-types.ts';

/**
 * The tables with all they rest on, from the catalog, as it stands at one moment; a missing table is left out. Any role that may connect
 * can read it: only where a sequence stands takes SELECT on it. Works on servers 14 to 18.
 */
export async function readSchema(client: pg.ClientBase, tables: readonly TableName[]): Promise<SchemaModel> {
  return inCatalog(client, async () => {
    const found = (await findTables(client, tables)).map(({ oid }) => oid);
    const closure = await readClosure(client, found);
    const { tables: models, notCarried } = await readTables(client, found);
    const sequences = await readSequences(client, closure.sequences);
    const { rows } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    return {
      serverVersion: rows[0]!.version,
      extensions: await readExtensions(client, closure.extensions),
      collations: await readCollations(client, closure.collations),
      types: await readTypes(client, closure.types),
      sequences,
      tables: models,
      notCarried: [...notCarried, ...sequences.flatMap(unreadable)],
    };
  });
}

/**
 * Runs `work` in a read-only transaction in which every name is printed quoted: a word that is reserved at the other end only
 * (system_user, from 16 on) would mean something else there, without an error. (CHECKLIST 26)
 */
export async function inCatalog<T>(client: pg.ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL quote_all_identifiers = on');
  try {
    return await work();
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
  }
}

function unreadable({ name, value }: SequenceModel): SkippedObject[] {
  if (value !== undefined) return [];
  return [
    {
      object: `value of sequence ${formatTableName(name)}`,
      reason: 'The role may not read where the sequence stands at the source.',
      fix: `At the source: GRANT SELECT ON SEQUENCE ${quoteTable(name)} TO the role; then call cutover.`,
    },
  ];
}
