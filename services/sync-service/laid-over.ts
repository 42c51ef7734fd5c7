import { BlockReader, continuesFrom, withoutChanges } from '#schemas/block/index.ts';
import { laidOverUntil, snapshotsOf, type LoadedTables } from '#schemas/loaded.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { formatTableName } from '#schemas/tables.ts';
import { parseSnapshot, type Visibility } from '#schemas/visibility.ts';
import type { Processor } from '#services/stream-processor/compile.ts';

/** What of a table is at the target already: what this shows, as far as it was committed before the LSN. */
interface Shown {
  readonly until: Lsn;
  readonly visibility: Visibility;
}

/**
 * The chain for a stream that begins before its load: changes that every snapshot shows in which their table was read have gone through
 * the chain with the load, and do not go through it again (a row that it refused would be two dead letters). All others do. Of a table
 * that was read in several, those that only a later one shows may be at the target or not: it takes them so (see `readOverlays`).
 */
export function laidOver(processor: Processor, loaded: LoadedTables | undefined): Processor {
  if (loaded === undefined) return processor;
  const until = laidOverUntil(loaded);
  const byTable = new Map<string, Shown | undefined>();
  const shownOf = (table: string): Shown | undefined => {
    if (byTable.has(table)) return byTable.get(table);
    const first = snapshotsOf(loaded, table)?.[0];
    const shown =
      first?.shown === undefined ? undefined : { until: first.until, visibility: parseSnapshot(first.shown) };
    byTable.set(table, shown);
    return shown;
  };
  return {
    process: (bytes, inputOffset) => {
      // Commit LSNs only grow: what continues from behind everything that was loaded is not looked into.
      if ((continuesFrom(bytes)?.commitLsn ?? 0n) >= until) return processor.process(bytes, inputOffset);
      const { tables } = BlockReader.open(bytes).header;
      const shown = tables.map((table) => shownOf(formatTableName(table)));
      const rest = withoutChanges(bytes, ({ xid, commitLsn }, table) => {
        const held = shown[table];
        return held !== undefined && commitLsn < held.until && held.visibility.shows(xid);
      });
      return processor.process(rest, inputOffset);
    },
  };
}
