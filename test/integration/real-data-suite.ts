import { describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { expectSameRows, tablesOf, quotedName, columnsOf } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';
import { chinook, kingCountySales, northwind, type Sale } from '#test/support/shared-data.ts';
import type { SqlScript } from '#test/support/sql-script.ts';

/** Real rows of county systems through the whole pipeline: half of them lie at the source when the pair starts, the rest comes while it streams. */
export function describeRealData(title: string, bus: () => { readonly brokers?: readonly string[] }): void {
  describe(`real data, ${title}`, () => {
    const sales = kingCountySales();
    test(`${sales.title}: repeat sales arrive as updates`, async () => {
      const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
      await source.query(SALES);
      const installation = await freshInstallation(bus());
      const half = Math.floor(sales.content.length / 2);
      await sell(source, sales.content.slice(0, half));
      await using service = installation.start();
      const pair = await installation.addPair({ source, target });
      await pair.until('streaming');
      await sell(source, sales.content.slice(half));
      await pair.fence();
      const rows = await expectSameRows(source, target);
      expect(rows['county.sales']).toBe(new Set(sales.content.map(({ id }) => id)).size);
      await service.stop();
    });

    for (const { title: name, content } of [northwind(), chinook()]) {
      test(`${name}: a whole database`, async () => {
        const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
        const installation = await freshInstallation(bus());
        const half = Math.floor(content.rows.length / 2);
        for (const statement of [...content.schema, ...content.rows.slice(0, half)]) await source.query(statement);
        await using service = installation.start();
        const pair = await installation.addPair({ source, target });
        await pair.until('streaming');
        await finish(source, content, half);
        await pair.fence();
        const rows = await expectSameRows(source, target);
        expect(Object.keys(rows)).toHaveLength(content.schema.filter((each) => /^CREATE TABLE/.test(each)).length);
        await service.stop();
      });
    }
  });
}

/** The script's second half, its foreign keys, and then what people do with a database: every column of every table changes somewhere. */
async function finish(source: TestDatabase, { rows, constraints }: SqlScript, half: number): Promise<void> {
  for (const statement of [...rows.slice(half), ...constraints]) await source.query(statement);
  for (const table of await tablesOf(source)) {
    for (const column of await columnsOf(source, table)) {
      const name = `"${column}"`;
      // Each third row gets the value of the row before it, where neither key nor reference forbids it.
      await source
        .query(
          `UPDATE ${quotedName(table)} AS t SET ${name} = o.value FROM (
             SELECT ctid, lag(${name}) OVER (ORDER BY ctid) AS value, row_number() OVER (ORDER BY ctid) AS n FROM ${quotedName(table)}
           ) AS o WHERE o.ctid = t.ctid AND o.n % 3 = 0`,
        )
        .catch((error: unknown) => {
          if (!/violates|duplicate/.test((error as Error).message)) throw error;
        });
    }
  }
}

const SALES = `CREATE SCHEMA county; CREATE TABLE county.sales (
  id varchar(10) PRIMARY KEY, date date, price numeric(12, 2), bedrooms smallint, bathrooms numeric(4, 2), sqft_living int, sqft_lot int,
  floors numeric(3, 1), waterfront text, view text, condition text, grade text, sqft_above int, sqft_basement text, yr_built smallint,
  yr_renovated smallint, zipcode char(5), lat double precision, long double precision, sqft_living15 int, sqft_lot15 int)`;

const SALES_A_TRANSACTION = 100;

/** Records sales in the list's order: of a home that was sold before, the row is updated. */
async function sell(source: TestDatabase, sales: readonly Sale[]): Promise<void> {
  const client = await source.connect();
  const record = (row: string): string => `jsonb_populate_record(NULL::county.sales, ${row})`;
  for (let first = 0; first < sales.length; first += SALES_A_TRANSACTION) {
    const rows = sales.slice(first, first + SALES_A_TRANSACTION).map(cleared);
    await client.query('BEGIN');
    for (const group of withoutRepeats(rows)) {
      await client.query(
        `INSERT INTO county.sales SELECT (${record('row')}).* FROM jsonb_array_elements($1::jsonb) AS row
         ON CONFLICT (id) DO UPDATE SET (date, price, condition, grade, yr_renovated) =
           (SELECT excluded.date, excluded.price, excluded.condition, excluded.grade, excluded.yr_renovated)`,
        [JSON.stringify(group)],
      );
    }
    await client.query('COMMIT');
  }
  await client.end();
}

/** The list writes an unknown value as nothing. */
function cleared(sale: Sale): Record<string, string | null> {
  return Object.fromEntries(Object.entries(sale).map(([name, value]) => [name, value === '' ? null : value]));
}

/** One statement must not meet a row twice. */
function withoutRepeats<T extends Record<string, unknown>>(rows: readonly T[]): T[][] {
  const groups: T[][] = [[]];
  const seen = new Set<unknown>();
  for (const row of rows) {
    if (seen.has(row['id'])) {
      groups.push([]);
      seen.clear();
    }
    seen.add(row['id']);
    groups.at(-1)!.push(row);
  }
  return groups;
}
