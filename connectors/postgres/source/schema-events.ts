import type pg from 'pg';
import { SCHEMA_PREFIX } from '#schemas/source-tables.ts';
import { quoteIdentifier, quoteLiteral } from '../identifiers.ts';
import { statesSql } from './table-states.ts';

/** Where we keep what we make at a source beside slot and publication: functions, no tables. */
const SCHEMA = '_terrafusion';

/** Commands after which a table may look otherwise. */
const TAGS = [
  'CREATE TABLE',
  'CREATE TABLE AS',
  'SELECT INTO',
  'CREATE SCHEMA',
  'ALTER TABLE',
  'ALTER TYPE',
  'ALTER SCHEMA',
];

/*
 * The decoder dates a message by the end of its WAL record, a row by its beginning (logicalmsg_decode in decode.c), and orders the changes of a
 * transaction's subtransactions by that: the row that follows a message at once, in another subtransaction, has the same date and may come first. The
 * functions below run in a subtransaction of their own, so something that belongs to no transaction is written between the two.
 */

/** What is made for a publication: its triggers carry its name, so that two installations at one source do not meet. */
const names = (publication: string) => ({
  altered: `${publication}_altered`,
  dropped: `${publication}_dropped`,
  rewritten: `${publication}_rewritten`,
});

/**
 * Functions of event triggers that put into the stream what a command has made of tables, in the midst of the command's transaction.
 *
 * Promise 7: whatever goes wrong in them, the source's command goes on; the stream's own announcements are compared all the same. They run with
 * the rights of our role, since whoever alters a table need not see ours; nothing but pg_catalog is on their search path.
 */
function functionsSql(publication: string): string[] {
  const { altered, dropped, rewritten } = names(publication);
  const create = (name: string, declare: string, body: string): string =>
    `CREATE OR REPLACE FUNCTION ${SCHEMA}.${quoteIdentifier(name)}() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER
       SET search_path = pg_catalog, pg_temp AS ${quoteLiteral(`DECLARE ${declare} BEGIN BEGIN ${body} EXCEPTION WHEN OTHERS THEN NULL; END; END`)}`;
  const rememberedIn = quoteLiteral(`terrafusion.${publication}_rewritten`);
  /** @param oids an oid[] that may be NULL, `gone` another */
  const tell = (oids: string, gone: string, rewrote: string): string => `
    SELECT array_agg(DISTINCT k.oid) INTO ${oids} FROM (
      SELECT o FROM unnest(${oids}) o UNION SELECT pg_partition_root(o) FROM unnest(${oids}) o) AS w (oid)
      JOIN pg_class k ON k.oid = w.oid JOIN pg_namespace n ON n.oid = k.relnamespace
     WHERE k.relkind IN ('r', 'p') AND k.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '${SCHEMA}');
    IF ${oids} IS NOT NULL OR ${gone} IS NOT NULL THEN
      PERFORM pg_logical_emit_message(true, '${SCHEMA_PREFIX}', jsonb_build_object('version', 1, 'command', tg_tag,
        'tables', ${statesSql(oids)}, 'dropped', to_jsonb(coalesce(${gone}::int8[], '{}')), 'rewritten', to_jsonb(coalesce(${rewrote}::int8[], '{}')),
        'by_expression', NOT (current_query() ~* '^\\s*alter\\s+table\\s' AND current_query() !~* 'using'
           AND position(';' IN rtrim(current_query(), E'; \\t\\r\\n')) = 0))::text);
      PERFORM pg_logical_emit_message(false, 'terrafusion.after', '');
    END IF;`;
  return [
    create(
      altered,
      'oids oid[]; gone oid[]; rewrote oid[];',
      `SELECT array_agg(o.oid) INTO oids FROM (
         SELECT c.objid FROM pg_event_trigger_ddl_commands() c WHERE c.classid = 'pg_class'::regclass
         UNION SELECT a.attrelid FROM pg_event_trigger_ddl_commands() c JOIN pg_type t ON t.oid = c.objid
           JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped WHERE c.classid = 'pg_type'::regclass
         UNION SELECT k.oid FROM pg_event_trigger_ddl_commands() c JOIN pg_class k ON k.relnamespace = c.objid WHERE c.classid = 'pg_namespace'::regclass
       ) AS o (oid);
       SELECT array_agg(DISTINCT coalesce(pg_partition_root(o), o)) INTO rewrote
         FROM unnest(string_to_array(nullif(current_setting(${rememberedIn}, true), ''), ',')::oid[]) o;
       PERFORM set_config(${rememberedIn}, '', true);
       ${tell('oids', 'gone', 'rewrote')}`,
    ),
    create(
      rewritten,
      '',
      `PERFORM set_config(${rememberedIn}, concat_ws(',', nullif(current_setting(${rememberedIn}, true), ''), pg_event_trigger_table_rewrite_oid()), true);`,
    ),
    create(
      dropped,
      'oids oid[]; gone oid[]; rewrote oid[];',
      `SELECT array_agg(d.objid) FILTER (WHERE d.object_type = 'table'), array_agg(d.objid) FILTER (WHERE d.object_type = 'table column')
         INTO gone, oids FROM pg_event_trigger_dropped_objects() d
        WHERE d.classid = 'pg_class'::regclass AND NOT d.is_temporary;
       ${tell('oids', 'gone', 'rewrote')}`,
    ),
  ];
}

function triggersSql(publication: string): { readonly name: string; readonly sql: string }[] {
  const { altered, dropped, rewritten } = names(publication);
  const trigger = (name: string, event: string, tags: readonly string[]) => ({
    name,
    sql: `CREATE EVENT TRIGGER ${quoteIdentifier(name)} ON ${event}${
      tags.length > 0 ? ` WHEN TAG IN (${tags.map(quoteLiteral).join(', ')})` : ''
    } EXECUTE FUNCTION ${SCHEMA}.${quoteIdentifier(name)}()`,
  });
  return [
    trigger(altered, 'ddl_command_end', TAGS),
    trigger(rewritten, 'table_rewrite', []),
    trigger(dropped, 'sql_drop', []),
  ];
}

/** Whether the source tells of altered tables by itself: somebody else may have taken our triggers away, or switched them off. */
export async function hasSchemaEvents(client: pg.ClientBase, publication: string): Promise<boolean> {
  const wanted = Object.values(names(publication));
  const { rowCount } = await client.query(
    `SELECT FROM pg_event_trigger WHERE evtname = ANY ($1) AND evtenabled IN ('O', 'A')`,
    [wanted],
  );
  return rowCount === wanted.length;
}

/**
 * Has the source tell of altered tables in the stream, if our role may. Calling again changes nothing, or brings the functions up to date.
 * @returns whether it does
 */
export async function installSchemaEvents(client: pg.ClientBase, publication: string): Promise<boolean> {
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_advisory_xact_lock(hashtext(${quoteLiteral(publication)}))`);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
    for (const sql of functionsSql(publication)) await client.query(sql);
    for (const { name, sql } of triggersSql(publication)) {
      const { rowCount } = await client.query('SELECT FROM pg_event_trigger WHERE evtname = $1', [name]);
      if (rowCount === 0) await client.query(sql);
    }
    await client.query('COMMIT');
    return true;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    // Most roles may not: then tables are compared as the stream announces them. (CHECKLIST 19)
    if ((error as { code?: string }).code === '42501') return false;
    throw error;
  }
}

/** Removes what {@link installSchemaEvents} has made; what is gone already is no error. */
export async function dropSchemaEvents(client: pg.ClientBase, publication: string): Promise<void> {
  const { rows } = await client.query<{ readonly name: string }>(
    'SELECT evtname AS name FROM pg_event_trigger WHERE evtname = ANY ($1)',
    [Object.values(names(publication))],
  );
  for (const { name } of rows) await client.query(`DROP EVENT TRIGGER IF EXISTS ${quoteIdentifier(name)}`);
  const schema = await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [SCHEMA]);
  if (schema.rowCount === 0) return;
  for (const name of Object.values(names(publication)))
    await client.query(`DROP FUNCTION IF EXISTS ${SCHEMA}.${quoteIdentifier(name)}()`);
  // The schema goes with the last of what is in it: a target's bookkeeping may be there too.
  await client.query(`DROP SCHEMA ${SCHEMA}`).catch(() => undefined);
}
