import type { ConnectorContext } from '#connectors/contract/context.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { changesTopic } from '#schemas/topics.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { WorkEnvironment } from './environment.ts';
import { publishedTables } from './published.ts';
import type { SupervisedPair } from './ports.ts';

/**
 * Removes what a deleted pair has left: its position at the target, its tables from the publication, or slot, publication and topic when
 * it was the source's last one. The rows at the target stay. The pair's own row goes last, so that a kill in between is made good.
 *
 * An end that cannot be reached, or does not let us in any more, is tried until it works: a slot that is forgotten fills a disk. (Promise
 * 7, CHECKLIST 11) Or until an operator says to leave there what is there.
 * @throws {TerraFusionError} PAIR_REMOVAL_WAITS, which heals whatever its cause
 */
export async function runCleanup(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  crashPoint(crashPoints.SUPERVISOR_PAIR_DELETED_NOT_CLEANED);
  const { control } = env;
  const context: ConnectorContext = { clock: env.clock, log: env.log, signal };
  const left: Left[] = [];
  const at = async (end: 'source' | 'target', work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (thrown) {
      signal.throwIfAborted();
      const error = asTerraFusionError(thrown);
      const ofEnd = error.code.startsWith(end.toUpperCase());
      // Whatever it is, it is tried again: halted, it would be forgotten.
      if (!pair.removalForced || !ofEnd) throw removalWaits(pair, end, error);
      left.push({ end, code: error.code, message: error.message });
      env.log.warn(
        { pair: pair.name, end, code: error.code, error },
        'What cannot be reached is left, as was asked for.',
      );
    }
  };
  await at('target', async () => {
    await (await control.openTarget(pair.targetId)).forget(pair.id, context);
  });
  await deleteReadyTopics(pair.id, env);
  await control.lockedSource(pair.sourceId, () => leaveSource(pair, env, context, at));
  await control.purge(pair.id, { name: pair.name, ...(left.length > 0 && { left }) });
  env.log.info({ pair: pair.name }, 'A deleted pair and what it left were removed.');
  env.wake();
}

/** What was left where it is. */
interface Left {
  readonly end: 'source' | 'target';
  readonly code: string;
  readonly message: string;
}

/** Under the source's lock. */
async function leaveSource(
  pair: SupervisedPair,
  { control, bus }: WorkEnvironment,
  context: ConnectorContext,
  at: (end: 'source', work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const generation = await control.generation(pair.sourceId);
  const pairs = await control.pairs();
  const isLast = !pairs.some((other) => other.sourceId === pair.sourceId && !other.deleted);
  if (generation) {
    const { slot, publication } = generation.stream;
    await at('source', async () => {
      const source = await control.openSource(pair.sourceId);
      if (isLast) {
        await source.dropStream(slot, publication, context);
        return;
      }
      const { tables, keepOthers } = await publishedTables(pair, [], source, pairs, context);
      if (tables.length > 0) await source.publish(publication, tables, context, keepOthers);
    });
  }
  if (!isLast) return;
  await control.forgetGenerations(pair.sourceId);
  await bus.deleteTopic(changesTopic(pair.sourceId));
}

function removalWaits({ name }: SupervisedPair, end: string, cause: TerraFusionError): TerraFusionError {
  return new TerraFusionError(
    'PAIR_REMOVAL_WAITS',
    `What the deleted pair ${name} has left at its ${end} cannot be removed: ${cause.code}: ${cause.message}`,
    { cause, details: { end, code: cause.code } },
  );
}

/** A pair's ready topics: one for each load, and only the latest is of use. */
export async function deleteReadyTopics(pairId: string, { bus }: WorkEnvironment, keep?: string): Promise<void> {
  if (bus.kind !== 'kafka') return;
  const topics = (await bus.listTopics()).filter((topic) => topic.startsWith(`ready.${pairId}`) && topic !== keep);
  for (const topic of topics) await bus.deleteTopic(topic);
}
