import { syncKey, TAKEN_BACK } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName, type TableEnds } from '#schemas/tables.ts';
import { tablesInForce } from '#services/control/in-force.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { divideRequest } from './division.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import type { SupervisedPair, TableSync } from './ports.ts';
import { noted, type SyncAtWork } from './table-sync.ts';
import { loadTables, prepareTables } from './table-sync-load.ts';
import { catchUp } from './table-sync-stream.ts';
import { traced } from './traced.ts';
import type { WorkUnit } from './work.ts';

export const tableSyncWork = (pairId: string, number: number): string => `table-sync:${pairId}/${number}`;

export function tableSyncUnit(pair: SupervisedPair, sync: TableSync, env: WorkEnvironment): WorkUnit {
  const { control } = env;
  return {
    name: tableSyncWork(pair.id, sync.number),
    // A cancelled one drains what it does, and begins again as what brings its tables back.
    version: `run ${pair.runs}${sync.cancelRequested ? ' cancelled' : ''}`,
    about: { pair: pair.name, pair_id: pair.id },
    run: traced(pair, env, 'table sync', (_pair, own, signal) => runTableSync(pair, sync, own, signal)),
    interrupted: (error) => control.recordSyncError(pair.id, sync.number, error),
    halted: async (error) => {
      const early = (sync.state === 'requested' || sync.state === 'loading') && !sync.cancelRequested;
      await control.audit('pair.table_sync_failed', pair.id, {
        sync: sync.number,
        code: error.code,
        message: error.message,
      });
      if (early) await control.giveUpSync(pair.id, sync.number, error);
      else await leaveOut(pair, sync, env, error);
    },
  };
}

/**
 * Loads tables of a pair anew, or for the first time, while the pair streams; from whatever an earlier try has left. (Promise 5)
 *
 *  1. requested: the tables leave the pair's stream, between two of its transactions (`Target.divide`).
 *  2. loading: their rows are replaced by those of a snapshot, chunk by chunk; a position of the sync's own ends it.
 *  3. catching_up: a stream of the sync's own, laid over the snapshot exactly, until it has reached the pair's (`Target.join`). From the
 *     position it had then, the pair's stream brings them again.
 *
 * The pair's stream never stops for it. Its other tables are consistent all the time (Promise 3); these lag behind them meanwhile.
 * A resync keeps the new rows beside the old ones until all are there. Cancelled or failed before, its tables come back with the rows they
 * had, from where they left (rejoining). Those of other kinds have none that could go on: they are left out. Once the new ones are in place,
 * the quickest way to a consistent table is to go on.
 */
async function runTableSync(
  pair: SupervisedPair,
  wanted: TableSync,
  env: WorkEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const { control } = env;
  let work: SyncAtWork = {
    pair,
    sync: wanted,
    key: syncKey(pair.id, wanted.number),
    source: await control.openSource(pair.sourceId),
    target: await control.openTarget(pair.targetId),
    env,
    context: contextOf(env, pair.name, signal),
  };
  work = await asTheTargetHasIt(work);
  if (work.sync.state === 'done') return;
  if (work.sync.cancelRequested && isEarly(work.sync)) {
    const back = await comeBack(work);
    if (back === undefined) return;
    work = back;
  }
  if (work.sync.state === 'requested') work = await begin(work);
  if (work.sync.state === 'loading') {
    work = await noted(await loadTables(work), { state: 'catching_up' });
  }
  await catchUp(work);
  await finish(work);
}

/** What was done last may not have been noted: the target is believed. */
async function asTheTargetHasIt(work: SyncAtWork): Promise<SyncAtWork> {
  const { pair, sync, key, target, context } = work;
  const held = await target.applied(key, context);
  if (held) {
    // What its rows are is known there alone: those of the load, or those they had.
    const state = held.division?.version === TAKEN_BACK ? 'rejoining' : 'catching_up';
    return state === sync.state ? work : await noted(work, { state });
  }
  if (isEarly(sync)) return work;
  if ((await target.join(pair.id, { sync: sync.number, version: sync.version }, context)) === 'joined') {
    await finish(work);
    return { ...work, sync: { ...sync, state: 'done' } };
  }
  // Somebody has removed it at the target: from the beginning, whatever rows are there.
  return await noted(work, { state: 'requested' });
}

const isEarly = ({ state }: TableSync): boolean => state === 'requested' || state === 'loading';

/** The tables leave the pair's stream, and it is known what is to be loaded. */
async function begin(work: SyncAtWork): Promise<SyncAtWork> {
  const { pair, target, env, context } = work;
  const together = await withConnected(work);
  const all = { ...work, sync: { ...work.sync, tables: together } };
  const planned = await prepareTables(all, work.sync.tables);
  const held = await target.divide(pair.id, divideRequest(pair, all.sync), context);
  const apart = held?.division?.apart.find(({ sync }) => sync === all.sync.number);
  if (held === undefined || apart === undefined) {
    throw new TerraFusionError('TARGET_FENCED', `The target holds a newer version of pair ${pair.name} than this one`);
  }
  crashPoint(crashPoints.SUPERVISOR_TABLE_SYNC_APART_NOT_NOTED);
  env.log.info(
    { pair: pair.name, sync: all.sync.number, tables: apart.tables.map(({ source }) => formatTableName(source)) },
    'Tables have left the stream to be loaded.',
  );
  await env.control.releaseSynced(pair.id, apart.tables);
  return await planned.chooseStart(apart);
}

/** Where foreign keys connect tables at the target, one cannot be emptied, or lag behind, without the others: they go together. */
async function withConnected({ pair, sync, target, context }: SyncAtWork): Promise<readonly TableEnds[]> {
  const all = tablesInForce(pair);
  const own = new Set(sync.tables.map(({ target: table }) => formatTableName(table)));
  const groups = await target.connected(
    all.map((table) => table.target),
    context,
  );
  const wanted = new Set(
    groups
      .map((group) => group.map(formatTableName))
      .filter((group) => group.some((name) => own.has(name)))
      .flat(),
  );
  const more = all.filter(
    ({ target: table }) => wanted.has(formatTableName(table)) && !own.has(formatTableName(table)),
  );
  const busy = pair.syncs.filter(
    ({ number, state, tables }) =>
      number !== sync.number &&
      state !== 'left_out' &&
      tables.some((table) => more.some((each) => formatTableName(each.source) === formatTableName(table.source))),
  );
  const first = busy[0];
  if (first) {
    throw new TerraFusionError(
      'TABLE_SYNC_WAITS',
      `Foreign keys connect ${sync.tables.map(({ source }) => formatTableName(source)).join(', ')} with tables of table sync ${first.number}, which has to end first`,
    );
  }
  return [...sync.tables, ...more];
}

/**
 * Given up before rows were replaced. A resync's tables come back to the stream with the rows they have; those of other kinds have none
 * that could go on, and are left out.
 * @returns undefined when that is the end of it
 */
async function comeBack(work: SyncAtWork): Promise<SyncAtWork | undefined> {
  const { pair, sync, target, env, context } = work;
  const error = sync.error === undefined ? undefined : asGiven(sync.error);
  if (sync.kind !== 'resync') {
    await leaveOut(pair, sync, env, error);
    return undefined;
  }
  const held = await target.takeBack(pair.id, sync.number, context);
  if (held === 'replaced') {
    await leaveOut(pair, sync, env, error);
    return undefined;
  }
  if (held && held.division?.version !== TAKEN_BACK) {
    // A load that was believed dead had come to its end.
    return await noted(work, { state: 'catching_up' });
  }
  if (held === undefined) {
    await env.control.finishSync(pair.id, sync.number, 'cancelled', error ? 'failed' : 'cancelled');
    return undefined;
  }
  // What its load had refused is no part of what is there.
  await env.control.forgetLoadLetters(
    pair.id,
    sync.tables.map((table) => table.source),
  );
  crashPoint(crashPoints.SUPERVISOR_TABLE_SYNC_TAKEN_BACK_NOT_NOTED);
  return await noted(work, { state: 'rejoining' });
}

/** The error as the control database keeps it. */
function asGiven(error: unknown): TerraFusionError {
  const { code, message } = error as { code: TerraFusionError['code']; message: string };
  return new TerraFusionError(code, message);
}

/** The end of a sync whose tables are incomplete: they stay apart, and everybody is told so. (Promise 9) */
async function leaveOut(
  pair: SupervisedPair,
  sync: TableSync,
  { control, log }: WorkEnvironment,
  error: TerraFusionError | undefined,
): Promise<void> {
  const tables = sync.tables.map(({ source }) => formatTableName(source));
  log.warn({ pair: pair.name, sync: sync.number, tables, error }, 'Tables are left out of the pair: resync them.');
  const why = error ? `its load failed (${error.code}: ${error.message})` : 'its load was cancelled';
  const told = new TerraFusionError('TABLE_LEFT_OUT', `What the target holds of this table is incomplete: ${why}`);
  await control.setTables(pair.id, 'left_out', sync.tables, told);
  await control.audit('pair.tables_left_out', pair.id, { sync: sync.number, tables, code: error?.code ?? null });
  await control.finishSync(pair.id, sync.number, 'left_out', error ? 'failed' : 'cancelled', error);
}

async function finish({ pair, sync, env }: SyncAtWork): Promise<void> {
  const { control, log } = env;
  const tables = sync.tables.map(({ source }) => formatTableName(source));
  await control.setTables(pair.id, 'streaming', sync.tables);
  await control.audit('pair.tables_joined', pair.id, { sync: sync.number, tables });
  const end = !sync.cancelRequested ? 'completed' : sync.error === undefined ? 'cancelled' : 'failed';
  await control.finishSync(pair.id, sync.number, 'done', end);
  log.info({ pair: pair.name, sync: sync.number, tables }, 'Tables have joined the stream again.');
  env.wake();
}
