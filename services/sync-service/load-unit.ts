import { createHash } from 'node:crypto';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Applied, HeldTable, Target } from '#connectors/contract/target.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import { before, formatPosition, parsePosition, type Position } from '#schemas/position.ts';
import { formatTableName } from '#schemas/tables.ts';
import { changesTopic } from '#schemas/topics.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { loadPair } from '#services/loader/loader.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import { limitsOf } from './load-limits.ts';
import { LoadLook } from './load-look.ts';
import { LoadProgress, observe } from './load-progress.ts';
import { assertPossible } from './preflight.ts';
import { publishedTables } from './published.ts';
import { planTables, sourceTables, type PlannedTable } from './plan.ts';
import { assertUnchanged, beginAlteredAnew, tablesToHold } from './schema-policy.ts';
import type { Generation, LoadRecord, SupervisedPair } from './ports.ts';
import { ensureStream, whyGone } from './source-setup.ts';
import { watched } from './stuck.ts';
import { completeTargetSchema, prepareTargetSchema } from './target-schema.ts';

/** How often a load's progress is told, in milliseconds. */
const TELL_MS = 500;

/**
 * A pair's first load or resync, from whatever an earlier try has left: tables at the target, a stream at the source, the snapshot
 * copied, the position stored. Killed anywhere, the next try ends in the same place. (Promise 5)
 */
export async function runLoad(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const { control, clock } = env;
  const context = contextOf(env, pair.name, signal);
  crashPoint(crashPoints.SUPERVISOR_PAIR_CREATED_NOT_STARTED);
  const [source, target] = await Promise.all([control.openSource(pair.sourceId), control.openTarget(pair.targetId)]);

  if (pair.load.state === 'requested') {
    // What the target holds is of an earlier load; noted only once it is gone, so that a position there means this load.
    await record(pair.load, pair, env);
    await target.forget(pair.id, context);
    await control.forgetLoadLetters(pair.id);
  }
  const planning = plannedTables(pair, source, target, context);
  planning.catch(() => undefined);
  if (pair.load.state !== 'requested' && (await target.applied(pair.id, context))) {
    if (isOneMoment(pair.load)) await completeTargetSchema(pair, { source, target, env, context });
    await finish(pair, pair.load, source, env, context);
    return;
  }
  await control.recordState(pair, 'loading');
  const tables = await planning;
  const ends = { source, target, env, context };
  // What goes on was looked at, and its tables were made, when it began: what has become impossible since stops the work with an error of its own,
  // and a table that is gone by now is missed, not made anew without the rows that it had.
  const goesOn =
    pair.load.state === 'running' &&
    (await beginAlteredAnew(pair.id, tables, { source, target, log: env.log }, context));
  const held = goesOn || (await prepare(pair, tables, ends));
  await target.holdTables(pair.id, held, context);
  crashPoint(crashPoints.SUPERVISOR_TABLES_CREATED_NOT_LOADED);
  const begin = await chooseStart(pair, tables, source, env, context);
  env.wake(); // the reader of a new generation starts now, so that the slot does not hold WAL for longer than it must

  const progress = new LoadProgress(tables, clock);
  const telling = new AbortController();
  const told = tellRegularly(progress, pair.id, env, telling.signal);
  let load = begin.load;
  const noteLoaded = async (loaded: LoadedTables): Promise<void> => {
    load = { ...load, loaded };
    await record(load, pair, env);
  };
  try {
    const look = new LoadLook(pair, progress, { source, target, env, context });
    await watched(look, look.options, signal, async (running) => {
      const ends = { source, target, env, context: { ...context, signal: running } };
      await copy(pair, tables, begin, held, progress, noteLoaded, ends);
    });
  } finally {
    telling.abort();
    await told;
    env.metrics.loadGone(pair.id, progress.tables());
  }
  await control.recordTables(pair.id, progress.tables());
  const members = sourceTables(tables).map(formatTableName);
  if (isOneMoment(load)) await completeTargetSchema({ ...pair, members }, { source, target, env, context });
  await finish(pair, load, source, env, context);
  env.log.info({ pair: pair.name, rows: progress.rows }, 'The load is complete; changes follow.');
}

/** Whether it can be, and what must be there before the first row. @returns the tables to hold */
async function prepare(
  pair: SupervisedPair,
  tables: readonly PlannedTable[],
  { source, target, env, context }: Ends,
): Promise<readonly HeldTable[]> {
  await assertPossible(pair, { source, target }, env, context);
  await prepareTargetSchema(pair, tables, { source, target, env, context });
  return await tablesToHold(tables, source, context);
}

/** What was made at the source since the load has begun comes with the stream, beside it: see `takeIn`. */
async function plannedTables(
  pair: SupervisedPair,
  source: Source,
  target: Target,
  context: ConnectorContext,
): Promise<PlannedTable[]> {
  const tables = await planTables(pair.definition, source, context);
  if (pair.load.state !== 'running' || pair.definition.tables !== undefined) return tables;
  const noted = new Set((await target.heldTables(pair.id, context)).map((table) => table.source.relation_id));
  return noted.size === 0 ? tables : tables.filter(({ shape }) => noted.has(shape.table.relationId));
}

/**
 * Rows that were read at several moments, since a load was interrupted, need not fit together: what constraints and unique indexes ask for
 * holds only once the stream has been laid over them, and the stream sees to the rest of the schema then.
 */
function isOneMoment({ loaded }: LoadRecord): boolean {
  return (loaded?.snapshots.length ?? 1) <= 1;
}

async function tellRegularly(
  progress: LoadProgress,
  pairId: string,
  { control, clock, log, metrics }: WorkEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const stopped = () => signal.aborted;
  while (!stopped()) {
    try {
      metrics.loading(pairId, progress.tables());
      await control.recordTables(pairId, progress.tables());
    } catch (error) {
      log.debug({ error }, 'The progress of a load could not be told.');
    }
    await clock.sleep(TELL_MS, signal).catch(() => undefined);
  }
}

/** @throws {TerraFusionError} LEASE_LOST when a later load was asked for meanwhile: it is started instead */
async function record(load: LoadRecord, pair: SupervisedPair, { control }: WorkEnvironment): Promise<void> {
  if (await control.recordLoad(pair.id, load)) return;
  throw new TerraFusionError('LEASE_LOST', `Load ${load.number} of pair ${pair.name} was overtaken by a later one`);
}

interface Begin {
  readonly load: LoadRecord;
  readonly start: { readonly topic: string; readonly offset: bigint; readonly position: Position };
  readonly generation: Generation;
}

/**
 * Publishes the tables, sees to the slot, and notes where the pair's stream begins before anything can be trimmed from there on. A load
 * that goes on begins where it began: its first chunks are older than the topic's end.
 */
async function chooseStart(
  pair: SupervisedPair,
  tables: readonly PlannedTable[],
  source: Source,
  env: WorkEnvironment,
  context: ConnectorContext,
): Promise<Begin> {
  const { control, bus } = env;
  return control.lockedSource(pair.sourceId, async () => {
    const published = await publishedTables(pair, sourceTables(tables), source, await control.pairs(), context);
    const { startPosition } = pair.load;
    const begunOn = startPosition === undefined ? undefined : parsePosition(startPosition).generation;
    const topic = changesTopic(pair.sourceId);
    await bus.createTopic(topic);
    const tail = await bus.tail(topic);
    const held = tail && BlockReader.summary(tail.bytes).last;
    const generation = await ensureStream(pair.sourceId, source, published, control, context, { begunOn, held });
    const { first, next } = await bus.range(topic);
    const { state, number, startOffset } = pair.load;
    if (state === 'running' && startOffset !== undefined && startPosition !== undefined) {
      const position = parsePosition(startPosition);
      if (position.generation === generation.generation && startOffset >= first && startOffset <= next) {
        const load: LoadRecord = { state: 'running', number, startOffset, startPosition };
        // Some may be called otherwise by now, or be gone.
        await control.recordMembers(pair.id, sourceTables(tables).map(formatTableName));
        return { load, start: { topic, offset: startOffset, position }, generation };
      }
    }
    const position = endOfTopic(generation, (await bus.tail(topic))?.bytes);
    const load: LoadRecord = { state: 'running', number, startOffset: next, startPosition: formatPosition(position) };
    await record(load, pair, env);
    await control.recordMembers(pair.id, sourceTables(tables).map(formatTableName));
    await control.recordPublished(pair.id, pair.definition.version);
    return { load, start: { topic, offset: next, position }, generation };
  });
}

export function endOfTopic({ generation, stream }: Generation, tail: Buffer | undefined): Position {
  const last = tail && BlockReader.summary(tail).last;
  return last?.generation === generation ? last : before(generation, stream.consistentPoint);
}

export interface Ends {
  readonly source: Source;
  readonly target: Target;
  readonly env: WorkEnvironment;
  readonly context: ConnectorContext;
}

async function copy(
  pair: SupervisedPair,
  tables: readonly PlannedTable[],
  { start, generation }: Begin,
  held: readonly HeldTable[],
  progress: LoadProgress,
  noteLoaded: (loaded: LoadedTables) => Promise<void>,
  { source, target, env, context }: Ends,
): Promise<Applied> {
  const processor = compilePair(pair.definition);
  const { control, metrics, bus } = env;
  return loadPair(
    {
      pairId: pair.id,
      number: pair.load.number,
      tables,
      // A resync replaces what the load before it has put there.
      existingRows: pair.load.number > 1 ? 'replace' : pair.definition.config.existing_rows,
      source,
      target,
      start,
      // With another place in the stream, or tables that somebody has put in since, chunks of an earlier try mean nothing. Tables that were
      // altered since have begun anew.
      begun: digestOf([formatPosition(start.position), String(start.offset), namedTables(pair)]),
      snapshotTaken: () => assertUnchanged(held, source, context),
      limits: limitsOf(pair.definition.config),
      process: (block) => processor.process(block, -1n),
      storeDeadLetters: async (letters) => {
        await control.storeDeadLetters(pair.id, letters);
        metrics.deadLetters(pair.id, 'process', letters.length);
      },
      forgetDeadLetters: (relationId, first, end) => control.forgetChunkLetters(pair.id, relationId, first, end),
      noteLoaded,
      changes: (signal) => blocksOf(bus.read(start.topic, start.offset, signal)),
      checkStream: async () => {
        const gone = whyGone(await source.slotStatus(generation.stream.slot, context), generation);
        if (gone) throw gone;
      },
      observer: observe(progress, {
        copied: (rows, bytes) => {
          metrics.loaded(pair.id, rows, bytes);
        },
        resting: (until) => {
          control.recordResting(pair.id, until).catch((error: unknown) => {
            env.log.debug({ error }, 'That a load rests could not be told.');
          });
        },
      }),
    },
    context,
  );
}

/** None for a pair that takes every table: of those it has only as many as it began with. */
function namedTables({ definition }: SupervisedPair): string[] {
  return (definition.tables ?? []).map(({ source, target }) => `${source} ${target ?? source}`).sort();
}

export function digestOf(what: unknown): string {
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}

export async function* blocksOf(blocks: AsyncIterable<{ readonly bytes: Buffer }>): AsyncIterable<Buffer> {
  for await (const { bytes } of blocks) yield bytes;
}

async function finish(
  pair: SupervisedPair,
  load: LoadRecord,
  source: Source,
  env: WorkEnvironment,
  context: ConnectorContext,
): Promise<void> {
  const { control } = env;
  if (load.startPosition !== undefined && load.startOffset !== undefined) {
    await control.recordProgress(pair.id, {
      position: load.startPosition,
      commitLsn: parsePosition(load.startPosition).commitLsn,
      nextOffset: load.startOffset,
      lagBytes: undefined,
      lagSeconds: 0,
      changes: undefined,
    });
  }
  // Something for the stream to reach on an idle source, so that "catching up" ends.
  await source.emitMessage('terrafusion.loaded', pair.id, context);
  await control.recordState(pair, 'catching_up');
  // Last of all: as soon as it is known, the stream is started in this work's place.
  await record({ ...load, state: 'done' }, pair, env);
  env.wake();
}
