import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { TableShape } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import { connect, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { quoteColumns, quoteIdentifier, quoteTable } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { BlockSink } from './block-sink.ts';
import { CopySession } from './copy-out.ts';

/** Larger rows are passed over, by the size in which they are stored: a look is no load. (Promise 6) */
const MOST_ROW_BYTES = 64 * 1024;
/** Whoever has locked the table goes first; people wait for the answer. */
const LOCK_WAIT_MS = 2000;

/**
 * Some rows of a table as the load would bring them: by COPY, in a session that cannot write, within a time that the server keeps.
 * @throws {TerraFusionError} SOURCE_STATEMENT_FAILED when it takes longer; SOURCE_NO_PRIVILEGE …
 */
export async function sampleRows(
  settings: PostgresSettings,
  shape: TableShape,
  limits: { readonly rows: number; readonly ms: number },
  context: ConnectorContext,
): Promise<Buffer[]> {
  const what = `Could not read rows of ${formatTableName(shape.table)}`;
  const client = await connect(settings, context, {
    role: 'source',
    purpose: 'preview',
    lockTimeoutMs: LOCK_WAIT_MS,
    session: { statement_timeout: String(limits.ms), default_transaction_read_only: 'on' },
  });
  let partitioned: boolean;
  try {
    const { rows } = await client.query<{ readonly partitioned: boolean }>(
      `SELECT c.relkind = 'p' AS partitioned FROM pg_class c WHERE c.oid = $1`,
      [shape.table.relationId],
    );
    partitioned = rows[0]?.partitioned ?? false;
  } catch (cause) {
    await endClient(client);
    context.signal.throwIfAborted();
    throw translateError(cause, 'source', what);
  }
  const session = new CopySession(client);
  try {
    const blocks: Buffer[] = [];
    for await (const { bytes } of session.copy(
      sampleSql(shape, partitioned, limits.rows),
      new BlockSink(shape, 256 * 1024, 0),
      context.signal,
    )) {
      blocks.push(bytes);
    }
    return blocks;
  } catch (error) {
    context.signal.throwIfAborted();
    // Which table it was is not known to the session.
    throw error instanceof TerraFusionError && error.cause !== undefined
      ? translateError(error.cause, 'source', what)
      : error;
  } finally {
    await session.end();
  }
}

function sampleSql({ table }: TableShape, partitioned: boolean, rows: number): string {
  const names = table.columns.map(({ name }) => name);
  // Of a value that is stored out of line this tells the size without reading it.
  const size = names.map((name) => `coalesce(pg_column_size(${quoteIdentifier(name)}), 0)`).join(' + ');
  const small = names.length === 0 ? '' : ` WHERE ${size} <= ${MOST_ROW_BYTES}`;
  return `COPY (SELECT ${quoteColumns(names)} FROM ${partitioned ? '' : 'ONLY '}${quoteTable(table)}${small} LIMIT ${rows}) TO STDOUT`;
}
