import { randomBytes } from 'node:crypto';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source, SourceBlock, SourceReader, StreamIdentity } from '#connectors/contract/source.ts';
import { postgresSettings } from '#connectors/postgres/settings.ts';
import type { SourceOptions } from '#connectors/postgres/source/options.ts';
import { postgresSource } from '#connectors/postgres/source/source.ts';
import { BlockReader, type CellFormat, OP_NAMES, readRow } from '#schemas/block/index.ts';
import { formatPosition, type Position } from '#schemas/position.ts';
import { parseTableName } from '#schemas/tables.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import type { TestDatabase } from '#test/support/postgres.ts';

type Cells = readonly (string | null | undefined)[];

/** One change as a test wants to see it. */
export interface SeenChange {
  readonly op: string;
  /** Name without schema; of a message its prefix. */
  readonly table: string;
  /** Undefined when the source sent none. */
  readonly before: Cells | undefined;
  readonly beforeKind: 'absent' | 'key' | 'full';
  readonly after: Cells | undefined;
  readonly position: string;
  readonly xid: number;
  readonly origin: string | undefined;
}

export function changesOf({ bytes }: SourceBlock): SeenChange[] {
  const block = BlockReader.open(bytes);
  const row = (offset: number) =>
    offset < 0 ? undefined : readRow(block.bytes, offset, block.header.tables[block.table]?.columns);
  const changes: SeenChange[] = [];
  while (block.nextTransaction()) {
    const { transaction } = block;
    while (block.nextChange()) {
      const { generation } = block.header;
      const after = row(block.afterStart);
      changes.push({
        op: OP_NAMES[block.op],
        table: block.table < 0 ? (after?.[0] ?? '') : block.header.tables[block.table]!.name,
        before: row(block.beforeStart),
        beforeKind: (['absent', 'key', 'full'] as const)[block.beforeKind],
        after,
        position: formatPosition({ generation, commitLsn: transaction.commitLsn, ordinal: block.ordinal }),
        xid: transaction.xid,
        origin: transaction.origin,
      });
    }
  }
  return changes;
}

/** A context whose work ends with `stop`. */
export function contextOf(
  stop: AbortController = new AbortController(),
  others: Partial<ConnectorContext> = {},
): ConnectorContext {
  return { log: silentLog, clock: systemClock, signal: stop.signal, ...others };
}

export function sourceOf(url: string, options: Partial<SourceOptions> = {}): Source {
  return postgresSource(postgresSettings.parse({ url }), options);
}

/** How a stream is read. */
export type Way = Partial<SourceOptions> & { readonly cells?: CellFormat };

/** A stream of some tables of a database, with a slot of its own. */
export class TestStream {
  readonly database: TestDatabase;
  readonly source: Source;
  readonly identity: StreamIdentity;
  readonly #cells: CellFormat;

  private constructor(database: TestDatabase, source: Source, identity: StreamIdentity, cells: CellFormat) {
    this.database = database;
    this.source = source;
    this.identity = identity;
    this.#cells = cells;
  }

  /** @param tables of schema public unless told */
  static async create(
    database: TestDatabase,
    tables: readonly string[],
    { cells = 'text', ...options }: Way = {},
  ): Promise<TestStream> {
    const source = sourceOf(database.url, options);
    const name = `conformance_${randomBytes(4).toString('hex')}`;
    const names = tables.map((table) => parseTableName(table.includes('.') ? table : `public.${table}`));
    await source.publish(name, names, contextOf());
    return new TestStream(database, source, await source.createStream(name, name, contextOf()), cells);
  }

  open(
    after: Position | undefined,
    context: ConnectorContext = contextOf(),
    source = this.source,
  ): Promise<SourceReader> {
    const request = { sourceId: 'test', generation: 1, stream: this.identity, after, cells: this.#cells };
    return source.openReader(request, context);
  }

  /** Writes a marker now, and reads until it comes; blocks are acknowledged unless told. */
  async readAll(after: Position | undefined, { acknowledge = true } = {}): Promise<SourceBlock[]> {
    const marker = await this.mark();
    await using reader = await this.open(after);
    return await readUntil(reader, marker, { acknowledge });
  }

  /** The changes from `after` to now, markers and heartbeats left out. */
  async changes(after?: Position): Promise<SeenChange[]> {
    return dataOf(await this.readAll(after));
  }

  /** Everything committed before is sent before the marker. @returns its prefix */
  async mark(): Promise<string> {
    const marker = `test.marker.${randomBytes(4).toString('hex')}`;
    await this.source.emitMessage(marker, '', contextOf());
    return marker;
  }

  confirmed(): Promise<string> {
    return this.database.value('SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1', [
      this.identity.slot,
    ]);
  }
}

/** Reads blocks until the marker has come. */
export async function readUntil(
  reader: SourceReader,
  marker: string,
  { acknowledge = true } = {},
): Promise<SourceBlock[]> {
  const blocks: SourceBlock[] = [];
  for await (const block of reader.blocks()) {
    blocks.push(block);
    if (acknowledge) reader.acknowledge(block.last);
    if (changesOf(block).some(({ table }) => table === marker)) return blocks;
  }
  throw new Error('the stream ended before the marker came');
}

export function dataOf(blocks: readonly SourceBlock[]): SeenChange[] {
  return blocks.flatMap(changesOf).filter(({ table }) => !/^(test\.marker|terrafusion\.heartbeat)/.test(table));
}
