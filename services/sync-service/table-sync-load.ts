import type { ApartTables } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { formatPosition, parsePosition } from '#schemas/position.ts';
import { formatTableName, type TableEnds, type TableName } from '#schemas/tables.ts';
import { changesTopic } from '#schemas/topics.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { loadPair } from '#services/loader/loader.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { inForce, onlyTables, tablesInForce } from '#services/control/in-force.ts';
import { LoadProgress, observe } from './load-progress.ts';
import { limitsOf } from './load-limits.ts';
import { blocksOf, digestOf, endOfTopic } from './load-unit.ts';
import { publishedTables } from './published.ts';
import { planTables, tablesToCreate, type PlannedTable } from './plan.ts';
import { assertPossible } from './preflight.ts';
import { whyGone } from './source-setup.ts';
import { assertUnchanged, beginAlteredAnew, tablesToHold } from './schema-policy.ts';
import { storeLetters } from './quarantine.ts';
import { noted, type SyncAtWork } from './table-sync.ts';
import { wantedSchema } from './target-schema.ts';

/** How often progress is told, in milliseconds. */
const TELL_MS = 500;

export interface PreparedTables {
  /** Once they have left the pair's stream: notes from where the source's topic is needed, and where the sync's own stream begins. */
  chooseStart(apart: ApartTables): Promise<SyncAtWork>;
}

/**
 * As for a pair's first load, for these tables: everything is looked at before anything is made, then tables are made and published.
 * @param asked those that the sync was asked for; the others come along
 */
export async function prepareTables(work: SyncAtWork, asked: readonly TableEnds[]): Promise<PreparedTables> {
  const { pair, sync, source, target, env, context } = work;
  const { control, bus } = env;
  const tables = await plan(work);
  const definition = onlyTables(inForce(pair), sourcesOf(sync.tables));
  // The proof of every type was made with the pair.
  const checked = { version: definition.version, load: pair.load.number, warnings: [] };
  await assertPossible({ ...pair, definition, checked }, { source, target }, env, context);
  if (sync.kind === 'add' && definition.config.existing_rows === 'refuse') await assertEmpty(asked, work);
  if (definition.config.create_tables) await makeTables(definition, tables, work);
  const topic = changesTopic(pair.sourceId);
  return {
    chooseStart: ({ from, tables: left }) =>
      // Under the lock, so that nothing is trimmed between what is read here and what is noted.
      control.lockedSource(pair.sourceId, async () => {
        const own = sourcesOf(tablesInForce(pair));
        const published = await publishedTables(pair, own, source, await control.pairs(), context);
        const generation = await control.generation(pair.sourceId);
        if (!generation)
          throw new TerraFusionError('SOURCE_SLOT_MISSING', `The source of pair ${pair.name} has no slot`);
        await source.publish(generation.stream.publication, published.tables, context, published.keepOthers);
        await control.recordPublished(pair.id, pair.definition.version);
        const { next } = await bus.range(topic);
        const position = endOfTopic(generation, (await bus.tail(topic))?.bytes);
        await control.forgetLoadLetters(pair.id, sourcesOf(left));
        return noted(work, {
          state: 'loading',
          tables: left,
          start: { offset: next, position: formatPosition(position) },
          // Until its rows are replaced it may have to come back to where its tables left the stream.
          neededOffset: from.topic === topic && from.nextOffset < next ? from.nextOffset : next,
        });
      }),
  };
}

/** As before a pair's first load: everything that load and stream need to be right. */
async function makeTables(
  definition: PairDefinition,
  tables: readonly PlannedTable[],
  { pair, source, target, env, context }: SyncAtWork,
): Promise<void> {
  const model = await wantedSchema(definition, tables, { source, target }, context);
  const made = model
    ? (await target.createSchema!(model, 'before', context)).made
    : await target.createTables(tablesToCreate(tables), context);
  if (made.length === 0) return;
  env.log.info({ pair: pair.name, made: made.length }, 'Tables were created at the target.');
  await env.control.reopenSchema(pair.id);
}

/** @throws {TerraFusionError} TARGET_TABLE_NOT_EMPTY */
async function assertEmpty(asked: readonly TableEnds[], { target, context }: SyncAtWork): Promise<void> {
  const found = await target.describe(
    asked.map((table) => table.target),
    context,
  );
  const tables = found.filter(({ hasRows }) => hasRows).map(({ table }) => formatTableName(table));
  if (tables.length === 0) return;
  throw new TerraFusionError('TARGET_TABLE_NOT_EMPTY', `The target already holds rows in ${tables.join(', ')}`, {
    details: { tables },
  });
}

/** Replaces the tables' rows, and returns the sync with what was read. Killed anywhere, it goes on where it was. */
export async function loadTables(work: SyncAtWork): Promise<SyncAtWork> {
  let loaded = work;
  const { pair, sync, key, source, target, env, context } = work;
  const { control } = env;
  const { offset, position } = sync.start!;
  const tables = await plan(work);
  const staged = sync.kind === 'resync';
  if (!staged) await beginAlteredAnew(key, tables, { source, target, log: env.log }, context);
  const held = await tablesToHold(tables, source, context);
  await target.holdTables(key, held, context);
  await source.emitMessage('terrafusion.table-sync', `${key} begins`, context);
  // Other loads empty the tables first of all. What may keep its snapshot from being taken is waited for before that.
  await (await source.openSnapshot(context))[Symbol.asyncDispose]();
  const processor = compilePair(onlyTables(inForce(pair), sourcesOf(sync.tables)));
  const progress = new LoadProgress(tables, env.clock);
  const telling = new AbortController();
  const told = tellRegularly(work, progress, telling.signal);
  const generation = await control.generation(pair.sourceId);
  const topic = changesTopic(pair.sourceId);
  try {
    await loadPair(
      {
        pairId: key,
        number: 1,
        tables,
        // What was there before a first load was looked at before the tables left the stream.
        existingRows: 'replace',
        // Rows that are right stay until the new ones are there: until then it can be given up, or fail, without a loss.
        staged,
        source,
        target,
        start: { topic, offset, position: parsePosition(position) },
        // What is kept beside the tables begins anew as a whole when one of them was altered.
        begun: digestOf([position, String(offset), staged ? held : []]),
        snapshotTaken: () => assertUnchanged(held, source, context),
        limits: limitsOf(pair.definition.config),
        process: (block) => processor.process(block, -1n),
        storeDeadLetters: (letters) => storeLetters(pair, 'process', letters, env),
        forgetDeadLetters: (relationId, first, end) => control.forgetChunkLetters(pair.id, relationId, first, end),
        noteLoaded: async (read) => {
          loaded = await noted(work, { loaded: read });
        },
        changes: (signal) => blocksOf(env.bus.read(topic, offset, signal)),
        checkStream: async () => {
          const gone = generation && whyGone(await source.slotStatus(generation.stream.slot, context), generation);
          if (gone) throw gone;
        },
        observer: observe(progress, {
          copied: (rows, bytes) => {
            env.metrics.loaded(pair.id, rows, bytes);
          },
          resting: () => undefined,
        }),
      },
      context,
    );
  } finally {
    telling.abort();
    await told;
  }
  crashPoint(crashPoints.SUPERVISOR_TABLE_SYNC_LOADED_NOT_NOTED);
  await control.recordTables(
    pair.id,
    progress.tables().map((table) => ({ ...table, state: 'catching_up' as const })),
  );
  return loaded;
}

function plan({ pair, sync, source, context }: SyncAtWork): Promise<PlannedTable[]> {
  return planTables(onlyTables(inForce(pair), sourcesOf(sync.tables)), source, context);
}

const sourcesOf = (tables: readonly TableEnds[]): TableName[] => tables.map(({ source }) => source);

async function tellRegularly({ pair, env }: SyncAtWork, progress: LoadProgress, signal: AbortSignal): Promise<void> {
  const stopped = () => signal.aborted;
  while (!stopped()) {
    try {
      // "loaded" is told of all of them at once, when they are.
      const tables = progress.tables().map((table) => ({ ...table, state: 'loading' as const }));
      await env.control.recordTables(pair.id, tables);
    } catch (error) {
      env.log.debug({ error }, 'The progress of a table sync could not be told.');
    }
    await env.clock.sleep(TELL_MS, signal).catch(() => undefined);
  }
}
