import type pg from 'pg';
import type { ColumnType } from '#connectors/contract/source.ts';
import { sourceTable, type SourceTable } from '#schemas/source-tables.ts';

/**
 * An SQL expression that gives the tables of these oids as JSON, in the words of `schemas/source-tables.ts`. The same text is part of
 * the event trigger's function, so that both ways of seeing a change see the same.
 * @param oids SQL of an oid[]
 */
export const statesSql = (oids: string): string => `
(SELECT coalesce(jsonb_agg(jsonb_build_object(
  'relation_id', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'identity', c.relreplident,
  'permanent', c.relpersistence = 'p', 'partition', c.relispartition,
  'primary_key', coalesce((SELECT jsonb_agg(k.attnum ORDER BY k.place) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts), '[]'),
  'columns', coalesce((SELECT jsonb_agg(jsonb_build_object(
      'attnum', a.attnum, 'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'type_oid', a.atttypid::int8, 'typmod', a.atttypmod,
      'not_null', a.attnotnull, 'default', CASE a.attgenerated WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'has_missing', a.atthasmissing, 'missing', (a.attmissingval::text::text[])[1], 'generated', a.attgenerated <> '', 'identity', a.attidentity <> '',
      'key', c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indimmediate
        AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
        AND a.attnum = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1]))) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'),
  'enums', coalesce((SELECT jsonb_agg(jsonb_build_object('type', format_type(e.oid, NULL), 'labels',
      (SELECT jsonb_agg(jsonb_build_object('oid', l.oid::int8, 'label', l.enumlabel) ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = e.oid)) ORDER BY e.oid)
    FROM pg_type e WHERE e.typtype = 'e' AND EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND e.oid IN (t.oid, t.typelem))), '[]'),
  'partitions', CASE c.relkind WHEN 'p' THEN coalesce((SELECT jsonb_agg(jsonb_build_object('relation_id', p.relid::int8,
      'rows', pg_get_partition_constraintdef(p.relid), 'name', l.relname, 'parent', u.relname, 'bound', pg_get_expr(l.relpartbound, l.oid)) ORDER BY p.relid::oid) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
      JOIN pg_class u ON u.oid = p.parentrelid WHERE p.isleaf AND p.relid <> c.oid), '[]')
    ELSE '[]' END
) ORDER BY c.oid), '[]')
 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = ANY (${oids}) AND c.relkind IN ('r', 'p'))`;

/** The tables as they stand now; those that are not there any more are left out. */
export async function readStates(client: pg.ClientBase, relationIds: readonly number[]): Promise<SourceTable[]> {
  const { rows } = await client.query<{ readonly states: unknown }>(`SELECT ${statesSql('$1::oid[]')} AS states`, [
    relationIds,
  ]);
  return sourceTable.array().parse(rows[0]!.states);
}

/** What `format_type` makes of each; undefined for a type that is gone. */
export async function readTypeNames(
  client: pg.ClientBase,
  types: readonly ColumnType[],
): Promise<(string | undefined)[]> {
  const { rows } = await client.query<{ readonly name: string | null }>(
    `SELECT CASE WHEN EXISTS (SELECT FROM pg_type t WHERE t.oid = w.oid) THEN format_type(w.oid, w.typmod) END AS name
       FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS w (oid, typmod, place) ORDER BY place`,
    [types.map(({ oid }) => oid), types.map(({ typmod }) => typmod)],
  );
  return rows.map(({ name }) => name ?? undefined);
}
