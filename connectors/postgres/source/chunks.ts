import type pg from 'pg';
import type { ChunkRange, ChunkSize, RawFormat } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteLiteral, quoteTable } from '../identifiers.ts';

export interface KeyColumn {
  readonly name: string;
  /** The type below all domains, quoted, for casting bounds. */
  readonly cast: string;
  /** Schema of the operators of its B-tree order. */
  readonly operators: string;
}

/** What has to be known of a table to read it in parts. */
export interface TableFacts {
  readonly table: TableName;
  readonly partitioned: boolean;
  /** Of the table with its values stored out of line, without indexes. */
  readonly bytes: number;
  readonly pages: number;
  /** By the catalog's estimate. */
  readonly rows: number;
  /** By which the stream finds rows, in the index's order; empty when it has none. */
  readonly key: readonly KeyColumn[];
}

/** A plan is a list to be stored and walked over: of a larger table the parts are larger. */
const MOST_CHUNKS = 10_000;
/** Pages that are looked at for each bound, so that the parts come out about equal. */
const PAGES_A_CHUNK = 30;
const LEAST_PAGES = 300;

/** Cuts a table into parts. The session is in the snapshot's transaction. (CHECKLIST 27) */
export async function planTable(client: pg.Client, facts: TableFacts, size: ChunkSize): Promise<readonly ChunkRange[]> {
  const count = Math.min(
    MOST_CHUNKS,
    Math.max(1, Math.ceil(size.rows === undefined ? facts.bytes / size.bytes : facts.rows / size.rows)),
  );
  if (isOrdered(facts)) return planByKey(client, facts, count, size.rows);
  // Places of several files cannot be told apart, and where they begin nobody can say in one number.
  if (facts.partitioned || count === 1 || facts.pages < 2) return [{ by: 'whole' }];
  return planByPlace(facts.pages, count);
}

/** Operators of different schemas cannot be named in one comparison of rows. */
function isOrdered({ key }: TableFacts): boolean {
  return key.length > 0 && new Set(key.map(({ operators }) => operators)).size === 1;
}

async function planByKey(
  client: pg.Client,
  facts: TableFacts,
  count: number,
  rows: number | undefined,
): Promise<readonly ChunkRange[]> {
  const columns = facts.key.map(({ name }) => name);
  const bounds = count === 1 && rows === undefined ? [] : await sampleBounds(client, facts, count, rows);
  return [null, ...bounds].map((lower, i) => ({ by: 'key', columns, lower, upper: bounds[i] ?? null }));
}

/** Bounds that the server itself has put in order: in whatever collation, whatever the type. As text, which every type can be. */
async function sampleBounds(
  client: pg.Client,
  { table, partitioned, pages, key }: TableFacts,
  count: number,
  rows: number | undefined,
): Promise<string[][]> {
  const wanted = Math.max(LEAST_PAGES, count * PAGES_A_CHUNK);
  const percent = pages <= wanted ? 100 : Math.max(0.001, (100 * wanted) / pages);
  const columns = key.map(({ name }) => quoteIdentifier(name));
  const chunks =
    rows === undefined
      ? String(count)
      : `least(${MOST_CHUNKS}, greatest(1, ceil(total * ${(100 / percent).toFixed(6)} / ${rows})))::bigint`;
  const { rows: found } = await client.query<{ readonly bound: string[] }>(
    `SELECT bound FROM (
       SELECT ARRAY[${columns.map((column) => `${column}::text`).join(', ')}] AS bound,
              row_number() OVER (ORDER BY ${columns.join(', ')}) - 1 AS place, count(*) OVER () AS total
         FROM ${partitioned ? '' : 'ONLY '}${quoteTable(table)} TABLESAMPLE SYSTEM (${percent.toFixed(6)})) AS sample
      WHERE place > 0 AND place * ${chunks} / total > (place - 1) * ${chunks} / total
      ORDER BY place`,
  );
  return found.map(({ bound }) => bound);
}

/** The last part has no end: a table may have grown since it was measured. */
function planByPlace(pages: number, count: number): readonly ChunkRange[] {
  const parts = Math.min(count, pages);
  const bounds = Array.from({ length: parts - 1 }, (_, i) => Math.floor(((i + 1) * pages) / parts));
  return [null, ...bounds].map((lower, i) => ({ by: 'place', lower, upper: bounds[i] ?? null }));
}

/** @throws {TerraFusionError} SOURCE_BUSY when the table's key is another one than when it was planned */
export function copySql(facts: TableFacts, columns: readonly string[], range: ChunkRange, format: RawFormat): string {
  const name = quoteTable(facts.table);
  const list = quoteColumns(columns);
  const where = whereSql(facts, range);
  const to = `TO STDOUT${format === 'binary' ? ' (FORMAT binary)' : ''}`;
  if (where === '' && !facts.partitioned) return `COPY ${columns.length === 0 ? name : `${name} (${list})`} ${to}`;
  // A partitioned table has no rows of its own, and one with children has only its own copied, as the stream sends them.
  return `COPY (SELECT ${list} FROM ${facts.partitioned ? '' : 'ONLY '}${name}${where}) ${to}`;
}

function whereSql(facts: TableFacts, range: ChunkRange): string {
  switch (range.by) {
    case 'whole':
      return '';
    case 'place':
      return conditions([
        range.lower === null ? undefined : `ctid >= '(${range.lower},0)'::tid`,
        range.upper === null ? undefined : `ctid < '(${range.upper},0)'::tid`,
      ]);
    case 'key': {
      const { key } = facts;
      if (key.length !== range.columns.length || key.some(({ name }, i) => name !== range.columns[i])) {
        throw new TerraFusionError(
          'SOURCE_BUSY',
          `The key of ${formatTableName(facts.table)} has changed; it is planned anew`,
        );
      }
      return conditions([
        range.lower === null ? undefined : compared(key, '>=', range.lower),
        range.upper === null ? undefined : compared(key, '<', range.upper),
      ]);
    }
  }
}

function compared(key: readonly KeyColumn[], operator: '>=' | '<', bound: readonly string[]): string {
  const columns = key.map(({ name }) => quoteIdentifier(name)).join(', ');
  const values = key.map(({ cast }, i) => `${quoteLiteral(bound[i]!)}::${cast}`).join(', ');
  const operation = `OPERATOR(${quoteIdentifier(key[0]!.operators)}.${operator})`;
  return key.length === 1 ? `${columns} ${operation} ${values}` : `ROW(${columns}) ${operation} ROW(${values})`;
}

function conditions(each: readonly (string | undefined)[]): string {
  const given = each.filter((condition) => condition !== undefined);
  return given.length === 0 ? '' : ` WHERE ${given.join(' AND ')}`;
}
