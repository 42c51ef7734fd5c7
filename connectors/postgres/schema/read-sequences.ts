import type pg from 'pg';
import type { SequenceModel } from '#connectors/contract/schema.ts';
import { quoteTable } from '../identifiers.ts';

interface SequenceRow {
  readonly schema: string;
  readonly name: string;
  readonly type: string;
  readonly start: string;
  readonly increment: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly cache: string;
  readonly cycle: boolean;
  readonly owner_schema: string | null;
  readonly owner_table: string | null;
  readonly owner_column: string | null;
  readonly identity: boolean;
  readonly readable: boolean;
  readonly comment: string | null;
}

const SEQUENCES = `
SELECT n.nspname AS schema, c.relname AS name, format_type(s.seqtypid, NULL) AS type, s.seqstart::text AS start,
       s.seqincrement::text AS increment, s.seqmin::text AS minimum, s.seqmax::text AS maximum, s.seqcache::text AS cache,
       s.seqcycle AS cycle, o.schema AS owner_schema, o.name AS owner_table, o.column AS owner_column,
       coalesce(o.identity, false) AS identity, has_sequence_privilege(c.oid, 'SELECT') AS readable,
       obj_description(c.oid, 'pg_class') AS comment
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
    SELECT tn.nspname AS schema, t.relname AS name, a.attname AS column, d.deptype = 'i' AS identity
      FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
  ) o ON true
 WHERE c.oid = ANY ($1::oid[]) ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

export async function readSequences(client: pg.ClientBase, oids: readonly string[]): Promise<SequenceModel[]> {
  if (oids.length === 0) return [];
  const { rows } = await client.query<SequenceRow>(SEQUENCES, [oids]);
  const sequences: SequenceModel[] = [];
  for (const row of rows) {
    const name = { schema: row.schema, name: row.name };
    sequences.push({
      name,
      type: row.type,
      start: row.start,
      increment: row.increment,
      minimum: row.minimum,
      maximum: row.maximum,
      cache: row.cache,
      cycle: row.cycle,
      ownedBy:
        row.owner_schema === null
          ? undefined
          : { table: { schema: row.owner_schema, name: row.owner_table! }, column: row.owner_column! },
      identity: row.identity,
      value: row.readable ? await readValue(client, quoteTable(name)) : undefined,
      comment: row.comment ?? undefined,
    });
  }
  return sequences;
}

/** @param sequence quoted */
export async function readValue(client: pg.ClientBase, sequence: string): Promise<{ last: string; called: boolean }> {
  const { rows } = await client.query<{ last: string; called: boolean }>(
    `SELECT last_value::text AS last, is_called AS called FROM ${sequence}`,
  );
  return rows[0]!;
}
