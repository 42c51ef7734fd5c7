import type { TableName } from '#schemas/tables.ts';

/**
 * An identifier as SQL text: the one place where names become SQL. (CHECKLIST 26: upper case, quotes, dots, spaces, reserved words)
 * @throws {RangeError} for names that no database object can have: empty, or with a NUL
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0'))
    throw new RangeError(`${JSON.stringify(name)} cannot be a name in PostgreSQL`);
  return `"${name.replaceAll('"', '""')}"`;
}

/** "schema"."table" */
export function quoteTable(table: TableName): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`;
}

/** "a", "b", "c" */
export function quoteColumns(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(', ');
}

/**
 * A string constant as SQL text, for the commands that take no parameters (replication commands, DDL, COPY options).
 * Valid whatever `standard_conforming_strings` is.
 * @throws {RangeError} for a text with a NUL, which PostgreSQL cannot hold
 */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new RangeError('a text for PostgreSQL cannot hold a NUL');
  const quoted = `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return text.includes('\\') ? ` E${quoted}` : quoted;
}

/**
 * A string constant for replication commands, whose grammar knows doubled quotes but no escapes.
 * @throws {RangeError} for a text with a NUL
 */
export function quoteReplicationLiteral(text: string): string {
  if (text.includes('\0')) throw new RangeError('a text for PostgreSQL cannot hold a NUL');
  return `'${text.replaceAll("'", "''")}'`;
}
