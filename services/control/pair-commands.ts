import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import type { Repositories } from './control.ts';
import type { PairOverview, PairRecord } from './pair-records.ts';
import type { OperationRecord } from './sync-operations.ts';

/** An operator's word that the pair is to run from now on: whatever was stopped with it goes on, and no operation pauses it at its end. */
export async function startPair(repositories: Repositories, pair: PairRecord, by: string): Promise<void> {
  await repositories.operations.keepRunning(pair.id);
  await repositories.runs.setDesired(pair.id, 'running');
  await repositories.operations.reopen(pair.id);
  await wantLoad(repositories, pair, by);
}

/** An operator's word that the pair is to stop: its operations stop with it, at a checkpoint, and go on when it does. */
export async function pausePair({ runs, operations }: Repositories, pair: PairRecord): Promise<void> {
  await operations.stop(pair.id);
  await runs.setDesired(pair.id, 'paused');
}

/** Has the pair run for an operation. What runs already is left alone. */
async function runFor(repositories: Repositories, pair: PairRecord, by: string): Promise<void> {
  if (pair.desired !== 'running' || pair.state === 'failed') await repositories.runs.setDesired(pair.id, 'running');
  await wantLoad(repositories, pair, by);
}

/** Is the pair's first load still to come, it becomes an operation that people see. */
async function wantLoad({ operations }: Repositories, pair: PairRecord, by: string): Promise<void> {
  if (pair.load.state === 'done') return;
  if (await operations.hasOpen(pair.id, ['full', 'resync'])) return;
  await operations.create({ pairId: pair.id, type: 'full', requestedBy: by });
}

export interface OperationWish {
  readonly by: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** The pair is paused at the operation's end, if it was paused before; "run every night" rests on it. */
  readonly pauseAfter: boolean;
}

/** An operation that loads all tables anew. The pair is held by `lock`. */
export async function startFull(
  repositories: Repositories,
  pair: PairOverview,
  { by, parameters, pauseAfter }: OperationWish,
): Promise<OperationRecord> {
  const pauses = pauseAfter && (await pausesAfter(repositories, pair));
  const made = await loadAnew(repositories, pair, 'full', by, {
    ...parameters,
    ...(pauses && { pause_after: true }),
  });
  await runFor(repositories, await repositories.pairs.get(pair.id), by);
  return made;
}

/**
 * An operation that is completed once the target has everything up to `until`, a position that the source has reached. The pair is held by
 * `lock`.
 * @throws {TerraFusionError} PAIR_NOT_LOADED
 */
export async function startIncremental(
  repositories: Repositories,
  pair: PairOverview,
  until: Lsn,
  { by, parameters, pauseAfter }: OperationWish,
): Promise<OperationRecord> {
  assertLoaded(pair);
  const pauses = pauseAfter && (await pausesAfter(repositories, pair));
  const made = await repositories.operations.create({
    pairId: pair.id,
    type: 'incremental',
    requestedBy: by,
    parameters: { ...parameters, until_lsn: formatLsn(until), ...(pauses && { pause_after: true }) },
    state: 'running',
  });
  await runFor(repositories, pair, by);
  return made;
}

/** What streams changes can catch up; so can what is being loaded. @throws {TerraFusionError} PAIR_NOT_LOADED */
export function assertLoaded({ name, load, desired, state }: PairRecord): void {
  if (load.state === 'done' || (desired === 'running' && state !== 'failed')) return;
  throw new TerraFusionError(
    'PAIR_NOT_LOADED',
    `The pair ${name} has not been loaded: there is nothing yet on which changes could be laid`,
    { details: { desired, state, load: load.state } },
  );
}

/** A pair that runs only for the operation that is under way, or has failed at it, is as good as paused. */
async function pausesAfter({ operations }: Repositories, pair: PairRecord): Promise<boolean> {
  return pair.desired === 'paused' || (await operations.latestPauses(pair.id));
}

/** Stops an operation at a checkpoint. @throws {TerraFusionError} CONFLICTING_STATE when it has ended, or is stopped */
export async function stopOperation({ operations, runs }: Repositories, operation: OperationRecord): Promise<void> {
  const { id, type, state, pair, parameters } = operation;
  if (state !== 'pending' && state !== 'running') throw cannot(operation, 'stopped');
  if (type === 'incremental' && parameters['pause_after'] !== true) {
    // The pair streams by itself, with or without somebody who waits for it.
    await operations.moveTo(id, 'stopped');
    return;
  }
  await operations.moveTo(id, 'stopping');
  await runs.setDesired(pair.id, 'paused');
}

/** Has a stopped operation go on, or tries a failed one again. @throws {TerraFusionError} CONFLICTING_STATE */
export async function resumeOperation(
  repositories: Repositories,
  operation: OperationRecord,
  pair: PairOverview,
): Promise<void> {
  const { operations } = repositories;
  const { id, type, state } = operation;
  if (state !== 'stopped' && state !== 'stopping' && state !== 'failed') throw cannot(operation, 'resumed');
  if (type !== 'incremental' && (await operations.hasOpen(pair.id, ['full', 'resync'], id))) {
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      `Another load of the pair ${pair.name} was begun after the ${type} operation ${id}`,
      {
        details: { state },
      },
    );
  }
  await operations.moveTo(id, type === 'incremental' ? 'running' : 'pending');
  await runFor(repositories, pair, operation.requestedBy);
}

function cannot({ id, type, state }: OperationRecord, what: string): TerraFusionError {
  return new TerraFusionError('CONFLICTING_STATE', `The ${type} operation ${id} is ${state}: it cannot be ${what}`, {
    details: { state },
  });
}

/** Asks for all tables to be loaded anew; what was under way of that kind ends here. */
export async function loadAnew(
  { runs, operations }: Repositories,
  pair: PairOverview,
  type: 'full' | 'resync',
  by: string,
  parameters: Readonly<Record<string, unknown>> = {},
): Promise<OperationRecord> {
  await operations.cancelOpen(pair.id, ['full', 'resync']);
  // A pair that was never loaded needs no second load to be asked for.
  if (pair.load.state !== 'requested') await runs.requestResync(pair.id);
  else if (pair.state === 'failed' && pair.desired === 'running') await runs.setDesired(pair.id, 'running');
  return await operations.create({ pairId: pair.id, type, requestedBy: by, parameters });
}
