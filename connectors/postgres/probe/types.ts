import type pg from 'pg';

/** What is known of a type: enough to put its values together. */
export type TypeFacts =
  | { readonly kind: 'base'; readonly name: string }
  | { readonly kind: 'domain'; readonly base: number; readonly baseTypmod: number }
  | { readonly kind: 'enum'; readonly labels: readonly string[] }
  | { readonly kind: 'row'; readonly attributes: readonly { readonly oid: number; readonly typmod: number }[] }
  | { readonly kind: 'range' | 'multirange'; readonly element: number }
  | { readonly kind: 'array'; readonly element: number; readonly delimiter: string };

interface Row {
  readonly oid: string;
  readonly name: string;
  readonly kind: TypeFacts['kind'];
  readonly element: string | null;
  readonly delimiter: string;
  readonly base_typmod: number;
  readonly labels: readonly string[] | null;
  readonly attributes: readonly { readonly oid: number; readonly typmod: number }[] | null;
}

/** The types of these oids, and all that they are made of. */
const CLOSURE = `
WITH RECURSIVE needed(oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT part.oid FROM needed n JOIN pg_type t ON t.oid = n.oid CROSS JOIN LATERAL (
    SELECT t.typbasetype WHERE t.typtype = 'd'
    UNION ALL SELECT t.typelem WHERE t.typelem <> 0 AND t.typsubscript = 'array_subscript_handler'::regproc
    UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
    UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
    UNION ALL SELECT a.atttypid FROM pg_attribute a
               WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
  ) AS part(oid)
)
SELECT t.oid::text, t.typname AS name, t.typtypmod AS base_typmod, el.typdelim AS delimiter,
       CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' WHEN 'c' THEN 'row' WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange'
         ELSE CASE WHEN el.oid IS NULL OR t.typname IN ('int2vector', 'oidvector') THEN 'base' ELSE 'array' END END AS kind,
       coalesce(el.oid, r.rngsubtype, (SELECT m.rngtypid FROM pg_range m WHERE m.rngmultitypid = t.oid), nullif(t.typbasetype, 0))::text AS element,
       (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
       (SELECT json_agg(json_build_object('oid', a.atttypid::int8, 'typmod', a.atttypmod) ORDER BY a.attnum)
          FROM pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS attributes
  FROM needed n JOIN pg_type t ON t.oid = n.oid
       LEFT JOIN pg_range r ON r.rngtypid = t.oid
       LEFT JOIN pg_type el ON el.oid = t.typelem AND t.typsubscript = 'array_subscript_handler'::regproc`;

/** Reads the types and everything that they are made of. @throws the driver's errors */
export async function readTypes(client: pg.Client, oids: readonly number[]): Promise<ReadonlyMap<number, TypeFacts>> {
  const { rows } = await client.query<Row>(CLOSURE, [[...new Set(oids)]]);
  return new Map(rows.map((row) => [Number(row.oid), factsOf(row)]));
}

function factsOf({ name, kind, element, delimiter, base_typmod, labels, attributes }: Row): TypeFacts {
  switch (kind) {
    case 'base':
      return { kind, name };
    case 'domain':
      return { kind, base: Number(element), baseTypmod: base_typmod };
    case 'enum':
      return { kind, labels: labels ?? [] };
    case 'row':
      return { kind, attributes: attributes ?? [] };
    case 'range':
    case 'multirange':
      return { kind, element: Number(element) };
    case 'array':
      return { kind, element: Number(element), delimiter };
  }
}
