import type { PlanColumn } from './table-plan.ts';

export function list(columns: readonly PlanColumn[], print: (column: PlanColumn) => string): string {
  return columns.map(print).join(', ');
}

export function cellsOf(columns: readonly PlanColumn[]): number[] {
  return columns.map(({ cell }) => cell);
}

/** The columns' arrays as a table `u` with columns c0, c1, …; a row's place in the arrays is its place in the table. */
export function unnest(columns: readonly PlanColumn[]): string {
  const arrays = columns.map(({ inBinary, column }, i) => `$${i + 1}::${inBinary ? column.cast : 'text'}[]`);
  return `unnest(${arrays.join(', ')}) AS u (${columns.map((_, i) => `c${i}`).join(', ')})`;
}

/** A column's value in `u`, as the column takes it. */
export function value({ column, inBinary }: PlanColumn, place: number): string {
  const { cast, castByFunction } = column;
  if (inBinary) return `u.c${place}`;
  // An array's text goes through the input function of its elements, whatever casts there are.
  return castByFunction ? `(ARRAY[u.c${place}]::text::${cast}[])[1]` : `u.c${place}::${cast}`;
}

export function assignments(columns: readonly PlanColumn[], before: number): string {
  return columns.map((column, i) => `${column.sql} = ${value(column, before + i)}`).join(', ');
}

/** The column's value in the table equals the one in `u`. */
export function equals(column: PlanColumn, place: number, of = 't'): string {
  const { cast, domain, equalsIn } = column.column;
  // A domain is only another label for its base type: an index on the column still leads to the row.
  const held = domain ? `${of}.${column.sql}::${cast}` : `${of}.${column.sql}`;
  return `${held} OPERATOR(${equalsIn}.=) ${value(column, place)}`;
}

/** Equal as PostgreSQL prints them, which also holds for types that cannot be compared (json, xml, point) and tells 1.0 from 1.00. */
export function sameText(column: PlanColumn, place: number): string {
  return `t.${column.sql}::text IS NOT DISTINCT FROM ${value(column, place)}::${column.column.compared}::text`;
}
