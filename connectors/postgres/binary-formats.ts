import type pg from 'pg';
import type { TableName } from '#schemas/tables.ts';

/** A column whose values can travel as bytes. */
export interface BinaryColumn {
  /** Both ends mean the same by bytes of the same name. */
  readonly format: string;
  readonly typeOid: string;
}

/**
 * Names of binary formats by the server's functions that send and receive them. Only types whose bytes say what their text says, in every
 * server version and database: texts among them are converted to the session's encoding and back like the text format's.
 *
 * Left out, and so always text: what carries oids that differ between databases (composites, arrays of enums, reg…), what is read otherwise
 * than its text (name, xml), what changes with versions (jsonpath, tsvector), types of extensions, and domains where they would be received:
 * their bytes are those of the type below, and are named like it where they are sent.
 */
const formats: readonly (readonly [format: string, ...functions: readonly string[]])[] = [
  ['bool', 'boolsend', 'boolrecv'],
  ['int2', 'int2send', 'int2recv'],
  ['int4', 'int4send', 'int4recv'],
  ['int8', 'int8send', 'int8recv'],
  ['oid', 'oidsend', 'oidrecv'],
  ['float4', 'float4send', 'float4recv'],
  ['float8', 'float8send', 'float8recv'],
  ['numeric', 'numeric_send', 'numeric_recv'],
  ['text', 'textsend', 'textrecv', 'varcharsend', 'varcharrecv', 'bpcharsend', 'bpcharrecv'],
  ['bytea', 'byteasend', 'bytearecv'],
  ['date', 'date_send', 'date_recv'],
  ['time', 'time_send', 'time_recv'],
  ['timetz', 'timetz_send', 'timetz_recv'],
  ['timestamp', 'timestamp_send', 'timestamp_recv'],
  ['timestamptz', 'timestamptz_send', 'timestamptz_recv'],
  ['interval', 'interval_send', 'interval_recv'],
  ['uuid', 'uuid_send', 'uuid_recv'],
  ['json', 'json_send', 'json_recv'],
  ['jsonb', 'jsonb_send', 'jsonb_recv'],
  ['inet', 'inet_send', 'inet_recv'],
  ['cidr', 'cidr_send', 'cidr_recv'],
  ['macaddr', 'macaddr_send', 'macaddr_recv'],
  ['macaddr8', 'macaddr8_send', 'macaddr8_recv'],
  ['bit', 'bit_send', 'bit_recv'],
  ['varbit', 'varbit_send', 'varbit_recv'],
  // A label is sent as its text, and found again by it.
  ['enum', 'enum_send', 'enum_recv'],
];
const formatOf = new Map(formats.flatMap(([format, ...functions]) => functions.map((name) => [name, format] as const)));
const ARRAY: readonly string[] = ['array_send', 'array_recv'];
/** Oids below it were given by hand, and are the same everywhere for ever. */
const FIRST_GENERATED_OID = 10_000;
/** Since this version an interval can be infinite, by bytes that mean a finite one before it. */
const INFINITE_INTERVALS = 170_000;

interface ColumnRow {
  readonly place: string;
  readonly name: string;
  readonly type_oid: string;
  readonly function: string | null;
  readonly element: number | null;
  readonly element_function: string | null;
  readonly version: number;
}

/** What happens to the values: they are sent from a source, received by a target. */
export type Direction = 'send' | 'receive';

/** Only the server's own functions are known by their names. */
const functionName = (oid: string): string =>
  `(SELECT p.proname FROM pg_proc p WHERE p.oid = ${oid} AND p.pronamespace = 'pg_catalog'::regnamespace)`;

/** Those of the tables' columns whose values can travel as bytes, by name; in the tables' order, an empty map for a table that is not there. */
export async function readBinaryColumns(
  client: pg.ClientBase,
  tables: readonly TableName[],
  direction: Direction,
): Promise<ReadonlyMap<string, BinaryColumn>[]> {
  const { rows } = await client.query<ColumnRow>(
    `SELECT w.place::text, a.attname AS name, a.atttypid::text AS type_oid, ${functionName(`t.typ${direction}`)} AS function,
            e.oid::int8::float8 AS element, ${functionName(`e.typ${direction}`)} AS element_function,
            current_setting('server_version_num')::int AS version
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (schema, name, place)
       JOIN pg_namespace n ON n.nspname = w.schema
       JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
       JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_type e ON e.oid = t.typelem`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const found = tables.map(() => new Map<string, BinaryColumn>());
  for (const row of rows) {
    const format = nameOf(row);
    if (format !== undefined) found[Number(row.place) - 1]!.set(row.name, { format, typeOid: row.type_oid });
  }
  return found;
}

/** Only the formats, by column. */
export function formatsOf(tables: readonly ReadonlyMap<string, BinaryColumn>[]): ReadonlyMap<string, string>[] {
  return tables.map((columns) => new Map([...columns].map(([name, { format }]) => [name, format])));
}

function nameOf({ function: name, element, element_function: elements, version }: ColumnRow): string | undefined {
  if (name === null || !ARRAY.includes(name)) return simpleName(name, version);
  // An array's bytes name the type of its elements by oid.
  if (element === null || element >= FIRST_GENERATED_OID) return undefined;
  const format = simpleName(elements, version);
  return format === undefined ? undefined : `${format}[] of ${element}`;
}

function simpleName(name: string | null, version: number): string | undefined {
  const format = name === null ? undefined : formatOf.get(name);
  return format === 'interval' && version >= INFINITE_INTERVALS ? 'interval or infinity' : format;
}
