import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { SlotStatus, Source } from '#connectors/contract/source.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Position } from '#schemas/position.ts';
import { publicationName, slotName } from '#schemas/stream-names.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { Published } from './published.ts';
import type { ControlPort, Generation } from './ports.ts';

/**
 * Sees to it that the source publishes the tables and keeps a stream for us. The caller holds the source's lock.
 * @param held where the source's topic ends
 * @param begunOn the generation on which a load under way has begun: when that slot is gone the load is doomed, and it is not redone
 *   blindly. (CHECKLIST 10: what made the first slot die would take the next one.)
 * @returns the generation to read
 * @throws {TerraFusionError} SOURCE_SLOT_MISSING, SOURCE_HISTORY_LOST, SOURCE_SLOT_GIVEN_UP for a doomed load
 */
export async function ensureStream(
  sourceId: string,
  source: Source,
  { tables, keepOthers }: Published,
  control: ControlPort,
  context: ConnectorContext,
  { begunOn, held }: { readonly begunOn?: number | undefined; readonly held?: Position | undefined } = {},
): Promise<Generation> {
  const installation = await control.installation();
  const current = await control.generation(sourceId);
  // Whatever it was named when it was made, it is one publication for the source's life.
  const publication = current?.stream.publication ?? publicationName(installation, sourceId);
  const unpublished = await source.publish(publication, tables, context, keepOthers);
  const gone =
    current &&
    (whyGone(await source.slotStatus(current.stream.slot, context), current) ??
      (unpublished ? noLongerPublished(current) : await historyLost(source, current, held, context)));
  if (begunOn !== undefined && gone) throw gone;
  if (begunOn !== undefined && current && begunOn < current.generation) throw leftBehind(current.stream.slot);
  if (current && !gone) return current;

  const next = (current?.generation ?? 0) + 1;
  const slot = slotName(installation, sourceId, next);
  // A slot of that name is one that was made and never recorded: nobody has read from it.
  await dropSlot(source, slot, context);
  const stream = await source.createStream(slot, publication, context);
  crashPoint(crashPoints.READER_SLOT_CREATED_NOT_RECORDED);
  const generation = { generation: next, stream };
  await control.recordGeneration(sourceId, generation);
  context.log.info({ sourceId, slot, generation: next }, 'A replication slot was created at the source.');
  if (current) await dropSlot(source, current.stream.slot, context);
  return generation;
}

/** What has become of a slot from which nothing can be read any more; undefined while it is there. */
export function whyGone(slot: SlotStatus, { stream, givenUp: reason }: Generation): TerraFusionError | undefined {
  const { slot: name } = stream;
  if (reason !== undefined) {
    return new TerraFusionError('SOURCE_SLOT_GIVEN_UP', `Slot ${name} was given up to spare the source. ${reason}`);
  }
  if (slot.state === 'missing')
    return new TerraFusionError('SOURCE_SLOT_MISSING', `Slot ${name} does not exist at the source`);
  if (slot.state !== 'lost') return undefined;
  const why = slot.invalidationReason ?? 'its WAL was removed';
  return new TerraFusionError('SOURCE_HISTORY_LOST', `The source has given up slot ${name}: ${why}`);
}

/** The slot is there, and still: what was written while its publication was not is not in its stream, and cannot even be decoded. */
function noLongerPublished({ stream }: Generation): TerraFusionError {
  return new TerraFusionError(
    'SOURCE_HISTORY_LOST',
    `Publication ${stream.publication} was dropped at the source: what slot ${stream.slot} would bring since cannot be read`,
  );
}

/** A slot that has come along with a failover is none to go on with when what the topic holds has not. */
async function historyLost(
  source: Source,
  { generation, stream }: Generation,
  held: Position | undefined,
  context: ConnectorContext,
): Promise<TerraFusionError | undefined> {
  try {
    await source.checkContinues?.(stream, held?.generation === generation ? held : undefined, context);
    return undefined;
  } catch (error) {
    if (error instanceof TerraFusionError && error.code === 'SOURCE_HISTORY_LOST') return error;
    throw error;
  }
}

/** For a load that has begun on a slot before this one: nothing will bring it what came after. */
export function leftBehind(slot: string): TerraFusionError {
  return new TerraFusionError(
    'SOURCE_HISTORY_LOST',
    `The load began on a slot before ${slot}, and that one is gone with the changes since`,
  );
}

/** The slot only: the publication stays. */
async function dropSlot(source: Source, slot: string, context: ConnectorContext): Promise<void> {
  const { exists } = await source.slotStatus(slot, context);
  if (exists) await source.dropSlot(slot, context);
}
