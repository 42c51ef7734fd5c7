import type pg from 'pg';
import type { CountedBeyond, SourceBound } from '#connectors/contract/source.ts';
import type { TableName } from '#schemas/tables.ts';
import { quoteColumns, quoteIdentifier, quoteLiteral, quoteTable } from '../identifiers.ts';

/**
 * Counts values beyond bounds among the first rows of a table, in one pass. The caller's session limits how long it may take.
 * Blanks at a text's end are not counted: a shorter type cuts them off instead of refusing the value.
 */
export async function countBeyond(
  client: pg.Client,
  table: TableName,
  bounds: readonly SourceBound[],
  mostRows: number,
): Promise<CountedBeyond> {
  const counts = bounds.map((bound) => `count(*) FILTER (WHERE ${condition(bound)})::int8`);
  const columns = quoteColumns([...new Set(bounds.map(({ column }) => column))]);
  const { rows } = await client.query<string[]>({
    text: `SELECT count(*)::int8, ${counts.join(', ')} FROM (SELECT ${columns} FROM ${quoteTable(table)} LIMIT ${mostRows + 1}) AS t`,
    rowMode: 'array',
  });
  const [looked, ...found] = rows[0]!.map(Number);
  return { rows: Math.min(looked!, mostRows), complete: looked! <= mostRows, found };
}

function condition({ column, bound }: SourceBound): string {
  const name = quoteIdentifier(column);
  switch (bound.kind) {
    case 'null':
      return `${name} IS NULL`;
    case 'length':
      return `char_length(rtrim(${name}::text, ' ')) > ${bound.most}`;
    case 'range':
      // NaN is larger than every number, and numeric holds it.
      return `${name}::numeric NOT BETWEEN ${quoteLiteral(bound.least)}::numeric AND ${quoteLiteral(bound.most)}::numeric AND ${name}::numeric <> 'NaN'`;
  }
}
