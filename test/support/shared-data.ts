import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseCsv } from './csv.ts';
import { parseScript, type SqlScript } from './sql-script.ts';
import { generatedErp, generatedInvoices, generatedSales } from './stand-ins.ts';

/** Data for a test: the real thing when the folder `shared` lies beside the project, generated rows of the same kind otherwise. */
export interface TestData<T> {
  readonly title: string;
  readonly real: boolean;
  /** Why it is not the real thing; for the skip of the one test that asks for it. */
  readonly missing: string;
  readonly content: T;
}

/** One sale of King County's list, cells as in the file, dirt included. */
export type Sale = Record<(typeof saleColumns)[number], string>;

export const saleColumns = [
  ...['id', 'date', 'price', 'bedrooms', 'bathrooms', 'sqft_living', 'sqft_lot', 'floors', 'waterfront', 'view'],
  ...['condition', 'grade', 'sqft_above', 'sqft_basement', 'yr_built', 'yr_renovated', 'zipcode', 'lat', 'long'],
  ...['sqft_living15', 'sqft_lot15'],
] as const;

const folder = process.env['TERRAFUSION_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url));

/** A file or folder of `shared`, or undefined when it is not there. */
export function sharedPath(...path: readonly string[]): string | undefined {
  const place = join(folder, ...path);
  if (existsSync(place)) return place;
  if (process.env['TERRAFUSION_REQUIRE_SHARED'] === '1') {
    throw new Error(`TERRAFUSION_REQUIRE_SHARED is set, and ${join('shared', ...path)} is not beside the project`);
  }
  return undefined;
}

/** 21,597 home sales, 177 of them of homes sold before. */
export function kingCountySales(): TestData<Sale[]> {
  return read(
    "King County's home sales",
    ['king-county-wa-sales', 'kc_house_data.csv'],
    (text) => parseCsv(text) as Sale[],
    generatedSales,
  );
}

/** A trading company's database: 14 tables, composite keys, real, smallint and bytea columns. */
export function northwind(): TestData<SqlScript> {
  return read('Northwind', ['northwind-erp', 'northwind.sql'], parseScript, () => parseScript(generatedErp()));
}

/** A music shop's customers and invoices: 11 tables, timestamps, numeric(10,2), text of many languages. */
export function chinook(): TestData<SqlScript> {
  return read('Chinook', ['chinook-crm-invoices', 'Chinook_PostgreSql.sql'], parseScript, () =>
    parseScript(generatedInvoices()),
  );
}

function read<T>(name: string, path: readonly string[], parse: (text: string) => T, standIn: () => T): TestData<T> {
  const place = sharedPath('data', ...path);
  if (place !== undefined) {
    return { title: name, real: true, missing: '', content: parse(readFileSync(place, 'utf8')) };
  }
  const missing = `shared/data/${path.join('/')} is not beside the project; generated data stood in`;
  return { title: `${name} (generated)`, real: false, missing, content: standIn() };
}
