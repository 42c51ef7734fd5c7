import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SourceSnapshot } from '#connectors/contract/source.ts';
import type { Applied, LoadChunk, LoadTable, TargetLoad } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { compareSnapshots } from '#schemas/loaded.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { movedRows } from './moved-rows.ts';
import type { LoadOptions } from './options.ts';
import { chunksByTable, emptyAgain, isAllThere, planLoad } from './plan.ts';
import { loadedTables, readAtSeveralMoments } from './read-when.ts';
import { related } from './related.ts';
import { Schedule } from './schedule.ts';
import { isOpen } from './window.ts';
import { type Failure, runWorkers } from './workers.ts';

/** How often it is looked whether the source still keeps the stream for us. */
const LOOK_AT_STREAM_MS = 5000;

/**
 * One snapshot's worth of a load. "again": some tables have to be read again, and were emptied; "resting": the window has closed.
 */
export async function attempt(options: LoadOptions, outer: ConnectorContext): Promise<Applied | 'again' | 'resting'> {
  const failed = new AbortController();
  const signal = AbortSignal.any([outer.signal, failed.signal]);
  const context: ConnectorContext = { ...outer, signal };
  const over = new AbortController();
  const watching = watchStream(options, outer, over.signal, (error) => {
    failed.abort(error);
  });
  try {
    const { pairId, number, existingRows, staged = false, begun, target } = options;
    await using load = await target.openLoad(
      {
        pairId,
        number,
        existingRows,
        staged,
        begun,
        tables: options.tables.map(({ target }) => target),
        unaltered: options.tables.filter(({ identity }) => identity).map(({ target }) => target),
      },
      context,
    );
    const outcome = await copyAll(options, load, context);
    return outcome === 'done' ? await complete(options, load, context) : outcome;
  } finally {
    over.abort();
    await watching;
  }
}

/** A load whose stream is lost would have to be thrown away at its end. (CHECKLIST 10) */
async function watchStream(
  options: LoadOptions,
  { clock, log }: ConnectorContext,
  over: AbortSignal,
  lost: (error: TerraFusionError) => void,
): Promise<void> {
  const isOver = (): boolean => over.aborted;
  while (!isOver()) {
    await clock.sleep(LOOK_AT_STREAM_MS, over).catch(() => undefined);
    if (isOver()) return;
    try {
      await options.checkStream();
    } catch (error) {
      if (error instanceof TerraFusionError && !error.heals) {
        lost(error);
        return;
      }
      log.debug({ error }, 'The state of the slot could not be read.');
    }
  }
}

async function copyAll(
  options: LoadOptions,
  load: TargetLoad,
  context: ConnectorContext,
): Promise<'done' | 'again' | 'resting'> {
  const { source } = options;
  if (isAllThere(load, await load.chunks())) return 'done';
  await using snapshot = await source.openSnapshot(context);
  crashPoint(crashPoints.LOADER_SNAPSHOT_TAKEN);
  await options.snapshotTaken();
  const plan = await planLoad(options, load, snapshot, context);
  crashPoint(crashPoints.LOADER_PLANNED_NOT_COPIED);
  const { window } = options.limits;
  const schedule = new Schedule(
    plan.units,
    options.limits.parallelTables,
    () => window === undefined || isOpen(window, context.clock.now()),
  );
  const failure = await runWorkers(options, load, snapshot, schedule, plan, context);
  if (failure !== undefined) return await repeatOrThrow(failure, options, load, snapshot, context);

  const altered = await snapshot.altered(options.tables.map(({ shape }) => shape.table));
  if (altered.length > 0) {
    const names = new Set(altered.map(formatTableName));
    const targets = options.tables.filter(({ shape }) => names.has(formatTableName(shape.table)));
    context.log.warn(
      { pair: options.pairId, tables: [...names] },
      'Tables were truncated or rewritten at the source while they were loaded; they are loaded again.',
    );
    await emptyAgain(
      related(
        load.tables,
        targets.map(({ target }) => target),
      ),
      options,
      load,
    );
    return 'again';
  }
  return schedule.isDone ? 'done' : 'resting';
}

/**
 * Chunks of different moments may contradict each other as long as the stream has not been laid over them: a child whose parent came
 * later, two rows that have had the same unique value one after the other. What belongs together is then read again at one moment.
 */
async function repeatOrThrow(
  { error, job }: Failure,
  options: LoadOptions,
  load: TargetLoad,
  snapshot: SourceSnapshot,
  context: ConnectorContext,
): Promise<'again'> {
  if (!isConflict(error)) throw error;
  const names = related(
    load.tables,
    job.parts.map(({ load: table }) => table.target),
  );
  const chunks = chunksByTable(await load.chunks());
  const mixed = names.some((name) =>
    chunks
      .get(formatTableName(name))
      ?.some(({ finished }) => finished && compareSnapshots(finished.snapshot, snapshot) !== 0),
  );
  if (!mixed) throw error;
  return await repeat(error, names, options, load, context);
}

const isConflict = (error: unknown): boolean => error instanceof TerraFusionError && error.code === 'TARGET_CONFLICT';

async function complete(options: LoadOptions, load: TargetLoad, context: ConnectorContext): Promise<Applied | 'again'> {
  const chunks: readonly LoadChunk[] = await load.chunks();
  const several = readAtSeveralMoments(chunks, options.tables);
  if (several.size > 0) {
    const moved = await movedRows(several, options, context);
    if (moved.length > 0) {
      context.log.warn(
        { pair: options.pairId, tables: moved.map(({ target }) => formatTableName(target)) },
        'Rows have moved between the chunks of an interrupted load without their large values; these tables are loaded again.',
      );
      await emptyAgain(
        related(
          load.tables,
          moved.map(({ target }) => target),
        ),
        options,
        load,
      );
      return 'again';
    }
  }
  for (const { table } of load.tables) {
    try {
      await load.makeKey(table);
    } catch (error) {
      if (several.size === 0 || !isConflict(error)) throw error;
      return await repeat(error, related(load.tables, [table]), options, load, context);
    }
  }
  crashPoint(crashPoints.LOADER_KEYS_MADE);
  await options.checkStream();
  const loaded = loadedTables(chunks, options.tables);
  await options.noteLoaded(loaded);
  const { start } = options;
  const applied: Applied = {
    position: start.position,
    topic: start.topic,
    nextOffset: start.offset,
    // Where it is known what the snapshots show, nothing has to be tolerated of tables that were read in one.
    overlayUntil: loaded.snapshots.reduce(
      (until, snapshot) => (snapshot.shown === undefined && snapshot.until > until ? snapshot.until : until),
      0n,
    ),
  };
  crashPoint(crashPoints.LOADER_BEFORE_COMMIT);
  try {
    await load.commit(applied);
  } catch (error) {
    // Rows that were kept beside their tables meet the others only here.
    if (!options.staged || several.size === 0 || !isConflict(error)) throw error;
    const all = load.tables.map(({ table }) => table);
    return await repeat(error, all, options, load, context);
  }
  crashPoint(crashPoints.LOADER_AFTER_COMMIT);
  // Nobody has to wait for it any more; after a kill just here the target's own autovacuum sees to it.
  await load.analyze(load.tables.map(({ table }: LoadTable) => table));
  return applied;
}

/** Reads tables again whose chunks contradict each other. */
async function repeat(
  error: unknown,
  names: readonly TableName[],
  options: LoadOptions,
  load: TargetLoad,
  { log }: ConnectorContext,
): Promise<'again'> {
  log.warn(
    { pair: options.pairId, error, tables: names.map(formatTableName) },
    'What was loaded before an interruption does not fit what was loaded after it; these tables are loaded again.',
  );
  await emptyAgain(names, options, load);
  return 'again';
}
