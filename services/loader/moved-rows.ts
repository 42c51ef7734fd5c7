import type { ConnectorContext } from '#connectors/contract/context.ts';
import { Before, BlockReader, Cell, CellCursor, Op } from '#schemas/block/index.ts';
import { formatTableName } from '#schemas/tables.ts';
import { parseSnapshot, type Visibility } from '#schemas/visibility.ts';
import type { LoadOptions, TableLoad } from './options.ts';
import type { Moments } from './read-when.ts';

interface Watched {
  readonly load: TableLoad;
  readonly first: Visibility | undefined;
  readonly until: bigint;
}

/**
 * Tables that were read at several moments, and in between rows have moved without all of their values.
 *
 * A row that changed its key from a chunk that was read later to one that was read before is in neither. Laid over, its update would have
 * to become an insert; with large values left out, since they had not changed, it cannot. (CHECKLIST 16) So it is for a row that came into
 * the pair's filter. This is rare: an interrupted load, a changed key and a large value have to meet. Such a table is read again.
 */
export async function movedRows(
  tables: ReadonlyMap<TableLoad, Moments>,
  options: LoadOptions,
  context: ConnectorContext,
): Promise<TableLoad[]> {
  const watched = new Map<string, Watched>();
  for (const [load, [first, last]] of tables) {
    const shown = first.shown === undefined ? undefined : parseSnapshot(first.shown);
    watched.set(formatTableName(load.shape.table), { load, first: shown, until: last.until });
  }
  const until = [...watched.values()].reduce((latest, one) => (one.until > latest ? one.until : latest), 0n);
  // Something for the stream to reach on an idle source.
  await options.source.emitMessage('terrafusion.load', options.pairId, context);
  const found = new Set<TableLoad>();
  for await (const bytes of options.changes(context.signal)) {
    const block = BlockReader.open(bytes);
    const byIndex = block.header.tables.map((table) => watched.get(formatTableName(table)));
    while (block.nextTransaction()) {
      const { commitLsn, xid } = block.transaction;
      if (commitLsn >= until) return [...found];
      while (block.nextChange()) {
        const table = block.table < 0 ? undefined : byIndex[block.table];
        if (table === undefined || block.op !== Op.update || commitLsn >= table.until) continue;
        if (table.first?.shows(xid) === true || found.has(table.load)) continue;
        if (mayMove(block, table.load) && isPartial(block)) found.add(table.load);
      }
    }
  }
  context.signal.throwIfAborted();
  return [...found];
}

function mayMove({ beforeKind }: BlockReader, { filtered }: TableLoad): boolean {
  return beforeKind === Before.key || (filtered && beforeKind !== Before.full);
}

function isPartial({ bytes, afterStart }: BlockReader): boolean {
  const cells = new CellCursor(bytes);
  cells.start(afterStart);
  while (cells.next()) if (cells.kind === Cell.unchanged) return true;
  return false;
}
