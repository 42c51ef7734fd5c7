import type { Applied, HeldTable } from '#connectors/contract/target.ts';
import { withoutTables } from '#schemas/block/index.ts';
import { laidOverUntil } from '#schemas/loaded.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { comparePositions, parsePosition } from '#schemas/position.ts';
import { formatTableName } from '#schemas/tables.ts';
import { changesTopic } from '#schemas/topics.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import { quiet } from '#services/kernel/log.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { compilePair, type KnownTable } from '#services/stream-processor/compile.ts';
import { processed } from '#services/stream-processor/inline.ts';
import { WriterStage, type ReadyBlock } from '#services/writer/writer.ts';
import { inForce, onlyTables } from '#services/control/in-force.ts';
import { laidOver } from './laid-over.ts';
import { schemaOptionsApart } from './schema-policy.ts';
import { quarantine, storeLetters } from './quarantine.ts';
import { asReady, regularly } from './stream-unit.ts';
import type { SyncAtWork } from './table-sync.ts';

/** How often it is tried to join the pair's stream, in milliseconds. */
const JOIN_MS = 100;

/**
 * Brings the tables of a sync up to the pair's stream by a stream of their own, and lets them join it.
 *
 * Neither waits for the other. Both read the same topic, and this one has less to do: again and again it is at or past the pair's
 * position, and one such moment is enough, since the pair's stream leaves out what is at or before the position at which they join.
 */
export async function catchUp(work: SyncAtWork): Promise<void> {
  const { pair, sync, key, target, env, context } = work;
  // The mark gives it something to reach on a source where nothing happens.
  await work.source.emitMessage('terrafusion.table-sync', `${key} is to join`, context);
  const stop = new AbortController();
  let applied: Applied | undefined;
  const held = await target.heldTables(key, context);
  const stage = new WriterStage({
    pairId: key,
    target,
    // What is altered while it goes apart is altered here, too. (CHECKLIST 19)
    schema: schemaOptionsApart(pair, loadedOf(work), work.source, env, context),
    topic: await topicOf(work),
    open: (from, signal) => blocksOf(work, from, held.map(known), signal),
    storeDeadLetters: (letters) => quarantine(pair, letters, env),
    observer: {
      opened: (at) => {
        applied = at;
      },
      committed: (at, outcome) => {
        applied = at;
        env.metrics.applied(pair.id, outcome);
      },
      interrupted: (error, waitMs) => {
        env.metrics.retried('table-sync', error.code);
        env.log.warn(
          { pair: pair.name, sync: sync.number, code: error.code, error, waitMs: Math.round(waitMs) },
          'A table sync was interrupted and goes on by itself.',
        );
        env.control.recordSyncError(pair.id, sync.number, error).catch(() => undefined);
      },
    },
  });
  const telling = regularly(env, async () => {
    if (applied?.topic !== changesTopic(pair.sourceId)) return;
    await env.control.recordSync(pair.id, sync.number, { neededOffset: applied.nextOffset });
  });
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const joining = joinWhenThere(work, () => applied, signal);
  // Joined, its position is gone and the batch under way fails: that is the end of the stage.
  const joined = joining.finally(() => {
    stop.abort();
  });
  joined.catch(() => undefined);
  try {
    // The batch under way when the tables join is refused, as it should be: nothing to warn of.
    await stage.run({ ...context, signal, log: quiet(context.log) });
  } catch (error) {
    // It may have heard of the end of its position before we have heard why that is gone.
    if (!(await hasJoined(work))) throw error;
    return;
  } finally {
    stop.abort();
    await telling[Symbol.asyncDispose]();
  }
  await joined;
  context.signal.throwIfAborted();
}

/** Resolves once they have joined. Rejects with the signal's reason when it is aborted before. */
async function joinWhenThere(
  { pair, sync, target, env, context }: SyncAtWork,
  held: () => Applied | undefined,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await env.clock.sleep(JOIN_MS, signal);
    const applied = held();
    if (applied === undefined || !(await mayJoin(pair.id, sync, applied, env))) continue;
    const outcome = await target.join(pair.id, { sync: sync.number, version: sync.version }, context);
    if (outcome === 'behind') continue;
    if (outcome === 'gone') {
      throw new TerraFusionError(
        'TARGET_FENCED',
        `Table sync ${sync.number} of pair ${pair.name} is not at the target any more`,
      );
    }
    crashPoint(crashPoints.SUPERVISOR_TABLE_SYNC_JOINED_NOT_NOTED);
    return;
  }
}

async function hasJoined({ pair, sync, target, context }: SyncAtWork): Promise<boolean> {
  const held = await target.applied(pair.id, context);
  return held?.division?.apart.find((entry) => entry.sync === sync.number)?.until !== undefined;
}

/** Whether nothing is in the way on our side: the snapshot is passed, and what comes behind is made by the same definition. */
async function mayJoin(
  pairId: string,
  { version, loaded }: SyncAtWork['sync'],
  { position }: Applied,
  { bus, control }: SyncAtWork['env'],
): Promise<boolean> {
  if (loaded && position.commitLsn < laidOverUntil(loaded)) return false;
  if (bus.kind !== 'kafka') return true;
  // What the ready topic holds at or before this may have been made by an older version.
  const processor = await control.processorOf(pairId);
  return (
    processor !== undefined &&
    processor.version >= version &&
    comparePositions(position, parsePosition(processor.position)) >= 0
  );
}

/** Taken back, the rows are those of the pair's own load. */
function loadedOf({ pair, sync }: SyncAtWork): SyncAtWork['sync']['loaded'] {
  return sync.state === 'rejoining' ? pair.load.loaded : sync.loaded;
}

/** That of the source; for tables that come back, the one from which they left. */
async function topicOf({ pair, sync, key, target, context }: SyncAtWork): Promise<string> {
  if (sync.state !== 'rejoining') return changesTopic(pair.sourceId);
  return (await target.applied(key, context))?.topic ?? changesTopic(pair.sourceId);
}

/** By its oid: one that is called otherwise by now must not be left out in silence. */
const known = ({ source, target }: HeldTable): KnownTable => ({
  relationId: source.relation_id,
  source: { schema: source.schema, name: source.name },
  target,
});

function blocksOf(
  work: SyncAtWork,
  from: Applied,
  tables: readonly KnownTable[],
  signal: AbortSignal,
): AsyncIterable<ReadyBlock> {
  const { pair, sync, env } = work;
  const topic = changesTopic(pair.sourceId);
  // A ready topic has been through the chain: only what is not ours has to go.
  if (from.topic !== topic) return asReady(ownOnly(work, env.bus.read(from.topic, from.nextOffset, signal)));
  const definition = onlyTables(
    inForce(pair),
    sync.tables.map(({ source }) => source),
  );
  const processor = laidOver(compilePair(definition, { known: tables }), loadedOf(work));
  return processed(env.bus.read(topic, from.nextOffset, signal), processor, (letters) =>
    storeLetters(pair, 'process', letters, env),
  );
}

async function* ownOnly({ sync }: SyncAtWork, blocks: AsyncIterable<BusBlock>): AsyncIterable<BusBlock> {
  const own = new Set(sync.tables.map(({ target }) => formatTableName(target)));
  for await (const block of blocks)
    yield {
      ...block,
      bytes: withoutTables(block.bytes, (table) => (own.has(formatTableName(table)) ? undefined : 'all')),
    };
}
