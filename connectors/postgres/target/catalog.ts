import type { TableName } from '#schemas/tables.ts';

/** A column as the target's catalog has it. */
export interface CatalogColumn {
  readonly name: string;
  /** With its modifiers, as `format_type` prints it: numeric(14,2). */
  readonly type: string;
  /** A domain's is its own. */
  readonly typeOid: string;
  /**
   * Name of the type below all domains and without modifiers, quoted, for casts. An explicit cast to varchar(10) or to a domain over it
   * would cut a longer text silently; cast to the bare type, the assignment to the column refuses it. (Promise 4)
   */
  readonly cast: string;
  /** Of a domain: operators of some types (enums) are not found for it, only for the type below. */
  readonly domain: boolean;
  /**
   * What a text is cast to before it is compared with a value of the column: the type with its modifiers, which round numbers and times
   * as the column did. Not where they would cut (character, bit): nothing that was cut may find another row.
   */
  readonly compared: string;
  /**
   * A cast from text to the type is a function of its own, which need not read what the type's output prints (regclass: "-" and numbers).
   * The type's input function does.
   */
  readonly castByFunction: boolean;
  /** Schema of the operator that compares two values of the type, quoted: an extension's is not on the search path. */
  readonly equalsIn: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  /** Computed by the target: never written. */
  readonly generated: boolean;
  /** GENERATED ALWAYS AS IDENTITY: written only with OVERRIDING SYSTEM VALUE, never updated. */
  readonly identityAlways: boolean;
}

export interface CatalogForeignKey {
  /** Oid of the table it points to. */
  readonly references: string;
  /** pg_constraint.confdeltype and confupdtype: "c" cascades. */
  readonly onDelete: string;
  readonly onUpdate: string;
  readonly deferrable: boolean;
}

/** A table as the target's catalog has it. */
export interface CatalogTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** r: table, p: partitioned, v: view, f: foreign table. */
  readonly kind: string;
  /** Row security holds for our role: COPY would refuse. */
  readonly rowSecurity: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly primaryKey: readonly string[];
  /** Null without one. */
  readonly primaryKeyName: string | null;
  /** Columns of each unique index that can decide INSERT … ON CONFLICT. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** First columns of all usable indexes. */
  readonly indexed: readonly string[];
  readonly foreignKeys: readonly CatalogForeignKey[];
}

const columnsSql = `
  SELECT json_agg(json_build_object(
    'name', a.attname,
    'type', format_type(a.atttypid, a.atttypmod),
    'typeOid', a.atttypid::text,
    'cast', quote_ident(bn.nspname) || '.' || quote_ident(b.typname),
    'domain', b.oid <> a.atttypid,
    'compared', CASE WHEN coalesce(nullif(b.typelem, 0), b.oid) IN ('bpchar'::regtype, 'varchar'::regtype, 'bit'::regtype, 'varbit'::regtype)
      THEN quote_ident(bn.nspname) || '.' || quote_ident(b.typname) ELSE format_type(a.atttypid, a.atttypmod) END,
    'castByFunction', EXISTS (SELECT FROM pg_cast k JOIN pg_type l ON l.oid = b.typarray
      WHERE k.castsource = 'text'::regtype AND k.casttarget = b.oid AND k.castmethod = 'f' AND l.typdelim = ','
        AND b.oid NOT IN ('name'::regtype, '"char"'::regtype, 'xml'::regtype)),
    'equalsIn', quote_ident(coalesce((SELECT o.nspname FROM pg_operator e JOIN pg_namespace o ON o.oid = e.oprnamespace
      WHERE e.oprname = '=' AND e.oprleft = b.oid AND e.oprright = b.oid LIMIT 1), 'pg_catalog')),
    'notNull', a.attnotnull,
    'hasDefault', (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '',
    'generated', a.attgenerated <> '',
    'identityAlways', a.attidentity = 'a'
  ) ORDER BY a.attnum)
  FROM pg_attribute a
  CROSS JOIN LATERAL (
    WITH RECURSIVE below AS (
      SELECT t.oid, t.typtype, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid
      UNION ALL
      SELECT t.oid, t.typtype, t.typbasetype FROM below JOIN pg_type t ON t.oid = below.typbasetype WHERE below.typtype = 'd'
    ) SELECT oid FROM below WHERE typtype <> 'd'
  ) AS bare
  JOIN pg_type b ON b.oid = bare.oid
  JOIN pg_namespace bn ON bn.oid = b.typnamespace
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const keyColumns = (index: string): string => `
  (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(${index}.indkey) WITH ORDINALITY AS k (attnum, place)
   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE k.place <= ${index}.indnkeyatts)`;

const usable = `i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL`;

/** Gives one JSON text a table that is there; parameters: schemas and names, as arrays of equal length. */
export const catalogSql = `
SELECT json_build_object(
  'oid', c.oid::text,
  'schema', n.nspname,
  'name', c.relname,
  'kind', c.relkind,
  'rowSecurity', row_security_active(c.oid),
  'columns', coalesce((${columnsSql}), '[]'),
  'primaryKey', coalesce((SELECT ${keyColumns('i')} FROM pg_index i WHERE ${usable} AND i.indisprimary), '[]'),
  'primaryKeyName', (SELECT k.conname FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'),
  'uniqueKeys', coalesce((SELECT json_agg(${keyColumns('i')}) FROM pg_index i WHERE ${usable} AND i.indisunique AND i.indimmediate), '[]'),
  'indexed', coalesce((SELECT json_agg(DISTINCT a.attname) FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] WHERE ${usable}), '[]'),
  'foreignKeys', coalesce((SELECT json_agg(json_build_object('references', f.confrelid::text, 'onDelete', f.confdeltype,
    'onUpdate', f.confupdtype, 'deferrable', f.condeferrable)) FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'), '[]')
)::text
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (schema, name, place)
JOIN pg_namespace n ON n.nspname = wanted.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind IN ('r', 'p', 'v', 'f')
ORDER BY wanted.place`;

/** Parameters of {@link catalogSql} as array literals. */
export function catalogValues(tables: readonly TableName[]): [string, string] {
  return [arrayLiteral(tables.map(({ schema }) => schema)), arrayLiteral(tables.map(({ name }) => name))];
}

/** Reads the rows that {@link catalogSql} gives. */
export function readCatalog(rows: readonly (readonly (string | null)[])[]): CatalogTable[] {
  return rows.map(([text]) => JSON.parse(text!) as CatalogTable);
}

/** An array of names as the server reads it from a text. */
export function arrayLiteral(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`;
}
