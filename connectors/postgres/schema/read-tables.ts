import type pg from 'pg';
import type {
  ColumnModel,
  ConstraintModel,
  ForeignKeyAction,
  IndexModel,
  SkippedObject,
  TableModel,
} from '#connectors/contract/schema.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { collationText } from './read-types.ts';

/** The named tables and all below those that are partitioned. */
export interface FoundTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
}

/** Partitions after their parents; one whose parent is not among them stands by itself. */
export async function findTables(client: pg.ClientBase, tables: readonly TableName[]): Promise<FoundTable[]> {
  const { rows } = await client.query<FoundTable>(
    `WITH named AS (
       SELECT c.oid, c.relkind, w.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, place)
         JOIN pg_namespace n ON n.nspname = w.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
        WHERE c.relkind IN ('r', 'p')
     ), found AS (
       SELECT oid, place, 0 AS level FROM named
       UNION ALL
       SELECT p.relid, named.place, p.level FROM named, pg_partition_tree(named.oid) p WHERE named.relkind = 'p' AND p.level > 0
     )
     SELECT c.oid::text, n.nspname AS schema, c.relname AS name
       FROM (SELECT oid, min(place) AS place, max(level) AS level FROM found GROUP BY oid) f
       JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') ORDER BY f.level, f.place, n.nspname COLLATE "C", c.relname COLLATE "C"`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return rows;
}

interface ColumnRow {
  readonly name: string;
  readonly type: string;
  readonly collation: string | null;
  readonly not_null: boolean;
  readonly not_null_name: string | null;
  readonly identity: '' | 'a' | 'd';
  readonly generated: '' | 's' | 'v';
  readonly expression: string | null;
  /** Of an identity, or the only one that a default asks. */
  readonly sequence: TableName | null;
  readonly comment: string | null;
}

interface ConstraintRow {
  readonly name: string;
  readonly kind: 'p' | 'u' | 'x' | 'c' | 'n' | 'f';
  readonly definition: string;
  readonly columns: readonly string[];
  readonly deferrable: boolean;
  readonly deferred: boolean;
  readonly validated: boolean;
  readonly enforced: boolean;
  readonly period: boolean;
  readonly plain: boolean;
  readonly references: TableName | null;
  readonly referenced: readonly string[] | null;
  readonly match: string;
  readonly on_update: string;
  readonly on_delete: string;
  readonly on_delete_columns: readonly string[] | null;
  readonly comment: string | null;
}

interface IndexRow {
  readonly name: string;
  readonly unique: boolean;
  readonly definition: string;
  readonly prefix: string;
  readonly columns: readonly string[] | null;
  readonly plain: boolean;
  readonly valid: boolean;
  readonly comment: string | null;
}

interface TableRow {
  readonly schema: string;
  readonly name: string;
  readonly unlogged: boolean;
  readonly partition_key: string | null;
  readonly parent: TableName | null;
  readonly bound: string | null;
  readonly options: readonly string[] | null;
  readonly identity: 'd' | 'f' | 'n' | 'i';
  readonly identity_index: string | null;
  readonly columns: readonly ColumnRow[] | null;
  readonly constraints: readonly ConstraintRow[] | null;
  readonly indexes: readonly IndexRow[] | null;
  readonly comment: string | null;
  readonly triggers: readonly string[] | null;
  readonly rules: readonly string[] | null;
  readonly row_security: boolean;
  readonly inherits: readonly TableName[] | null;
  readonly statistics: readonly TableName[] | null;
  readonly foreign_partitions: readonly TableName[] | null;
}

const nameJson = (schema: string, name: string): string => `json_build_object('schema', ${schema}, 'name', ${name})`;
/** Names of a table's columns by their numbers. */
const columnNames = (relation: string, numbers: string): string => `
  coalesce((SELECT json_agg(a.attname ORDER BY nth.place) FROM unnest(${numbers}) WITH ORDINALITY AS nth (attnum, place)
    JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = nth.attnum), '[]')`;
/** A column of newer catalogs, by name: older servers do not have it. */
const newer = (row: string, column: string, otherwise: boolean): string =>
  `coalesce((to_jsonb(${row}) ->> '${column}')::boolean, ${otherwise})`;

const COLUMNS = `
  SELECT json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'collation', ${collationText('a.attcollation', 'a.atttypid')},
    'not_null', a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint nn WHERE nn.conrelid = c.oid AND nn.contype = 'n'
      AND nn.conkey = ARRAY[a.attnum] AND (NOT nn.convalidated OR nn.connoinherit)),
    'not_null_name', (SELECT nn.conname FROM pg_constraint nn WHERE nn.conrelid = c.oid AND nn.contype = 'n' AND nn.conkey = ARRAY[a.attnum]
      AND nn.convalidated AND NOT nn.connoinherit AND nn.conname <> concat(c.relname, '_', a.attname, '_not_null')),
    'identity', a.attidentity, 'generated', a.attgenerated, 'expression', pg_get_expr(d.adbin, d.adrelid),
    'sequence', CASE WHEN a.attidentity <> '' THEN
        (SELECT ${nameJson('sn.nspname', 's.relname')} FROM pg_depend i JOIN pg_class s ON s.oid = i.objid AND s.relkind = 'S'
           JOIN pg_namespace sn ON sn.oid = s.relnamespace
          WHERE i.classid = 'pg_class'::regclass AND i.refclassid = 'pg_class'::regclass AND i.refobjid = c.oid
            AND i.refobjsubid = a.attnum AND i.deptype = 'i')
      ELSE (SELECT CASE count(*) WHEN 1 THEN min(${nameJson('sn.nspname', 's.relname')}::text) END::json
          FROM pg_depend i JOIN pg_class s ON s.oid = i.refobjid AND s.relkind = 'S' JOIN pg_namespace sn ON sn.oid = s.relnamespace
          WHERE i.classid = 'pg_attrdef'::regclass AND i.objid = d.oid AND i.refclassid = 'pg_class'::regclass) END,
    'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

/** What a partition has from a parent that is told as well comes with it. A foreign key to a partitioned table has copies for each partition. */
const CONSTRAINTS = `
  SELECT json_agg(json_build_object(
    'name', k.conname, 'kind', k.contype, 'definition', pg_get_constraintdef(k.oid), 'columns', ${columnNames('c.oid', 'k.conkey')},
    'deferrable', k.condeferrable, 'deferred', k.condeferred, 'validated', k.convalidated,
    'enforced', ${newer('k', 'conenforced', true)}, 'period', ${newer('k', 'conperiod', false)},
    'plain', NOT k.condeferrable AND NOT ${newer('k', 'conperiod', false)} AND EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = k.conindid
      AND i.indnatts = i.indnkeyatts AND NOT ${newer('i', 'indnullsnotdistinct', false)}),
    'references', CASE k.contype WHEN 'f' THEN (SELECT ${nameJson('fn.nspname', 'f.relname')} FROM pg_class f
      JOIN pg_namespace fn ON fn.oid = f.relnamespace WHERE f.oid = k.confrelid) END,
    'referenced', ${columnNames('k.confrelid', 'k.confkey')}, 'match', k.confmatchtype, 'on_update', k.confupdtype, 'on_delete', k.confdeltype,
    'on_delete_columns', (SELECT json_agg(a.attname ORDER BY s.place) FROM jsonb_array_elements_text(
      CASE jsonb_typeof(to_jsonb(k) -> 'confdelsetcols') WHEN 'array' THEN to_jsonb(k) -> 'confdelsetcols' ELSE '[]' END) WITH ORDINALITY AS s (attnum, place)
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.attnum::int2),
    'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname COLLATE "C")
  FROM pg_constraint k
  WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x', 'c', 'n', 'f')
    AND (k.contype <> 'n' OR NOT k.convalidated OR k.connoinherit)
    AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid AND (p.conrelid = c.oid OR p.conrelid = ANY ($1::oid[])))
    AND (k.coninhcount = 0 OR k.contype IN ('p', 'u', 'x', 'f') OR parent.oid IS NULL)`;

const INDEXES = `
  SELECT json_agg(json_build_object(
    'name', x.relname, 'unique', i.indisunique, 'definition', pg_get_indexdef(i.indexrelid),
    'prefix', format('CREATE %sINDEX %I ON %s%I.%I ', CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, x.relname,
      CASE x.relkind WHEN 'I' THEN 'ONLY ' ELSE '' END, n.nspname, c.relname),
    'columns', CASE WHEN i.indexprs IS NULL THEN
      ${columnNames('c.oid', '(i.indkey::int2[])[0 : i.indnkeyatts - 1]')} END,
    'plain', i.indexprs IS NULL AND i.indpred IS NULL AND i.indnatts = i.indnkeyatts AND x.reloptions IS NULL
      AND NOT ${newer('i', 'indnullsnotdistinct', false)} AND am.amname = 'btree'
      AND 0 = ALL (i.indoption::int2[]) AND NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) AS u (oid) JOIN pg_opclass o ON o.oid = u.oid WHERE NOT o.opcdefault)
      AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS u (attnum, coll)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum WHERE u.coll <> a.attcollation),
    'valid', i.indisvalid, 'comment', obj_description(x.oid, 'pg_class')) ORDER BY x.relname COLLATE "C")
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam
  WHERE i.indrelid = c.oid AND i.indislive
    AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x'))
    AND NOT EXISTS (SELECT FROM pg_inherits h JOIN pg_index p ON p.indexrelid = h.inhparent WHERE h.inhrelid = i.indexrelid AND p.indrelid = ANY ($1::oid[]))`;

const TABLES = `
SELECT n.nspname AS schema, c.relname AS name, c.relpersistence = 'u' AS unlogged,
       CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       CASE WHEN parent.oid IS NOT NULL THEN ${nameJson('parent.nspname', 'parent.relname')} END AS parent,
       CASE WHEN parent.oid IS NOT NULL THEN pg_get_expr(c.relpartbound, c.oid) END AS bound,
       c.reloptions AS options, c.relreplident AS identity,
       (SELECT x.relname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) AS identity_index,
       (${COLUMNS}) AS columns, (${CONSTRAINTS}) AS constraints, (${INDEXES}) AS indexes,
       obj_description(c.oid, 'pg_class') AS comment,
       (SELECT json_agg(t.tgname ORDER BY t.tgname COLLATE "C") FROM pg_trigger t
         WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND (t.tgparentid = 0 OR parent.oid IS NULL)) AS triggers,
       (SELECT json_agg(r.rulename ORDER BY r.rulename COLLATE "C") FROM pg_rewrite r WHERE r.ev_class = c.oid) AS rules,
       c.relrowsecurity AS row_security,
       (SELECT json_agg(${nameJson('hn.nspname', 'h.relname')}) FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhparent AND h.relkind = 'r'
         JOIN pg_namespace hn ON hn.oid = h.relnamespace WHERE i.inhrelid = c.oid) AS inherits,
       (SELECT json_agg(${nameJson('xn.nspname', 'x.stxname')}) FROM pg_statistic_ext x JOIN pg_namespace xn ON xn.oid = x.stxnamespace
         WHERE x.stxrelid = c.oid) AS statistics,
       (SELECT json_agg(${nameJson('hn.nspname', 'h.relname')}) FROM pg_inherits i JOIN pg_class h ON h.oid = i.inhrelid AND h.relkind = 'f'
         JOIN pg_namespace hn ON hn.oid = h.relnamespace WHERE i.inhparent = c.oid AND c.relkind = 'p') AS foreign_partitions
  FROM unnest($1::oid[]) WITH ORDINALITY AS w (oid, place)
  JOIN pg_class c ON c.oid = w.oid JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (SELECT p.oid, pn.nspname, p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
    JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid AND c.relispartition AND p.oid = ANY ($1::oid[])) parent ON true
 ORDER BY w.place`;

export async function readTables(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<{ readonly tables: TableModel[]; readonly notCarried: SkippedObject[] }> {
  if (oids.length === 0) return { tables: [], notCarried: [] };
  const { rows } = await client.query<TableRow>(TABLES, [oids]);
  return { tables: rows.map(tableOf), notCarried: rows.flatMap(notCarriedOf) };
}

function tableOf(row: TableRow): TableModel {
  const inherited = row.parent !== null;
  return {
    name: { schema: row.schema, name: row.name },
    unlogged: row.unlogged,
    columns: (row.columns ?? []).map((column) => columnOf(column, inherited)),
    partitionKey: row.partition_key ?? undefined,
    partitionOf: row.parent === null ? undefined : { table: row.parent, bound: row.bound! },
    options: row.options ?? [],
    replicaIdentity: replicaIdentityOf(row),
    constraints: (row.constraints ?? []).map(constraintOf),
    indexes: (row.indexes ?? []).filter(({ valid }) => valid).map(indexOf),
    comment: row.comment ?? undefined,
  };
}

function replicaIdentityOf({ identity, identity_index: index }: TableRow): TableModel['replicaIdentity'] {
  if (identity === 'i') return index === null ? { kind: 'nothing' } : { kind: 'index', index };
  return { kind: ({ d: 'default', f: 'full', n: 'nothing' } as const)[identity] };
}

function columnOf(row: ColumnRow, inherited: boolean): ColumnModel {
  return {
    name: row.name,
    type: row.type,
    collation: row.collation ?? undefined,
    notNull: row.not_null,
    notNullName: row.not_null_name ?? undefined,
    value: valueOf(row, inherited),
    comment: row.comment ?? undefined,
  };
}

/** All of it, with names quoted or not: a default that does more than ask a sequence is an expression like any other. */
const NEXT_OF_ONE = /^"?nextval"?\(' ?(?:[^']|'')*'::"?regclass"?\)$/;

function valueOf(row: ColumnRow, inherited: boolean): ColumnModel['value'] {
  if (row.identity !== '') {
    // A partition has its identity from the root.
    if (inherited || row.sequence === null) return { kind: 'none' };
    return { kind: 'identity', always: row.identity === 'a', sequence: row.sequence };
  }
  if (row.expression === null) return { kind: 'none' };
  if (row.generated !== '') return { kind: 'generated', expression: row.expression, stored: row.generated === 's' };
  if (row.sequence !== null && NEXT_OF_ONE.test(row.expression)) return { kind: 'sequence', sequence: row.sequence };
  return { kind: 'default', expression: row.expression };
}

const ACTIONS: Readonly<Record<string, ForeignKeyAction>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

function constraintOf(row: ConstraintRow): ConstraintModel {
  const { name, definition } = row;
  const comment = row.comment ?? undefined;
  switch (row.kind) {
    case 'p':
    case 'u':
    case 'x': {
      const kind = ({ p: 'primary', u: 'unique', x: 'exclusion' } as const)[row.kind];
      return { kind, name, comment, columns: row.columns, definition, plain: row.plain && row.kind !== 'x' };
    }
    case 'c':
    case 'n':
      return { kind: row.kind === 'c' ? 'check' : 'notNull', name, comment, columns: row.columns, definition };
    case 'f':
      return {
        kind: 'foreign',
        name,
        comment,
        columns: row.columns,
        references: row.references!,
        referencedColumns: row.referenced ?? [],
        period: row.period,
        matchFull: row.match === 'f',
        onUpdate: ACTIONS[row.on_update] ?? 'NO ACTION',
        onDelete: ACTIONS[row.on_delete] ?? 'NO ACTION',
        onDeleteColumns: row.on_delete_columns ?? [],
        deferrable: row.deferrable,
        deferred: row.deferred,
        validated: row.validated,
        enforced: row.enforced,
      };
  }
}

function indexOf({ name, unique, definition, prefix, columns, plain, comment }: IndexRow): IndexModel {
  if (!definition.startsWith(prefix))
    throw new Error(`an index definition that does not begin as expected: ${definition}`);
  return {
    name,
    unique,
    definition: definition.slice(prefix.length),
    columns: columns ?? [],
    plain,
    comment: comment ?? undefined,
  };
}

const BY_DESIGN = 'Nothing needs to be done.';

function notCarriedOf(row: TableRow): SkippedObject[] {
  const table = formatTableName(row);
  const skipped: SkippedObject[] = [];
  for (const trigger of row.triggers ?? [])
    skipped.push({
      object: `trigger ${trigger} on ${table}`,
      reason:
        'Triggers are not copied, by design: what they did at the source arrives as changes, and would be done twice.',
      fix: `${BY_DESIGN} Create it at the target if it is wanted there all the same.`,
    });
  for (const rule of row.rules ?? [])
    skipped.push({
      object: `rule ${rule} on ${table}`,
      reason: 'Rules are not copied, by design: what they did at the source arrives as changes.',
      fix: BY_DESIGN,
    });
  if (row.row_security)
    skipped.push({
      object: `row security of ${table}`,
      reason: 'Policies are not copied, by design: they name roles of the source.',
      fix: 'Enable row security and create policies at the target if its readers need them; the role that writes must bypass them.',
    });
  for (const parent of row.inherits ?? [])
    skipped.push({
      object: `inheritance of ${table} from ${formatTableName(parent)}`,
      reason: 'Both are made as tables of their own: a change to the parent must not meet the rows of its children.',
      fix: `${BY_DESIGN} A view over both shows the rows together.`,
    });
  for (const statistics of row.statistics ?? [])
    skipped.push({
      object: `statistics ${formatTableName(statistics)} on ${table}`,
      reason: 'Extended statistics are not copied, by design: they are a matter of how the target is asked.',
      fix: 'Create them at the target if its queries need them.',
    });
  for (const partition of row.foreign_partitions ?? [])
    skipped.push({
      object: `partition ${formatTableName(partition)} of ${table}`,
      reason: 'It is a foreign table: its rows lie at another server and leave no trace in the WAL.',
      fix: 'Pair the server that holds them.',
    });
  for (const { name, valid } of row.indexes ?? [])
    if (!valid)
      skipped.push({
        object: `index ${formatTableName({ schema: row.schema, name })}`,
        reason: 'It is not valid at the source: building it was cut off there.',
        fix: 'REINDEX it at the source, or drop it; then create it at the target.',
      });
  return skipped;
}
