import { arrayLiteral } from './catalog.ts';

/** What must still be so once bytes have been copied. */
export interface ReceivedTypes {
  /** The table's name as SQL. */
  readonly table: string;
  readonly columns: readonly string[];
  /** Oids of the types as which the columns receive bytes, in their order. */
  readonly types: readonly string[];
}

/**
 * Bytes of the same length mean something to many types. A COPY has locked its table, so what its columns are after it they were while it read
 * the bytes; where they are not what was agreed upon any more, the transaction fails: by a division, since the server has no assertion. (Promise 4)
 */
export const requireTypesSql = `SELECT 1 / (count(*) = cardinality($2::text[]))::int FROM unnest($2::text[], $3::oid[]) AS w (name, type)
  JOIN pg_attribute a ON a.attrelid = $1::regclass AND a.attname = w.name AND a.atttypid = w.type AND NOT a.attisdropped`;

/** Parameters of {@link requireTypesSql}. */
export function requireTypesValues({ table, columns, types }: ReceivedTypes): [string, string, string] {
  return [table, arrayLiteral(columns), arrayLiteral(types)];
}
