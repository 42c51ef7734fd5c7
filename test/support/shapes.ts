import { expect } from 'vitest';
import type { TestDatabase } from './database.ts';
import { tablesOf } from './rows.ts';

/** Tables, columns, types, what may be NULL, primary keys and enum labels, as text. */
export async function shapesOf(
  database: TestDatabase,
  tables: readonly string[],
  nulls = true,
): Promise<Record<string, unknown>> {
  const rows = await database.query<{ name: string; shape: unknown }>(
    `SELECT n.nspname || '.' || c.relname AS name, json_build_object(
       'columns', (SELECT json_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull AND $2 THEN ' NOT NULL' ELSE '' END
          ORDER BY a.attname COLLATE "C") FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       'key', (SELECT json_agg(a.attname ORDER BY k.place) FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place), pg_attribute a
          WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum),
       'labels', (SELECT json_agg(l.enumlabel ORDER BY l.enumtypid::regtype::text, l.enumsortorder) FROM pg_enum l WHERE EXISTS (
          SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.atttypid = l.enumtypid AND NOT a.attisdropped))) AS shape
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname || '.' || c.relname = ANY ($1)`,
    [tables, nulls],
  );
  return Object.fromEntries(rows.map(({ name, shape }) => [name, shape]));
}

/**
 * The target has all of the source's tables, and they look the same.
 * @param tables all of the source's when left out
 * @param nulls whether what may be NULL counts
 */
export async function expectSameShapes(
  source: TestDatabase,
  target: TestDatabase,
  tables?: readonly string[],
  nulls = true,
): Promise<void> {
  const names = tables ?? (await tablesOf(source));
  expect(await shapesOf(target, names, nulls)).toEqual(await shapesOf(source, names, nulls));
}
