/** Ids of the systems to which somebody is limited; null: no limit. */
export type Scope = readonly string[] | null;

/**
 * A name of the limit: the same for the same systems in whatever order, another one for any other limit. What is kept for several
 * callers is kept under it; somebody who is limited to no system at all shares nothing with somebody who is not limited.
 */
export const scopeName = (systems: readonly string[] | null | undefined): string =>
  systems ? systems.toSorted().join(' ') || 'nothing' : 'everything';

/** The condition that a system is within the scope, which is bound to `placeholder`. */
export function systemWithin(id: string, placeholder: string): string {
  return `(${placeholder}::uuid[] IS NULL OR ${id} = ANY (${placeholder}::uuid[]))`;
}

/** The same for a pair: both of its ends are within. Who knows one end of a pair only has no business with what it carries. */
export function pairWithin(alias: string, placeholder: string): string {
  return `(${placeholder}::uuid[] IS NULL
    OR (${alias}.source_id = ANY (${placeholder}::uuid[]) AND ${alias}.target_id = ANY (${placeholder}::uuid[])))`;
}

/** The same for an entry of the audit trail: the thing that it tells about is there, and within. */
export function entryWithin(placeholder: string): string {
  const pairs = `FROM terrafusion.sync_pairs p WHERE ${pairWithin('p', placeholder)}`;
  return `(${placeholder}::uuid[] IS NULL OR CASE entity_kind
    WHEN 'system' THEN entity_id = ANY (${placeholder}::uuid[]::text[])
    WHEN 'sync_pair' THEN entity_id IN (SELECT p.id::text ${pairs})
    WHEN 'sync_operation' THEN entity_id IN (
      SELECT o.id::text FROM terrafusion.sync_operations o WHERE o.pair_id IN (SELECT p.id ${pairs}))
    WHEN 'dead_letter' THEN entity_id IN (
      SELECT d.id::text FROM terrafusion.dead_letters d WHERE d.pair_id IN (SELECT p.id ${pairs}))
    ELSE false END)`;
}
