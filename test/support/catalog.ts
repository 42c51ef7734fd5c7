import type { TestDatabase } from './database.ts';

/**
 * A database's schema as PostgreSQL itself prints it: one line an object, sorted; of two databases with the same lines nothing that a
 * user can see differs. Independent of how the product reads a catalog. Names that servers choose by themselves are left out where they
 * differ by design (indexes of partitions), and where columns stand.
 */
export async function describeCatalog(database: TestDatabase): Promise<string[]> {
  const client = await database.connect();
  try {
    await client.query(`SET search_path = pg_catalog; SET quote_all_identifiers = on`);
    const { rows } = await client.query<{ line: string }>(LINES);
    return rows.map(({ line }) => line);
  } finally {
    await client.end();
  }
}

const OURS = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_terrafusion')`;
const NOT_OF_EXTENSION = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;
const comment = (oid: string, catalog: string): string =>
  `coalesce(' -- ' || obj_description(${oid}, '${catalog}'), '')`;

const LINES = `
WITH tables AS (
  SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS title FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p') AND ${OURS} AND ${NOT_OF_EXTENSION('pg_class', 'c.oid')}
), lines AS (
  SELECT format('table %s kind %s persistence %s options %s identity %s key %s of %s %s%s', t.title, t.relkind, t.relpersistence,
      (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(t.reloptions) AS o), t.relreplident,
      CASE t.relkind WHEN 'p' THEN pg_get_partkeydef(t.oid) END,
      (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY 1) FROM pg_inherits i WHERE i.inhrelid = t.oid),
      pg_get_expr(t.relpartbound, t.oid), ${comment('t.oid', 'pg_class')}) AS line FROM tables t
  UNION ALL
  SELECT format('column %s.%I %s collation %s%s%s%s%s%s', t.title, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation,
      CASE WHEN a.attnotnull THEN ' not null' END, ' identity ' || nullif(a.attidentity::text, ''), ' generated ' || nullif(a.attgenerated::text, ''),
      ' = ' || pg_get_expr(d.adbin, d.adrelid), coalesce(' -- ' || col_description(t.oid, a.attnum), ''))
    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  UNION ALL
  SELECT format('constraint %s %s %s %s', t.title, CASE WHEN k.conparentid = 0 AND k.coninhcount = 0 THEN quote_ident(k.conname) END, pg_get_constraintdef(k.oid),
      ${comment('k.oid', 'pg_constraint')})
    FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype <> 't'
  UNION ALL
  SELECT format('index %s %s %s %s', t.title, CASE WHEN x.relispartition THEN 'of its parent' ELSE quote_ident(x.relname) END,
      regexp_replace(pg_get_indexdef(x.oid), '^.*? USING ', ''), ${comment('x.oid', 'pg_class')})
      || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || CASE WHEN i.indisreplident THEN ' identity' ELSE '' END || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
    FROM tables t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
  UNION ALL
  SELECT format('sequence %I.%I as %s start %s by %s from %s to %s cache %s cycle %s owner %s%s', n.nspname, c.relname, s.seqtypid::regtype, s.seqstart,
      s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
      (SELECT format('%s.%s %s', d.refobjid::regclass, a.attname, d.deptype) FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')), ${comment('c.oid', 'pg_class')})
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}
  UNION ALL
  SELECT format('type %s %s%s', format_type(t.oid, NULL), CASE t.typtype
      WHEN 'e' THEN (SELECT 'enum ' || string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)
      WHEN 'd' THEN format('domain over %s collation %s default %s not null %s: %s', format_type(t.typbasetype, t.typtypmod), t.typcollation::regcollation,
        pg_get_expr(t.typdefaultbin, 0), t.typnotnull, (SELECT string_agg(k.conname || ' ' || pg_get_constraintdef(k.oid), '; ' ORDER BY k.conname) FROM pg_constraint k WHERE k.contypid = t.oid))
      WHEN 'c' THEN (SELECT 'composite ' || string_agg(format('%I %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation), ', ' ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
      WHEN 'r' THEN (SELECT format('range over %s class %s collation %s canonical %s diff %s multirange %s', r.rngsubtype::regtype, o.opcname, r.rngcollation::regcollation,
        r.rngcanonical, r.rngsubdiff, r.rngmultitypid::regtype) FROM pg_range r JOIN pg_opclass o ON o.oid = r.rngsubopc WHERE r.rngtypid = t.oid) END, ${comment('t.oid', 'pg_type')})
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
   WHERE ${OURS} AND (t.typtype IN ('e', 'd', 'r') OR (t.typtype = 'c' AND c.relkind = 'c')) AND ${NOT_OF_EXTENSION('pg_type', 't.oid')}
  UNION ALL
  SELECT format('collation %I.%I %s', n.nspname, l.collname, to_jsonb(l) - 'oid' - 'collnamespace' - 'collowner' - 'collname') || ${comment('l.oid', 'pg_collation')}
    FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE ${OURS}
  UNION ALL
  SELECT format('extension %I in %I', e.extname, n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
)
SELECT line FROM lines ORDER BY line COLLATE "C"`;
