import type { LoadChunk } from '#connectors/contract/target.ts';
import { compareSnapshots, type LoadedSnapshot, type LoadedTables } from '#schemas/loaded.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { TableLoad } from './options.ts';
import { chunksByTable } from './plan.ts';

/** The first and the last moment at which a table was read. */
export type Moments = readonly [LoadedSnapshot, LoadedSnapshot];

function momentsOf(chunks: readonly LoadChunk[]): Moments | undefined {
  const snapshots = chunks.map(({ finished }) => finished!.snapshot).sort(compareSnapshots);
  return snapshots.length === 0 ? undefined : [snapshots[0]!, snapshots.at(-1)!];
}

/** Tables that were not read at one moment, with their first and last. */
export function readAtSeveralMoments(
  chunks: readonly LoadChunk[],
  tables: readonly TableLoad[],
): ReadonlyMap<TableLoad, Moments> {
  const byTable = chunksByTable(chunks);
  const found = new Map<TableLoad, Moments>();
  for (const table of tables) {
    const moments = momentsOf(byTable.get(formatTableName(table.target)) ?? []);
    if (moments && compareSnapshots(...moments) !== 0) found.set(table, moments);
  }
  return found;
}

/** What a load that has all its chunks has read, and when. */
export function loadedTables(chunks: readonly LoadChunk[], tables: readonly TableLoad[]): LoadedTables {
  const byTable = chunksByTable(chunks);
  const snapshots: LoadedSnapshot[] = [];
  const placeOf = (snapshot: LoadedSnapshot): number => {
    const known = snapshots.findIndex((one) => one.until === snapshot.until && one.shown === snapshot.shown);
    return known === -1 ? snapshots.push(snapshot) - 1 : known;
  };
  const places = new Map<string, readonly [number, number]>();
  for (const { shape, target } of tables) {
    const moments = momentsOf(byTable.get(formatTableName(target)) ?? []);
    if (moments) places.set(formatTableName(shape.table), [placeOf(moments[0]), placeOf(moments[1])]);
  }
  // Most have the same: those are not named.
  const counts = Map.groupBy(places.values(), ([first, last]) => `${first} ${last}`);
  const rest = [...counts.values()].sort((a, b) => b.length - a.length)[0]?.[0];
  const named = [...places].filter(([, [first, last]]) => first !== rest?.[0] || last !== rest[1]);
  return { snapshots, tables: Object.fromEntries(named), rest };
}
