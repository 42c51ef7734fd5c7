import type { LoadedTables } from '#schemas/loaded.ts';
import { formatLsn, parseLsn } from '#schemas/lsn.ts';

/** What a load has read and when, as it is kept. */
export interface StoredLoaded {
  readonly snapshots: readonly { readonly until: string; readonly shown?: string | undefined }[];
  readonly tables: LoadedTables['tables'];
  readonly rest?: LoadedTables['rest'];
}

export function storedLoaded(loaded: LoadedTables): StoredLoaded {
  return { ...loaded, snapshots: loaded.snapshots.map(({ until, shown }) => ({ until: formatLsn(until), shown })) };
}

export function toLoaded({ snapshots, tables, rest }: StoredLoaded): LoadedTables {
  return { snapshots: snapshots.map(({ until, shown }) => ({ until: parseLsn(until), shown })), tables, rest };
}
