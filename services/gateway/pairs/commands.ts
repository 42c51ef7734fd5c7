import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import type { Repositories } from '#services/control/control.ts';
import type { PairOverview, PairRecord } from '#services/control/pair-records.ts';
import type { OperationRecord } from '#services/control/sync-operations.ts';

/** Wants the pair to run; is its first load still to come, it becomes an operation that people see. */
export async function wantRunning({ runs, operations }: Repositories, pair: PairRecord, by: string): Promise<void> {
  await runs.setDesired(pair.id, 'running');
  if (pair.load.state !== 'requested') return;
  const { items } = await operations.list({ pairId: pair.id, state: 'pending' }, { limit: 10 });
  if (items.some(({ type }) => type === 'full' || type === 'resync')) return;
  await operations.create({ pairId: pair.id, type: 'full', requestedBy: by });
}

/** Asks for all tables to be loaded anew; what was under way of that kind ends here. */
export async function loadAnew(
  { runs, operations }: Repositories,
  pair: PairOverview,
  type: 'full' | 'resync',
  by: string,
): Promise<OperationRecord> {
  await operations.stopOpen(pair.id, ['full', 'resync']);
  // A pair that was never loaded needs no second load to be asked for.
  if (pair.load.state !== 'requested') await runs.requestResync(pair.id);
  else if (pair.state === 'failed' && pair.desired === 'running') await runs.setDesired(pair.id, 'running');
  return await operations.create({ pairId: pair.id, type, requestedBy: by });
}

/** A resync takes the whole pair. @throws REQUEST_INVALID for a part of its tables, or one that it does not have */
export async function wholePairOnly(
  { tables }: Repositories,
  pair: PairOverview,
  wanted: readonly string[] | undefined,
): Promise<void> {
  if (wanted === undefined) return;
  const canonical = (name: string): string => formatTableName(parseTableName(name));
  const known = new Set(
    pair.definition.tables?.map(({ source }) => canonical(source)) ??
      (await tables.list(pair.id)).map(({ source }) => formatTableName(source)),
  );
  const asked = new Set(wanted.map(canonical));
  const unknown = [...asked].filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new TerraFusionError('REQUEST_INVALID', `tables: the pair has no source table ${unknown.join(', ')}`, {
      details: { fields: [{ path: 'tables', message: `unknown: ${unknown.join(', ')}` }] },
    });
  }
  if (asked.size < known.size) {
    throw new TerraFusionError(
      'REQUEST_INVALID',
      'tables: this version loads all tables of a pair anew, or none: their rows are taken at one moment; leave "tables" out',
      { details: { fields: [{ path: 'tables', message: 'leave it out' }] } },
    );
  }
}
