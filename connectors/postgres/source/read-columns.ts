import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ColumnsRead, ColumnsRequest } from '#connectors/contract/source.ts';
import type { TableName } from '#schemas/tables.ts';
import { connect, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { quoteColumns, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { CopySession } from './copy-out.ts';
import { PieceSink } from './piece-sink.ts';

interface Found extends TableName {
  readonly columns: readonly { readonly attnum: number; readonly name: string }[];
}

const COLUMNS = `
SELECT n.nspname AS schema, c.relname AS name, coalesce((SELECT json_agg(json_build_object('attnum', a.attnum, 'name', a.attname) ORDER BY w.place)
    FROM unnest($2::int2[], $3::oid[], $4::int4[]) WITH ORDINALITY AS w (attnum, type, typmod, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = w.attnum AND a.atttypid = w.type AND a.atttypmod = w.typmod AND NOT a.attisdropped), '[]') AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1`;

/** Some columns of all rows as they stand now; see {@link Source.readColumns}. (Promise 6: row by row) */
export async function readColumns(
  settings: PostgresSettings,
  { relationId, keys, columns }: ColumnsRequest,
  context: ConnectorContext,
): Promise<ColumnsRead | undefined> {
  const wanted = [...keys, ...columns];
  const client = await connect(settings, context, { role: 'source', purpose: 'refill', lockTimeoutMs: 30_000 });
  try {
    await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY');
    const look = async (): Promise<Found | undefined> => {
      const { rows } = await client.query<Found>(COLUMNS, [
        relationId,
        // A number that is none is no column's.
        wanted.map(({ attnum }) => (Number.isInteger(attnum) ? attnum : 0)),
        wanted.map(({ typeOid }) => typeOid),
        wanted.map(({ typmod }) => typmod),
      ]);
      return rows[0];
    };
    const seen = await look();
    // From here on nobody alters the table; whether somebody has, between the look and the lock, is seen by a second look.
    if (seen) await client.query(`LOCK TABLE ${quoteTable(seen)} IN ACCESS SHARE MODE`);
    const found = seen && (await look());
    const there = found?.columns ?? [];
    const whole = keys.every(({ attnum }, place) => there[place]?.attnum === attnum) && there.length > keys.length;
    if (!found || !whole || quoteTable(found) !== quoteTable(seen)) {
      await endClient(client);
      return undefined;
    }
    const sql = `COPY (SELECT ${quoteColumns(there.map(({ name }) => name))} FROM ${quoteTable(found)}) TO STDOUT`;
    return {
      columns: there.slice(keys.length).map(({ attnum }) => attnum),
      rows: copied(new CopySession(client), sql, context.signal),
    };
  } catch (cause) {
    await endClient(client);
    context.signal.throwIfAborted();
    throw translateError(cause, 'source', 'Could not read columns of the source again');
  }
}

async function* copied(session: CopySession, sql: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const { bytes } of session.copy(sql, new PieceSink('text'), signal)) yield bytes;
  } finally {
    await session.end();
  }
}
