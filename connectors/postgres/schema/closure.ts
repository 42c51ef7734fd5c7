import type pg from 'pg';

/** What tables rest on, as oids. */
export interface Closure {
  /** Enums, domains, composites and ranges of nobody's extension. */
  readonly types: readonly string[];
  readonly collations: readonly string[];
  /** Owned by the tables, or asked by their defaults. */
  readonly sequences: readonly string[];
  readonly extensions: readonly string[];
}

interface ReachedRow {
  readonly kind: 'pg_type' | 'pg_collation' | 'pg_class' | 'pg_extension';
  readonly oid: string;
}

/**
 * Follows pg_depend from the tables' columns, defaults, indexes and constraints to everything they name, and from there on. It is what
 * DROP … CASCADE rests on, so nothing that a definition needs can be missing from it. A foreign key leads to another table, which is no
 * matter of this one's shape: it is not followed, nor is any relation but sequences. What belongs to an extension comes with it.
 */
const CLOSURE = `
WITH RECURSIVE reached (classid, objid) AS (
  SELECT start.classid, start.objid FROM unnest($1::oid[]) AS t (oid), LATERAL (
    SELECT 'pg_class'::regclass::oid AS classid, t.oid AS objid
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d WHERE d.adrelid = t.oid
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype <> 'f'
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i WHERE i.indrelid = t.oid
    UNION ALL SELECT 'pg_class'::regclass, s.oid FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
      WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid AND d.deptype IN ('a', 'i')
  ) AS start
  UNION
  SELECT next.classid, next.objid FROM reached r, LATERAL (
    SELECT d.refclassid AS classid, d.refobjid AS objid FROM pg_depend d
     WHERE d.classid = r.classid AND d.objid = r.objid
       AND (d.refclassid <> 'pg_class'::regclass OR EXISTS (SELECT FROM pg_class s WHERE s.oid = d.refobjid AND s.relkind IN ('S', 'c')))
       AND d.refclassid NOT IN ('pg_namespace'::regclass, 'pg_constraint'::regclass)
    UNION ALL SELECT 'pg_class'::regclass, c.oid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
      WHERE r.classid = 'pg_type'::regclass AND t.oid = r.objid
    UNION ALL SELECT 'pg_constraint'::regclass, c.oid FROM pg_constraint c WHERE r.classid = 'pg_type'::regclass AND c.contypid = r.objid
    -- A multirange is told by its range.
    UNION ALL SELECT 'pg_type'::regclass, m.rngtypid FROM pg_range m WHERE r.classid = 'pg_type'::regclass AND m.rngmultitypid = r.objid
  ) AS next
)
SELECT r.classid::regclass::text AS kind, r.objid::text AS oid
  FROM reached r
 WHERE CASE r.classid
   WHEN 'pg_extension'::regclass THEN EXISTS (SELECT FROM pg_extension e WHERE e.oid = r.objid AND e.extname <> 'plpgsql')
   WHEN 'pg_type'::regclass THEN EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE t.oid = r.objid AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')))
   WHEN 'pg_collation'::regclass THEN true
   WHEN 'pg_class'::regclass THEN EXISTS (SELECT FROM pg_class c WHERE c.oid = r.objid AND c.relkind = 'S')
   ELSE false END
   AND (r.classid = 'pg_extension'::regclass
        OR NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = r.classid AND e.objid = r.objid AND e.deptype = 'e')
           AND r.objid >= 16384)`;

export async function readClosure(client: pg.ClientBase, tables: readonly string[]): Promise<Closure> {
  const { rows } = await client.query<ReachedRow>(CLOSURE, [tables]);
  const of = (kind: ReachedRow['kind']): string[] =>
    rows.filter((row) => row.kind.replaceAll('"', '') === kind).map(({ oid }) => oid);
  return {
    types: of('pg_type'),
    collations: of('pg_collation'),
    sequences: of('pg_class'),
    extensions: of('pg_extension'),
  };
}
