import type { LoadTable } from '#connectors/contract/target.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';

/** The tables, and all that foreign keys at the target tie to them, in either direction and over however many tables. */
export function related(all: readonly LoadTable[], tables: readonly TableName[]): TableName[] {
  const ties = new Map<string, Set<string>>(all.map(({ table }) => [formatTableName(table), new Set()]));
  for (const { table, after, together } of all) {
    const name = formatTableName(table);
    for (const other of [...after, ...together].map(formatTableName)) {
      ties.get(name)!.add(other);
      ties.get(other)?.add(name);
    }
  }
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const other of ties.get(name) ?? []) visit(other);
  };
  for (const table of tables) visit(formatTableName(table));
  return all.map(({ table }) => table).filter((table) => found.has(formatTableName(table)));
}
