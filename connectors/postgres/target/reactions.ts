import type pg from 'pg';
import type { Check } from '#connectors/contract/check.ts';
import { formatTableName } from '#schemas/tables.ts';
import { advice } from '../check-results.ts';
import type { CatalogTable } from './catalog.ts';

/** What a table does by itself when it is written to. */
export interface Reactions {
  /** "audit", "audit (ALWAYS)". */
  readonly triggers: readonly string[];
  readonly rules: readonly string[];
  /** Foreign keys to tables that are not among those asked for: "parcel_owner_fkey to public.owner". */
  readonly foreign: readonly string[];
  readonly checks: readonly string[];
}

/** By the table's oid. */
export async function readReactions(
  client: pg.Client,
  tables: readonly CatalogTable[],
): Promise<ReadonlyMap<string, Reactions>> {
  const { rows } = await client.query<Reactions & { readonly oid: string }>(
    `SELECT c.oid::text AS oid,
            ARRAY(SELECT t.tgname || CASE t.tgenabled WHEN 'A' THEN ' (ALWAYS)' ELSE '' END FROM pg_trigger t
                   WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') ORDER BY 1) AS triggers,
            ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1' ORDER BY 1) AS rules,
            ARRAY(SELECT format('%s to %I.%I', k.conname, n.nspname, f.relname) FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
                         JOIN pg_namespace n ON n.oid = f.relnamespace
                   WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.confrelid <> ALL ($1::oid[]) ORDER BY 1) AS foreign,
            ARRAY(SELECT k.conname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k
                   WHERE k.conrelid = c.oid AND k.contype IN ('c', 'x') ORDER BY 1) AS checks
       FROM pg_class c WHERE c.oid = ANY ($1::oid[])`,
    [tables.map(({ oid }) => oid)],
  );
  return new Map(rows.map((row) => [row.oid, row]));
}

/** CHECKLIST 37: what fires, refuses or rewrites while we write. Told only where there is something. */
export function reactionChecks(table: CatalogTable, { triggers, rules, foreign, checks }: Reactions): Check[] {
  const name = formatTableName(table);
  const found: Check[] = [];
  if (triggers.length > 0) {
    found.push(
      advice(
        `triggers:${name}`,
        false,
        `Triggers of ${name} fire for every row that is written: ${triggers.join(', ')}.`,
        'What they do at the source has been done there already: disable those that would do it twice, ALTER TABLE … DISABLE TRIGGER …. One that refuses a row makes it a dead letter.',
      ),
    );
  }
  if (rules.length > 0) {
    found.push(
      advice(
        `rules:${name}`,
        false,
        `Rules of ${name} rewrite what is written: ${rules.join(', ')}. The load goes by COPY, which they do not see.`,
        'Drop the rules, or make triggers of them.',
      ),
    );
  }
  if (foreign.length > 0) {
    found.push(
      advice(
        `foreign_keys:${name}`,
        false,
        `${name} refers to tables that the pair does not write: ${foreign.join(', ')}.`,
        'Rows whose other row is missing there end the load, and later are dead letters: take those tables into the pair, or drop the constraints.',
      ),
    );
  }
  if (checks.length > 0) {
    found.push(
      advice(
        `constraints:${name}`,
        false,
        `${name} may refuse rows: ${checks.join('; ')}.`,
        'Make the same constraint at the source, or a rule of the pair that sends such rows to the dead letters by name.',
      ),
    );
  }
  return found;
}
