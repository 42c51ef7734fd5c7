import type { Lsn } from './lsn.ts';

/** A moment at which a source was read. */
export interface LoadedSnapshot {
  /** Everything it shows was committed before this LSN. */
  readonly until: Lsn;
  /** Which transactions it shows (`pg_snapshot`), where the source can tell. */
  readonly shown: string | undefined;
}

/**
 * What a load has read, and when: the stream, which begins before it, is laid over that. A table that was read at one moment is laid over
 * exactly: what its snapshot shows is left out, all else is applied. One that was read in parts at several moments is laid over
 * tolerantly from what the first shows to what the last does.
 */
export interface LoadedTables {
  readonly snapshots: readonly LoadedSnapshot[];
  /** By source table, as places in `snapshots`: the first and the last it was read in. */
  readonly tables: Readonly<Record<string, readonly [number, number]>>;
  /** Of all tables that are not named; undefined when there are none. */
  readonly rest: readonly [number, number] | undefined;
}

/** From here on nothing is laid over any more: the target is consistent. */
export function laidOverUntil({ snapshots }: LoadedTables): Lsn {
  return snapshots.reduce((latest, { until }) => (until > latest ? until : latest), 0n);
}

/** The first and the last snapshot that the source table was read in. */
export function snapshotsOf(
  { snapshots, tables, rest }: LoadedTables,
  table: string,
): readonly [LoadedSnapshot, LoadedSnapshot] | undefined {
  const places = Object.hasOwn(tables, table) ? tables[table] : rest;
  return places && [snapshots[places[0]]!, snapshots[places[1]]!];
}

/** Negative when `a` was taken before `b`: then `b` shows all that `a` shows. */
export function compareSnapshots(a: LoadedSnapshot, b: LoadedSnapshot): number {
  if (a.until !== b.until) return a.until < b.until ? -1 : 1;
  const [before, after] = [shownUpTo(a.shown), shownUpTo(b.shown)];
  for (const [i, value] of before.entries()) if (value !== after[i]) return value < after[i]! ? -1 : 1;
  return 0;
}

/** Grows with what is shown: the oldest transaction that still ran, the next one, and the fewer ran in between the more. */
function shownUpTo(shown: string | undefined): [bigint, bigint, bigint] {
  const [xmin = '0', xmax = '0', running = ''] = (shown ?? '').split(':');
  return [BigInt(xmin), BigInt(xmax), BigInt(running === '' ? 0 : -running.split(',').length)];
}
