import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { advice, check, good } from '../check-results.ts';
import { quoteIdentifier, quoteTable } from '../identifiers.ts';
import { tablesWithoutIdentity } from './publication.ts';

interface TableFacts {
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly persistence: string;
  readonly may_use_schema: boolean;
  /** Columns that the role may not read; generated ones are not asked for. */
  readonly unreadable: readonly string[];
  readonly is_owner: boolean;
  readonly owner: string;
  readonly owner_is_superuser: boolean;
  readonly row_security: boolean;
  readonly identity: string;
  readonly generated: readonly string[];
  /** Partitioned tables that it is a part of. */
  readonly ancestors: readonly string[];
  /** Partitions that leave no trace in the WAL: foreign or unlogged ones. */
  readonly silent_parts: readonly string[];
  /** A unique index that could be the identity. */
  readonly candidate: string | null;
  readonly has_primary_key: boolean;
  readonly published: boolean;
  /** Columns of type "char", where the database is not in UTF8. */
  readonly single_bytes: readonly string[];
}

// The facts come through the oid: a schema without USAGE would make the privilege functions fail by name.
const FACTS = `
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relpersistence AS persistence,
       has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               AND NOT has_table_privilege(c.oid, 'SELECT') AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY a.attnum) AS unreadable,
       pg_has_role(c.relowner, 'USAGE') AS is_owner, pg_get_userbyid(c.relowner) AS owner,
       (SELECT rolsuper FROM pg_roles r WHERE r.oid = c.relowner) AS owner_is_superuser,
       row_security_active(c.oid) AS row_security, c.relreplident AS identity,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND a.attgenerated <> '' ORDER BY a.attnum) AS generated,
       ARRAY(SELECT format('%s.%s', an.nspname, ac.relname) FROM pg_partition_ancestors(c.oid) p JOIN pg_class ac ON ac.oid = p.relid
               JOIN pg_namespace an ON an.oid = ac.relnamespace WHERE p.relid <> c.oid) AS ancestors,
       ARRAY(SELECT format('%I.%I', ln.nspname, l.relname) FROM pg_partition_tree(c.oid) p JOIN pg_class l ON l.oid = p.relid
               JOIN pg_namespace ln ON ln.oid = l.relnamespace
              WHERE c.relkind = 'p' AND p.isleaf AND (l.relkind = 'f' OR l.relpersistence <> 'p') ORDER BY 1) AS silent_parts,
       (SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
           AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attnotnull
                              AND a.attnum = ANY ((i.indkey::int2[])[0 : i.indnkeyatts - 1]))
         ORDER BY i.indisprimary DESC, 1 LIMIT 1) AS candidate,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS has_primary_key,
       EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $3 AND r.prrelid = c.oid) AS published,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid = '"char"'::regtype
               AND current_setting('server_encoding') <> 'UTF8' ORDER BY a.attnum) AS single_bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN unnest($1::text[], $2::text[]) AS w(nspname, relname) ON w.nspname = n.nspname AND w.relname = c.relname`;

/** Everything about the tables that could keep them from being replicated whole. (CHECKLIST 9, 13) */
export async function tableChecks(
  client: pg.Client,
  tables: readonly TableName[],
  publication: string | undefined,
): Promise<Check[]> {
  const { rows } = await client.query<TableFacts>(FACTS, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
    publication ?? null,
  ]);
  const facts = new Map(rows.map((row) => [formatTableName(row), row]));
  const refused = new Map(
    (await tablesWithoutIdentity(client, tables)).map((table) => [formatTableName(table), table]),
  );
  const { rows: who } = await client.query<{ readonly role: string }>('SELECT current_user AS role');
  const role = quoteIdentifier(who[0]!.role);
  const names = new Set(tables.map(formatTableName));
  return tables.flatMap((table) => {
    const name = formatTableName(table);
    const found = facts.get(name);
    const not = found === undefined ? `There is no table ${name}.` : isNoTable(found);
    if (found === undefined || not !== undefined) {
      return [
        check(`table:${name}`, false, not!, {
          code: 'SOURCE_TABLE_MISSING',
          ...(found && { fix: 'Take the tables behind it into the pair; only permanent tables are in the WAL.' }),
        }),
      ];
    }
    return [
      good(`table:${name}`, `The table ${name} exists.`),
      ...rightsChecks(table, found, role),
      identityCheck(table, found, refused.get(name)),
      ...wholenessChecks(table, found, role, names),
    ];
  });
}

const kinds: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  S: 'a sequence',
  c: 'a composite type',
  i: 'an index',
  I: 'an index',
};

/** undefined: it is a table that lasts. */
function isNoTable(found: TableFacts): string | undefined {
  const name = formatTableName(found);
  const kind = kinds[found.kind];
  if (kind !== undefined) return `${name} is ${kind}: it cannot be replicated.`;
  return found.persistence === 't' ? `${name} is a temporary table: it cannot be replicated.` : undefined;
}

function rightsChecks(table: TableName, found: TableFacts, role: string): Check[] {
  const name = formatTableName(table);
  const sql = quoteTable(table);
  const { unreadable, may_use_schema } = found;
  const maySelect = may_use_schema && unreadable.length === 0;
  const lacking = !may_use_schema
    ? `The role may not use the schema of ${name}.`
    : `The role may not read ${unreadable.join(', ')} of ${name}.`;
  const may = found.is_owner || found.published;
  return [
    check(`privilege:${name}`, maySelect, maySelect ? `The role may read ${name}.` : lacking, {
      code: 'SOURCE_NO_PRIVILEGE',
      fix: `GRANT USAGE ON SCHEMA ${quoteIdentifier(table.schema)} TO ${role}; GRANT SELECT ON ${sql} TO ${role};`,
    }),
    check(
      `owner:${name}`,
      may,
      found.is_owner
        ? `${name} belongs to ${found.owner}, as whom we act.`
        : found.published
          ? `${name} belongs to ${found.owner}, and is published already.`
          : `${name} belongs to ${found.owner}.`,
      {
        code: 'SOURCE_NO_PRIVILEGE',
        // Nobody should be told to make a superuser of us.
        fix: found.owner_is_superuser
          ? `Only its owner may publish a table: give it to a role that is no superuser, and make ${role} a member of that role.`
          : `Only its owner may publish a table: GRANT ${quoteIdentifier(found.owner)} TO ${role};`,
      },
    ),
  ];
}

/** CHECKLIST 13: published without an identity, the source itself would refuse updates and deletes. (Promise 7) */
function identityCheck(
  table: TableName,
  found: TableFacts,
  refused: Awaited<ReturnType<typeof tablesWithoutIdentity>>[number] | undefined,
): Check {
  const name = formatTableName(table);
  const sql = quoteTable(table);
  if (refused === undefined || found.persistence !== 'p')
    return good(`identity:${name}`, `Rows of ${name} can be told apart.`);
  const options: string[] = [];
  if (found.has_primary_key && found.identity === 'n') options.push(`ALTER TABLE ${sql} REPLICA IDENTITY DEFAULT;`);
  else if (!found.has_primary_key) options.push('Add a primary key');
  if ((found.candidate !== null && found.identity !== 'd') || (found.candidate !== null && !found.has_primary_key))
    options.push(`ALTER TABLE ${sql} REPLICA IDENTITY USING INDEX ${quoteIdentifier(found.candidate)};`);
  options.push(
    `ALTER TABLE ${sql} REPLICA IDENTITY FULL; (every update and delete then writes the whole old row into the WAL; a table that only ever gets inserts pays nothing)`,
  );
  const part = refused.part === null ? '' : ` (on the partition, too: ${refused.part})`;
  return check(
    `identity:${name}`,
    false,
    refused.part === null
      ? `${name} has no primary key or other replica identity: its own updates and deletes would fail once it is published.`
      : `${name} has a partition without a replica identity: ${refused.part}.`,
    { code: 'SOURCE_TABLE_WITHOUT_KEY', fix: `${options.join(' or ')}${part}` },
  );
}

function wholenessChecks(table: TableName, found: TableFacts, role: string, pair: ReadonlySet<string>): Check[] {
  const name = formatTableName(table);
  const sql = quoteTable(table);
  const { generated, silent_parts: silent } = found;
  const root = found.ancestors.find((ancestor) => pair.has(ancestor));
  const logged = found.persistence === 'p' && silent.length === 0;
  return [
    check(
      `row_security:${name}`,
      !found.row_security,
      found.row_security
        ? `Row-level security hides rows of ${name} from the role.`
        : `All rows of ${name} are visible.`,
      { code: 'SOURCE_NO_PRIVILEGE', fix: `ALTER ROLE ${role} BYPASSRLS;` },
    ),
    check(
      `logged:${name}`,
      logged,
      logged
        ? `Changes of ${name} are in the WAL.`
        : silent.length > 0
          ? `${name} has partitions whose changes are not in the WAL: ${silent.join(', ')}.`
          : `${name} is unlogged: it leaves no trace in the WAL.`,
      {
        code: 'SOURCE_TABLE_WITHOUT_KEY',
        fix:
          silent.length > 0
            ? 'Make them permanent tables of this database, or detach them.'
            : `ALTER TABLE ${sql} SET LOGGED;`,
      },
    ),
    ...(root === undefined
      ? []
      : [
          check(
            `partition:${name}`,
            false,
            `${name} is a partition of ${root}, which is in the pair: its rows come by that name.`,
            { fix: 'Take the partition out of the pair.' },
          ),
        ]),
    ...(generated.length === 0
      ? []
      : [
          advice(
            `generated:${name}`,
            false,
            `${generated.join(', ')} of ${name} ${generated.length === 1 ? 'is' : 'are'} generated: the stream does not carry them.`,
            'Let the target generate them as well, or compute them in the pair.',
          ),
        ]),
    ...(found.single_bytes.length === 0
      ? []
      : [
          advice(
            `single_bytes:${name}`,
            false,
            `${found.single_bytes.join(', ')} of ${name} holds single bytes ("char"): one beyond ASCII is two in UTF-8, of which a target keeps the first.`,
            `ALTER TABLE ${sql} ${found.single_bytes.map((column) => `ALTER ${quoteIdentifier(column)} TYPE char(1)`).join(', ')};`,
          ),
        ]),
  ];
}

/** Whether our publication is still what we made: a filter, or a column list, would drop changes without a word. (Promise 2) */
export async function publicationCheck(client: pg.Client, publication: string): Promise<Check[]> {
  const { rows } = await client.query<{ all_tables: boolean; whole: boolean; tables: number; narrowed: string[] }>(
    `SELECT p.puballtables AS all_tables, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot AS whole,
            (SELECT count(*)::int FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS tables,
            -- Their columns are there from 15 on.
            ARRAY(SELECT r.prrelid::regclass::text FROM pg_publication_rel r
                   WHERE r.prpubid = p.oid AND coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') IS NOT NULL ORDER BY 1) AS narrowed
       FROM pg_publication p WHERE p.pubname = $1`,
    [publication],
  );
  const found = rows[0];
  if (found === undefined) return [];
  const name = quoteIdentifier(publication);
  const bad = found.all_tables
    ? 'was made for all tables by somebody else'
    : found.narrowed.length > 0
      ? `has a row filter or column list, which drops changes: ${found.narrowed.join(', ')}`
      : undefined;
  if (bad !== undefined) {
    return [
      check('publication', false, `Publication ${publication} ${bad}.`, {
        code: 'SOURCE_STATEMENT_FAILED',
        fix: found.all_tables
          ? `Drop it and start again: DROP PUBLICATION ${name};`
          : `ALTER PUBLICATION ${name} SET TABLE …, without WHERE and columns; then resync the tables.`,
      }),
    ];
  }
  return [
    advice(
      'publication',
      found.whole,
      found.whole
        ? `Publication ${publication} carries all changes of ${found.tables} tables.`
        : `Publication ${publication} does not carry all operations, or not by the root of partitioned tables.`,
      `It is put right when a pair starts; changes that were made meanwhile may be missing: ALTER PUBLICATION ${name} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true); and resync.`,
    ),
  ];
}
