import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, parseTableName, type TableEnds } from '#schemas/tables.ts';
import type { Repositories } from './control.ts';
import { tablesInForce } from './in-force.ts';
import { loadAnew } from './pair-commands.ts';
import { syncOf } from './pair-members.ts';
import type { PairOverview } from './pair-records.ts';
import type { OperationRecord } from './sync-operations.ts';

/**
 * Asks for tables of a pair to be loaded anew; all of them when left out. A pair that is loaded does so beside its stream. One that is
 * not, or has failed, is loaded as a whole: there is no stream that they could join.
 * @throws REQUEST_INVALID for a table that the pair does not have; CONFLICTING_STATE when one is being loaded already, or for a part of the
 * tables of a pair that has no stream
 */
export async function resync(
  repositories: Repositories,
  pair: PairOverview,
  wanted: readonly string[] | undefined,
  by: string,
): Promise<OperationRecord> {
  const known = await knownTables(repositories, pair);
  const asked = wanted && new Set(wanted.map((name) => formatTableName(parseTableName(name))));
  const unknown = [...(asked ?? [])].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new TerraFusionError('REQUEST_INVALID', `tables: the pair has no source table ${unknown.join(', ')}`, {
      details: { fields: [{ path: 'tables', message: `unknown: ${unknown.join(', ')}` }] },
    });
  }
  const tables = [...known].filter(([name]) => asked?.has(name) ?? true).map(([, ends]) => ends);
  if (pair.load.state !== 'done' || pair.state === 'failed' || tables.length === 0) {
    if (tables.length === known.size) return await loadAnew(repositories, pair, 'resync', by);
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      `The pair ${pair.name} ${pair.state === 'failed' ? 'has failed' : 'is not loaded yet'}: start it first, or leave "tables" out to load all of them`,
      { details: { state: pair.state, load: pair.load.state } },
    );
  }
  refuseBusy(pair, tables);
  // Rows that an earlier sync has left incomplete are nothing to come back to.
  const names = new Set(tables.map(({ source }) => formatTableName(source)));
  const incomplete = pair.syncs.some(
    (sync) => sync.state === 'left_out' && sync.tables.some(({ source }) => names.has(formatTableName(source))),
  );
  return await repositories.tableSyncs.request(pair.id, {
    kind: incomplete ? 'change' : 'resync',
    tables,
    requestedBy: by,
  });
}

/** @throws CONFLICTING_STATE when one of the tables is being loaded */
export function refuseBusy(pair: PairOverview, tables: readonly TableEnds[]): void {
  const busy = syncOf(pair, tables);
  if (!busy) return;
  const names = busy.tables.map(({ source }) => formatTableName(source));
  throw new TerraFusionError(
    'CONFLICTING_STATE',
    `${names.join(', ')} of pair ${pair.name}: a load is under way; wait until its operation has ended, or cancel it`,
    { details: { operation: busy.operationId, state: busy.state, tables: names } },
  );
}

/** The pair's tables by source name: as it is defined, or else as its load has found them. */
async function knownTables({ tables }: Repositories, pair: PairOverview): Promise<Map<string, TableEnds>> {
  const inForce = tablesInForce(pair);
  const list = inForce.length > 0 ? inForce : await tables.list(pair.id);
  return new Map(list.map(({ source, target }) => [formatTableName(source), { source, target }]));
}

/**
 * Gives up an operation that loads tables beside the stream, or that waits until the pair has caught up. Its end is told by its state.
 * @throws NOT_FOUND; CONFLICTING_STATE when it has ended, or loads the whole pair
 */
export async function cancel(
  { operations, tableSyncs }: Repositories,
  id: string,
): Promise<{ readonly before: OperationRecord; readonly after: OperationRecord }> {
  const before = await operations.get(id);
  if (before.state === 'completed' || before.state === 'failed' || before.state === 'cancelled') {
    throw new TerraFusionError('CONFLICTING_STATE', `The operation is ${before.state} already`, {
      details: { state: before.state },
    });
  }
  if (before.type === 'incremental') await operations.cancel(id);
  else if (!(await tableSyncs.requestCancel({ operationId: id }))) {
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      'A load of the whole pair cannot be cancelled, there is nothing to go back to: pause the pair to stop it',
    );
  }
  return { before, after: await operations.get(id) };
}
