import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ChunkRange, RawFormat, SourceSnapshot } from '#connectors/contract/source.ts';
import type { LoadChunk, LoadTable, TargetLoad } from '#connectors/contract/target.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import type { LoadOptions, TableLoad } from './options.ts';
import type { Unit } from './schedule.ts';

/** A chunk: large enough that a transaction costs nothing beside it, small enough that a kill loses little. */
const CHUNK_BYTES = 8 * 1024 * 1024;

/** What goes over in one target transaction: a chunk, or all of several tables. */
export interface Job {
  readonly parts: readonly Part[];
  /** Its tables point to each other. */
  readonly together: boolean;
}

export interface Part {
  readonly load: TableLoad;
  readonly number: number;
  readonly range: ChunkRange;
  /** Of rows that go over as they are. */
  readonly format: RawFormat;
}

export interface LoadPlan {
  readonly units: readonly Unit<Job>[];
  /** An earlier try has left something. */
  readonly resumed: boolean;
}

export function chunksByTable(chunks: readonly LoadChunk[]): ReadonlyMap<string, readonly LoadChunk[]> {
  return Map.groupBy(chunks, ({ table }) => formatTableName(table));
}

/** Whether every table is planned and every chunk of it at the target. */
export function isAllThere({ tables }: TargetLoad, chunks: readonly LoadChunk[]): boolean {
  const byTable = chunksByTable(chunks);
  return tables.every(({ table }) =>
    byTable.get(formatTableName(table))?.every(({ finished }) => finished !== undefined),
  );
}

/**
 * What is left to do: chunks that an earlier try has planned and not finished, and a plan, stored before the first of them is read, for
 * tables that have none. Tables that only one moment can show right, and were not finished in it, are emptied and begun again.
 */
export async function planLoad(
  options: LoadOptions,
  load: TargetLoad,
  snapshot: SourceSnapshot,
  context: ConnectorContext,
): Promise<LoadPlan> {
  const loads = new Map(options.tables.map((table) => [formatTableName(table.target), table]));
  const loadOf = ({ table }: LoadTable): TableLoad => loads.get(formatTableName(table))!;
  const before = chunksByTable(await load.chunks());

  // Of a try that had begun with something else nothing is left at the target.
  if (before.size === 0) await forgetLetters(options.tables, options);
  const broken = await unfit(load.tables, before, loadOf, snapshot, context);
  if (broken.length > 0) {
    await emptyAgain(
      broken.map(({ table }) => table),
      options,
      load,
    );
  }
  const isPlanned = (table: LoadTable): boolean => before.has(formatTableName(table.table)) && !broken.includes(table);
  const unplanned = load.tables.filter((table) => !isPlanned(table));
  if (unplanned.length > 0) {
    const cut = await snapshot.plan(
      unplanned.map((table) => loadOf(table).shape),
      { bytes: CHUNK_BYTES, rows: options.limits.chunkRows },
      context.signal,
    );
    await load.plan(
      unplanned.map(({ table, together }, i) => ({
        table,
        ranges: together.length > 0 ? [{ by: 'whole' as const }] : cut[i]!,
      })),
    );
  }

  const chunks = chunksByTable(await load.chunks());
  options.observer.begun(load.tables.map((table) => startOf(loadOf(table), chunks.get(formatTableName(table.table))!)));
  const formatOf = await formatsOf(load.tables, loadOf, snapshot);
  return { units: unitsOf(load.tables, chunks, loadOf, formatOf), resumed: before.size > 0 };
}

/** As bytes where both ends mean the same by them, for each column: neither has to print or to read a text then. */
async function formatsOf(
  tables: readonly LoadTable[],
  loadOf: (table: LoadTable) => TableLoad,
  snapshot: SourceSnapshot,
): Promise<(table: LoadTable) => RawFormat> {
  const identical = tables.filter((table) => loadOf(table).identity);
  const sent = await snapshot.binaryFormats(identical.map((table) => loadOf(table).shape.table));
  const binary = new Set(
    identical.filter(({ binaryFormats: received }, i) => {
      const { columns } = loadOf(identical[i]!).shape.table;
      return (
        columns.length > 0 &&
        columns.every(({ name }) => sent[i]!.has(name) && sent[i]!.get(name) === received.get(name))
      );
    }),
  );
  return (table) => (binary.has(table) ? 'binary' : 'text');
}

/** Empties target tables that are read again from their first row on, and forgets what was refused of them. */
export async function emptyAgain(names: readonly TableName[], options: LoadOptions, load: TargetLoad): Promise<void> {
  await load.reset(names);
  const chosen = new Set(names.map(formatTableName));
  await forgetLetters(
    options.tables.filter(({ target }) => chosen.has(formatTableName(target))),
    options,
  );
}

async function forgetLetters(tables: readonly TableLoad[], options: LoadOptions): Promise<void> {
  for (const { shape, identity } of tables)
    if (!identity) await options.forgetDeadLetters(shape.table.relationId, 0, Number.MAX_SAFE_INTEGER);
}

/** Planned tables whose plan cannot be gone on with. */
async function unfit(
  tables: readonly LoadTable[],
  before: ReadonlyMap<string, readonly LoadChunk[]>,
  loadOf: (table: LoadTable) => TableLoad,
  snapshot: SourceSnapshot,
  { signal }: ConnectorContext,
): Promise<LoadTable[]> {
  const begun = tables.filter(({ table, together }) => {
    const chunks = before.get(formatTableName(table));
    return together.length === 0 && chunks?.some(({ finished }) => finished === undefined);
  });
  if (begun.length === 0) return [];
  // As one chunk each, only to see by what they are told apart now.
  const today = await snapshot.plan(
    begun.map((table) => loadOf(table).shape),
    { bytes: Infinity },
    signal,
  );
  return begun.filter((table, i) => {
    const [first] = before.get(formatTableName(table.table))!;
    return isAtOnce(table, loadOf(table), first!.range) || keyOf(first!.range) !== keyOf(today[i]![0]!);
  });
}

function keyOf(range: ChunkRange): string {
  return range.by === 'key' ? JSON.stringify(range.columns) : range.by;
}

/**
 * Whether the table must be read at one moment: nothing tells its rows apart, or nothing finds them again at the target, so that changes
 * could not be laid over rows of several moments.
 */
function isAtOnce({ together, primaryKey }: LoadTable, { shape }: TableLoad, range: ChunkRange): boolean {
  if (together.length > 0 || range.by !== 'key') return true;
  const { identity } = shape.table;
  return identity === 'nothing' || (identity === 'full' && primaryKey.length === 0);
}

function startOf({ shape }: TableLoad, chunks: readonly LoadChunk[]) {
  const done = chunks.flatMap(({ finished }) => finished ?? []);
  return {
    table: shape.table,
    rows: done.reduce((sum, { rows }) => sum + rows, 0),
    bytes: done.reduce((sum, { bytes }) => sum + bytes, 0),
    chunks: chunks.length,
    chunksDone: done.length,
  };
}

function unitsOf(
  tables: readonly LoadTable[],
  chunks: ReadonlyMap<string, readonly LoadChunk[]>,
  loadOf: (table: LoadTable) => TableLoad,
  formatOf: (table: LoadTable) => RawFormat,
): Unit<Job>[] {
  const units: Unit<Job>[] = [];
  const taken = new Set<LoadTable>();
  for (const table of tables) {
    if (taken.has(table)) continue;
    const group =
      table.together.length === 0
        ? [table]
        : tables.filter((other) =>
            table.together.some((name) => formatTableName(name) === formatTableName(other.table)),
          );
    for (const one of group) taken.add(one);
    const parts = group.flatMap((one) =>
      chunks
        .get(formatTableName(one.table))!
        .filter(({ finished }) => finished === undefined)
        .map(({ number, range }) => ({ load: loadOf(one), number, range, format: formatOf(one) })),
    );
    const together = table.together.length > 0;
    units.push({
      tables: group.map((one) => formatTableName(one.table)),
      after: table.after.map(formatTableName),
      jobs: together
        ? parts.length === 0
          ? []
          : [{ parts, together }]
        : parts.map((part) => ({ parts: [part], together })),
      atOnce: parts.length > 0 && isAtOnce(table, loadOf(table), parts[0]!.range),
    });
  }
  return units;
}

/** Rows of a chunk have numbers of their own in dead letters, whatever the chunks before it hold. */
const ORDINALS_A_CHUNK = 10_000_000_000;

/** The first ordinal of the chunk's rows, and of the next chunk's. */
export function ordinalsOf(number: number): readonly [number, number] {
  return [number * ORDINALS_A_CHUNK, (number + 1) * ORDINALS_A_CHUNK];
}
