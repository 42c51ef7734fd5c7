import type { TerraFusionError } from '#schemas/errors.ts';
import type { TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import type { Repositories } from './control.ts';
import { endsOf, inForce } from './in-force.ts';
import type { PairRecord } from './pair-records.ts';
import { formatTablePair } from './pair-tables.ts';
import type { OperationRecord } from './sync-operations.ts';
import { activeStates, type TableSyncRecord } from './table-syncs.ts';

/** How one set of a pair's tables differs from another. */
export interface TableDifferences {
  /** New, or going to another target table from now on. */
  readonly added: readonly TableEnds[];
  /** Brought in another way: other columns, another filter, other rules. */
  readonly changed: readonly TableEnds[];
  /** No part of the pair any more, or going to another target table. */
  readonly removed: readonly TableEnds[];
}

type Members = Pick<PairRecord, 'definition' | 'members'>;

export function tableDifferences(before: Members, after: Members): TableDifferences {
  const [old, now] = [byName(before), byName(after)];
  const added: TableEnds[] = [];
  const changed: TableEnds[] = [];
  const removed: TableEnds[] = [];
  for (const [name, input] of now) {
    const known = old.get(name);
    if (known === undefined) added.push(endsOf(input));
    else if (formatTableName(endsOf(known).target) !== formatTableName(endsOf(input).target)) {
      added.push(endsOf(input));
      removed.push(endsOf(known));
    } else if (wayOf(known) !== wayOf(input)) changed.push(endsOf(input));
  }
  for (const [name, input] of old) if (!now.has(name)) removed.push(endsOf(input));
  return { added, changed, removed };
}

function byName(members: Members): Map<string, TableInput> {
  return new Map(
    (inForce(members).tables ?? []).map((input) => [formatTableName(parseTableName(input.source)), input]),
  );
}

/** What decides how its rows arrive, as text. Fields that were not stored and fields that are undefined are the same. */
const wayOf = ({ columns, exclude, where, rules }: TableInput): string =>
  JSON.stringify([sorted(columns), [...exclude].sort(), where ?? null, rules]);

/** The order in which columns are written down says nothing. */
const sorted = (columns: TableInput['columns']): unknown =>
  columns === 'same' ? columns : Object.entries(columns).sort(([a], [b]) => (a < b ? -1 : 1));

/** The sync under way that has one of the tables. */
export function syncOf(
  { syncs }: Pick<PairRecord, 'syncs'>,
  tables: readonly TableEnds[],
): TableSyncRecord | undefined {
  const names = new Set(tables.map(({ source }) => formatTableName(source)));
  return syncs.find(
    (sync) => activeStates.includes(sync.state) && sync.tables.some(({ source }) => names.has(formatTableName(source))),
  );
}

/**
 * Does what a change of a loaded pair's tables asks for: what is new is loaded, what is brought in another way is loaded anew, what is gone
 * keeps its rows at the target. The pair is held (`pairs.lock`) and has been changed by now. @returns the operations that load
 */
export async function followTables(
  { tables, tableSyncs }: Repositories,
  pairId: string,
  { added, changed, removed }: TableDifferences,
  { requestedBy, changedToo }: { readonly requestedBy: string; readonly changedToo: boolean },
): Promise<OperationRecord[]> {
  const operations: OperationRecord[] = [];
  if (removed.length > 0) {
    await tableSyncs.release(pairId, removed);
    await tables.setState(pairId, 'removed', removed);
  }
  if (added.length > 0) {
    await tables.record(
      pairId,
      added.map((table) => ({ ...table, state: 'waiting' as const, rowsCopied: 0 })),
    );
    operations.push(await tableSyncs.request(pairId, { kind: 'add', tables: added, requestedBy }));
  }
  if (changedToo && changed.length > 0)
    operations.push(await tableSyncs.request(pairId, { kind: 'change', tables: changed, requestedBy }));
  return operations;
}

/**
 * Takes a table that was found at the source into a loaded pair, under the same name: it is loaded beside its stream. One that is held at
 * the target, or is being loaded, is left alone. One that bears the name of a table that is gone is another one. To be called in a transaction.
 * @param held names of the tables that the pair's stream writes, where it has found this one
 * @returns what loads it; undefined when there is nothing to do
 */
export async function addTable(
  repositories: Repositories,
  pairIdOrName: string,
  source: TableName,
  held: readonly TableName[],
  requestedBy: string,
): Promise<OperationRecord | undefined> {
  const { pairs } = repositories;
  const before = await pairs.lock(pairIdOrName);
  const name = formatTableName(source);
  const { tables, config } = before.definition;
  const there = namesThere(before, held);
  if (before.load.state !== 'done' || there.has(name)) return undefined;
  if (tables === undefined)
    await pairs.change(before.id, { members: [...new Set([...(before.members ?? []), ...there, name])] });
  else {
    if (tables.some((input) => formatTableName(endsOf(input).source) === name || isTargetOf(input, name)))
      return undefined;
    const added: TableInput = { source: name, columns: 'same', exclude: [], rules: [] };
    await pairs.change(before.id, { definition: { config, tables: [...tables, added] } });
  }
  const [operation] = await followTables(
    repositories,
    before.id,
    { added: [endsOf({ source: name })], changed: [], removed: [] },
    { requestedBy, changedToo: false },
  );
  return operation;
}

const isTargetOf = (input: TableInput, name: string): boolean => formatTableName(endsOf(input).target) === name;

/** Tables that a pair's stream has, and those that are being loaded beside it or are left out. */
function namesThere({ syncs }: Pick<PairRecord, 'syncs'>, held: readonly TableName[]): Set<string> {
  const names = new Set(held.map(formatTableName));
  for (const { tables } of syncs) for (const { source } of tables) names.add(formatTableName(source));
  return names;
}

/**
 * Brings the tables of a pair that takes every table in line with those that its stream writes: some are called otherwise at the source
 * by now, or are gone. To be called in a transaction. @param readHeld asks the target @returns whether there was anything to do
 */
export async function noteHeldTables(
  { pairs, tables }: Repositories,
  pairId: string,
  readHeld: () => Promise<readonly TableName[]>,
): Promise<boolean> {
  const before = await pairs.lock(pairId);
  const { definition, members, load } = before;
  if (definition.tables !== undefined || members === undefined || load.state !== 'done') return false;
  // Asked after the syncs: a table whose sync has ended by then is held.
  const held = await readHeld();
  if (held.length === 0) return false;
  const there = namesThere(before, held);
  const gone = members.filter((name) => !there.has(name));
  const came = [...there].filter((name) => !members.includes(name));
  if (gone.length === 0 && came.length === 0) return false;
  await pairs.change(pairId, { members: [...there] });
  const [from, to] = [gone[0], came[0]].map((name) => name && endsOf({ source: name }));
  if (gone.length === 1 && came.length === 1) await tables.rename(pairId, from as TableEnds, to as TableEnds);
  else {
    await tables.forget(
      pairId,
      gone.map((source) => endsOf({ source })),
    );
    await tables.record(
      pairId,
      came.map((source) => ({ ...endsOf({ source }), state: 'streaming' as const, rowsCopied: 0 })),
    );
  }
  return true;
}

/** Notes that a table of the source cannot be taken in as it stands, for people. @returns whether that is new */
export async function noteRefusedTable(
  { pairs, tables }: Repositories,
  pairId: string,
  source: TableName,
  error: TerraFusionError,
): Promise<boolean> {
  await pairs.lock(pairId);
  const ends = endsOf({ source: formatTableName(source) });
  const known = (await tables.list(pairId)).find((table) => formatTablePair(table) === formatTablePair(ends));
  if (known !== undefined && known.state !== 'removed') return false;
  await tables.record(pairId, [{ ...ends, state: 'left_out', rowsCopied: 0 }]);
  await tables.setState(pairId, 'left_out', [ends], error);
  return true;
}
