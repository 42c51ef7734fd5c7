import type pg from 'pg';
import type { CollationModel, ExtensionModel, TypeModel } from '#connectors/contract/schema.ts';
import { quoteLiteral } from '../identifiers.ts';

interface TypeRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: 'e' | 'd' | 'c' | 'r';
  readonly comment: string | null;
  /** Oids of the types it is made of, arrays taken for their elements. */
  readonly parts: readonly string[] | null;
  readonly labels: readonly string[] | null;
  readonly base: string;
  readonly collation: string | null;
  readonly not_null: boolean;
  readonly default: string | null;
  readonly checks: readonly { readonly name: string; readonly definition: string }[] | null;
  readonly attributes:
    readonly { readonly name: string; readonly type: string; readonly collation: string | null }[] | null;
  readonly range: { readonly subtype: string; readonly definition: string } | null;
}

/** A collation's name where it is not the one that values of the type have anyway. */
export const collationText = (collation: string, type: string): string => `
  (SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
    JOIN pg_type b ON b.oid = ${type} WHERE l.oid = ${collation} AND ${collation} <> b.typcollation)`;

/** The type below arrays. */
const element = (type: string): string => `
  (SELECT coalesce(nullif(CASE WHEN b.typcategory = 'A' THEN b.typelem ELSE 0 END, 0), b.oid)::text FROM pg_type b WHERE b.oid = ${type})`;

const TYPES = `
SELECT t.oid::text, n.nspname AS schema, t.typname AS name, t.typtype AS kind, obj_description(t.oid, 'pg_type') AS comment,
  CASE t.typtype
    WHEN 'd' THEN ARRAY[${element('t.typbasetype')}]
    WHEN 'c' THEN (SELECT array_agg(${element('a.atttypid')}) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    WHEN 'r' THEN (SELECT ARRAY[${element('r.rngsubtype')}] FROM pg_range r WHERE r.rngtypid = t.oid) END AS parts,
  (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid) AS labels,
  format_type(t.typbasetype, t.typtypmod) AS base,
  ${collationText('t.typcollation', 't.typbasetype')} AS collation,
  t.typnotnull AS not_null,
  pg_get_expr(t.typdefaultbin, 0) AS default,
  (SELECT json_agg(json_build_object('name', c.conname, 'definition', pg_get_constraintdef(c.oid)) ORDER BY c.conname COLLATE "C")
     FROM pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c') AS checks,
  CASE t.typtype WHEN 'c' THEN (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
      'collation', ${collationText('a.attcollation', 'a.atttypid')}) ORDER BY a.attnum)
     FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END AS attributes,
  CASE t.typtype WHEN 'r' THEN (SELECT json_build_object('subtype', format_type(r.rngsubtype, NULL), 'definition', concat_ws(', ',
      'SUBTYPE = ' || format_type(r.rngsubtype, NULL),
      'SUBTYPE_OPCLASS = ' || (SELECT quote_ident(on_.nspname) || '.' || quote_ident(o.opcname) FROM pg_opclass o
        JOIN pg_namespace on_ ON on_.oid = o.opcnamespace WHERE o.oid = r.rngsubopc AND NOT o.opcdefault),
      'COLLATION = ' || ${collationText('r.rngcollation', 'r.rngsubtype')},
      'CANONICAL = ' || nullif(r.rngcanonical::regproc::text, '-'),
      'SUBTYPE_DIFF = ' || nullif(r.rngsubdiff::regproc::text, '-'),
      'MULTIRANGE_TYPE_NAME = ' || (SELECT quote_ident(mn.nspname) || '.' || quote_ident(m.typname) FROM pg_type m
        JOIN pg_namespace mn ON mn.oid = m.typnamespace WHERE m.oid = r.rngmultitypid)))
     FROM pg_range r WHERE r.rngtypid = t.oid) END AS range
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.oid = ANY ($1::oid[]) ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C"`;

/** The types, each after those it is made of. */
export async function readTypes(client: pg.ClientBase, oids: readonly string[]): Promise<TypeModel[]> {
  if (oids.length === 0) return [];
  const { rows } = await client.query<TypeRow>(TYPES, [oids]);
  return inOrder(rows).map(typeOf);
}

function inOrder(rows: readonly TypeRow[]): TypeRow[] {
  const byOid = new Map(rows.map((row) => [row.oid, row]));
  const ordered = new Set<TypeRow>();
  const place = (row: TypeRow, above: ReadonlySet<TypeRow>): void => {
    // Types cannot be made of themselves.
    if (ordered.has(row) || above.has(row)) return;
    const within = new Set([...above, row]);
    for (const part of row.parts ?? []) {
      const found = byOid.get(part);
      if (found) place(found, within);
    }
    ordered.add(row);
  };
  for (const row of rows) place(row, new Set());
  return [...ordered];
}

function typeOf(row: TypeRow): TypeModel {
  const head = { name: { schema: row.schema, name: row.name }, comment: row.comment ?? undefined };
  switch (row.kind) {
    case 'e':
      return { ...head, kind: 'enum', labels: row.labels ?? [] };
    case 'd':
      return {
        ...head,
        kind: 'domain',
        base: row.base,
        collation: row.collation ?? undefined,
        notNull: row.not_null,
        default: row.default ?? undefined,
        checks: row.checks ?? [],
      };
    case 'c':
      return {
        ...head,
        kind: 'composite',
        attributes: (row.attributes ?? []).map((each) => ({ ...each, collation: each.collation ?? undefined })),
      };
    case 'r':
      return { ...head, kind: 'range', ...row.range! };
  }
}

interface CollationRow {
  readonly schema: string;
  readonly name: string;
  readonly comment: string | null;
  /** The catalog's row: its columns differ from version to version. */
  readonly row: Readonly<Record<string, string | boolean | null>>;
}

const COLLATIONS = `
SELECT n.nspname AS schema, l.collname AS name, obj_description(l.oid, 'pg_collation') AS comment, to_jsonb(l) AS row
  FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
 WHERE l.oid = ANY ($1::oid[]) ORDER BY n.nspname COLLATE "C", l.collname COLLATE "C"`;

export async function readCollations(client: pg.ClientBase, oids: readonly string[]): Promise<CollationModel[]> {
  if (oids.length === 0) return [];
  const { rows } = await client.query<CollationRow>(COLLATIONS, [oids]);
  return rows.map(({ schema, name, comment, row }) => ({
    name: { schema, name },
    definition: collationDefinition(row),
    comment: comment ?? undefined,
  }));
}

/** Up to 14 an ICU locale stands in collcollate, then in colliculocale, from 17 in colllocale. */
function collationDefinition(row: CollationRow['row']): string {
  const text = (name: string): string | undefined => {
    const value = row[name];
    return typeof value === 'string' && value !== '' ? quoteLiteral(value) : undefined;
  };
  const parts: string[] = [];
  if (row['collprovider'] === 'c') {
    parts.push('PROVIDER = libc', `LC_COLLATE = ${text('collcollate')}`, `LC_CTYPE = ${text('collctype')}`);
  } else {
    const provider = row['collprovider'] === 'b' ? 'builtin' : 'icu';
    const locale = text('colllocale') ?? text('colliculocale') ?? text('collcollate');
    parts.push(`PROVIDER = ${provider}`, `LOCALE = ${locale}`);
    const rules = text('collicurules');
    if (rules !== undefined) parts.push(`RULES = ${rules}`);
  }
  if (row['collisdeterministic'] === false) parts.push('DETERMINISTIC = false');
  return parts.join(', ');
}

export async function readExtensions(client: pg.ClientBase, oids: readonly string[]): Promise<ExtensionModel[]> {
  if (oids.length === 0) return [];
  const { rows } = await client.query<{ name: string; schema: string; version: string }>(
    `SELECT e.extname AS name, n.nspname AS schema, e.extversion AS version
       FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
      WHERE e.oid = ANY ($1::oid[]) ORDER BY e.extname COLLATE "C"`,
    [oids],
  );
  return rows.map((row) => ({ ...row }));
}
