import { z } from 'zod';

/** A table's name in two parts, upper and lower case as the database has it. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/**
 * Reads "schema.table"; parts with dots, or that would be folded, in double quotes: `"My Schema"."a.b"`. Unlike SQL, unquoted parts keep their case.
 * @throws {RangeError} when the text has not exactly two parts
 */
export function parseTableName(text: string): TableName {
  const part = String.raw`(?:"((?:[^"]|"")+)"|([^".]+))`;
  const match = new RegExp(String.raw`^${part}\.${part}$`).exec(text);
  if (!match) throw new RangeError(`"${text}" is not a table name of the form schema.table`);
  const pick = (quoted: string | undefined, plain: string | undefined) => quoted?.replaceAll('""', '"') ?? plain!;
  return { schema: pick(match[1], match[2]), name: pick(match[3], match[4]) };
}

/** "schema.table", a part in double quotes where it holds a dot or a quote. */
export function formatTableName({ schema, name }: TableName): string {
  const part = (text: string) => (/[".]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return `${part(schema)}.${part(name)}`;
}

export const tableNameText = z.string().superRefine((text, context) => {
  try {
    parseTableName(text);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as RangeError).message });
  }
});

/** A table of a pair at both its ends. */
export interface TableEnds {
  readonly source: TableName;
  readonly target: TableName;
}
