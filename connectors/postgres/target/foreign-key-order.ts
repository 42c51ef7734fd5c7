import type { CatalogTable } from './catalog.ts';

/**
 * Gives each table a place, by oid, so that the tables its foreign keys point to come before it. Where foreign keys form a circle
 * there is no such order; then the place is some, and who relies on it must be ready for a violation.
 */
export function rankByForeignKeys(tables: readonly CatalogTable[]): Map<string, number> {
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const ranks = new Map<string, number>();
  const visiting = new Set<string>();
  const visit = (table: CatalogTable): void => {
    if (ranks.has(table.oid) || visiting.has(table.oid)) return;
    visiting.add(table.oid);
    for (const { references } of table.foreignKeys) {
      const parent = byOid.get(references);
      if (parent !== undefined) visit(parent);
    }
    ranks.set(table.oid, ranks.size);
  };
  for (const table of tables) visit(table);
  return ranks;
}

/** Whether foreign keys between the tables form a circle of at least two. */
export function hasCircle(tables: readonly CatalogTable[]): boolean {
  const ranks = rankByForeignKeys(tables);
  return tables.some((table) =>
    table.foreignKeys.some(({ references }) => (ranks.get(references) ?? -1) > ranks.get(table.oid)!),
  );
}

/**
 * Tables that can only be filled in one transaction, by oid: those that point to each other, and those that point to themselves. A table
 * that is in no circle is not in the map.
 */
export function circlesOf(tables: readonly CatalogTable[]): Map<string, readonly CatalogTable[]> {
  const byOid = new Map(tables.map((table) => [table.oid, table]));
  const reach = new Map(tables.map((table) => [table.oid, reachable(table, byOid)]));
  const circles = new Map<string, readonly CatalogTable[]>();
  for (const table of tables) {
    const from = reach.get(table.oid)!;
    if (!from.has(table.oid)) continue;
    circles.set(
      table.oid,
      tables.filter((other) => other === table || (from.has(other.oid) && reach.get(other.oid)!.has(table.oid))),
    );
  }
  return circles;
}

/** Oids of all tables that a row of the table rests on, directly or not. */
function reachable(table: CatalogTable, byOid: ReadonlyMap<string, CatalogTable>): Set<string> {
  const found = new Set<string>();
  const visit = ({ foreignKeys }: CatalogTable): void => {
    for (const { references } of foreignKeys) {
      const parent = byOid.get(references);
      if (parent === undefined || found.has(references)) continue;
      found.add(references);
      visit(parent);
    }
  };
  visit(table);
  return found;
}
