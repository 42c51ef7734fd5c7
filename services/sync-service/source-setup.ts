import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { TableName } from '#schemas/tables.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { ControlPort, Generation } from './ports.ts';

/** Slot and publication names: letters, digits and underscores, told apart by the source's id. */
export const slotName = (sourceId: string, generation: number): string =>
  `terrafusion_${sourceId.replaceAll('-', '').slice(0, 16)}_${generation}`;
export const publicationName = (sourceId: string): string => `terrafusion_${sourceId.replaceAll('-', '').slice(0, 16)}`;

/**
 * Sees to it that the source publishes the tables and keeps a stream for us. The caller holds the source's lock.
 * @returns the generation to read
 */
export async function ensureStream(
  sourceId: string,
  source: Source,
  tables: readonly TableName[],
  control: ControlPort,
  context: ConnectorContext,
): Promise<Generation> {
  const publication = publicationName(sourceId);
  await source.publish(publication, tables, context);
  const current = await control.generation(sourceId);
  if (current && (await isAlive(source, current, context))) return current;

  const next = (current?.generation ?? 0) + 1;
  const slot = slotName(sourceId, next);
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

async function isAlive(source: Source, { stream }: Generation, context: ConnectorContext): Promise<boolean> {
  const { state } = await source.slotStatus(stream.slot, context);
  return state !== 'missing' && state !== 'lost';
}

/** The slot only: the publication stays. */
async function dropSlot(source: Source, slot: string, context: ConnectorContext): Promise<void> {
  const { exists } = await source.slotStatus(slot, context);
  if (exists) await source.dropSlot(slot, context);
}
