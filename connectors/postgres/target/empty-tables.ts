import type pg from 'pg';
import { quoteTable } from '../identifiers.ts';
import type { CatalogTable } from './catalog.ts';

/** @param order parents of foreign keys first. Views cannot be truncated, nor can tables that others point to: those are emptied row by row, children first. */
export async function emptyTables(client: pg.ClientBase, order: readonly CatalogTable[]): Promise<void> {
  if (order.length === 0) return;
  await client.query('SAVEPOINT emptying');
  try {
    await client.query(`TRUNCATE ${order.map(quoteTable).join(', ')}`);
  } catch (error) {
    if (!['0A000', '42809'].includes((error as { code?: string }).code ?? '')) throw error;
    await client.query('ROLLBACK TO SAVEPOINT emptying');
    for (const table of order.toReversed()) await client.query(`DELETE FROM ${quoteTable(table)}`);
  }
  await client.query('RELEASE SAVEPOINT emptying');
}
