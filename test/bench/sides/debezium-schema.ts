import type { TestDatabase } from '#test/support/database.ts';

interface Field {
  readonly type: string;
  readonly optional: boolean;
  readonly field: string;
  readonly name?: string;
  readonly version?: number;
  readonly parameters?: Readonly<Record<string, string>>;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly precision: number | null;
  readonly scale: number | null;
  readonly key: boolean;
}

const kinds: Readonly<Record<string, string>> = { bigint: 'int64', integer: 'int32', text: 'string' };

/** The properties by which Connect's JSON converter is told the shape of a table's rows, so that no message has to carry it. */
export async function connectSchema(source: TestDatabase, table: string): Promise<string> {
  const columns = await source.query<Column>(
    `SELECT c.column_name AS name, c.data_type AS type, c.numeric_precision AS precision, c.numeric_scale AS scale,
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = $1::text::regclass AND i.indisprimary AND a.attname = c.column_name) AS key
     FROM information_schema.columns c
     WHERE c.table_schema || '.' || c.table_name = $1::text ORDER BY c.ordinal_position`,
    [table],
  );
  const row = { type: 'struct', optional: false, fields: columns.map(fieldOf) };
  const key = { ...row, fields: columns.filter((column) => column.key).map(fieldOf) };
  return `key.converter.schema.content=${JSON.stringify(key)}\nvalue.converter.schema.content=${JSON.stringify(row)}\n`;
}

function fieldOf({ name: field, type, precision, scale, key }: Column): Field {
  const optional = !key;
  if (type === 'numeric') {
    const parameters = { scale: String(scale), 'connect.decimal.precision': String(precision) };
    return { type: 'bytes', optional, field, name: 'org.apache.kafka.connect.data.Decimal', version: 1, parameters };
  }
  if (type === 'timestamp with time zone') {
    return { type: 'string', optional, field, name: 'io.debezium.time.ZonedTimestamp', version: 1 };
  }
  const kind = kinds[type];
  if (kind === undefined) throw new Error(`${field}: there is no type for ${type} here`);
  return { type: kind, optional, field };
}
