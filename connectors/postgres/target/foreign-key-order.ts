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
