import type { ConnectorContext } from '#connectors/contract/context.ts';
import { changesTopic } from '#schemas/topics.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { WorkEnvironment } from './environment.ts';
import { publishedTables } from './load-unit.ts';
import type { SupervisedPair } from './ports.ts';
import { publicationName } from './source-setup.ts';

/**
 * Removes what a deleted pair has left: its position at the target, its tables from the publication, or slot, publication and topic when
 * it was the source's last one. The rows at the target stay. The pair's own row goes last, so that a kill in between is made good.
 */
export async function runCleanup(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  crashPoint(crashPoints.SUPERVISOR_PAIR_DELETED_NOT_CLEANED);
  const { control, bus } = env;
  const context: ConnectorContext = { clock: env.clock, log: env.log, signal };
  const target = await control.openTarget(pair.targetId);
  await target.forget(pair.id, context);
  await deleteReadyTopics(pair.id, env);

  const source = await control.openSource(pair.sourceId);
  await control.lockedSource(pair.sourceId, async () => {
    const generation = await control.generation(pair.sourceId);
    const pairs = await control.pairs();
    const others = pairs.filter((other) => other.sourceId === pair.sourceId && !other.deleted);
    if (others.length > 0) {
      const tables = await publishedTables(pair, [], source, pairs, context);
      if (generation && tables.length > 0) await source.publish(publicationName(pair.sourceId), tables, context);
    } else {
      if (generation) await source.dropStream(generation.stream.slot, generation.stream.publication, context);
      await control.forgetGenerations(pair.sourceId);
      await bus.deleteTopic(changesTopic(pair.sourceId));
    }
  });
  await control.audit('pair.removed', pair.id, { name: pair.name });
  await control.purge(pair.id);
  env.log.info({ pair: pair.name }, 'A deleted pair and what it left were removed.');
  env.wake();
}

/** A pair's ready topics: one for each load, and only the latest is of use. */
export async function deleteReadyTopics(pairId: string, { bus }: WorkEnvironment, keep?: string): Promise<void> {
  if (bus.kind !== 'kafka') return;
  const topics = (await bus.listTopics()).filter((topic) => topic.startsWith(`ready.${pairId}`) && topic !== keep);
  for (const topic of topics) await bus.deleteTopic(topic);
}
