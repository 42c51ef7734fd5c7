import type { TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import type { Repositories } from './control.ts';
import { endsOf, inForce, tablesInForce } from './in-force.ts';
import type { PairRecord } from './pair-records.ts';
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
 * Takes tables that were found at the source into a loaded pair, under the same names: they are loaded beside its stream. Tables that it
 * has already are left alone. To be called in a transaction. @returns what loads them; undefined when none is new
 */
export async function addTables(
  repositories: Repositories,
  pairIdOrName: string,
  sources: readonly TableName[],
  requestedBy: string,
): Promise<OperationRecord | undefined> {
  const { pairs } = repositories;
  const before = await pairs.lock(pairIdOrName);
  const known = new Set(tablesInForce(before).map(({ source }) => formatTableName(source)));
  const names = sources.map(formatTableName).filter((name) => !known.has(name));
  if (names.length === 0 || before.load.state !== 'done') return undefined;
  const { tables, config } = before.definition;
  const after =
    tables === undefined
      ? await pairs.change(before.id, { members: [...(before.members ?? []), ...names] })
      : await pairs.change(before.id, {
          definition: {
            config,
            tables: [
              ...tables,
              ...names.map((source): TableInput => ({ source, columns: 'same', exclude: [], rules: [] })),
            ],
          },
        });
  const [operation] = await followTables(repositories, before.id, tableDifferences(before, after), {
    requestedBy,
    changedToo: false,
  });
  return operation;
}
