import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Applied } from '#connectors/contract/target.ts';
import { laidOverUntil } from '#schemas/loaded.ts';
import { comparePositions } from '#schemas/position.ts';
import type { WorkEnvironment } from './environment.ts';
import { planTables } from './plan.ts';
import type { SupervisedPair } from './ports.ts';
import { completeTargetSchema, prepareTargetSchema, stillThere } from './target-schema.ts';
import type { WorkUnit } from './work.ts';

/** How often it is looked whether the stream has come far enough, in milliseconds. */
const LOOK_MS = 200;

/**
 * Indexes, constraints and foreign keys of tables that have come to a pair beside its stream: made once they have joined it and the stream
 * has passed that place, since a foreign key holds only between tables of the same moment. (CHECKLIST 20)
 */
export function schemaUnit(pair: SupervisedPair, env: WorkEnvironment): WorkUnit {
  const { log } = env;
  return {
    name: `schema:${pair.id}`,
    version: `version ${pair.definition.version} run ${pair.runs}`,
    run: (signal) => complete(pair, env, signal),
    interrupted: () => Promise.resolve(),
    halted: (error) => {
      log.warn(
        { pair: pair.name, code: error.code, error },
        'Indexes and constraints could not be made at the target.',
      );
      return Promise.resolve();
    },
  };
}

/** Whether there is anything to do, and nothing that has to come first. */
export function isSchemaWanted({ state, schemaPending, definition, syncs }: SupervisedPair): boolean {
  const busy = syncs.some(({ state: at }) => at !== 'left_out');
  return state === 'streaming' && schemaPending && definition.config.create_tables && !busy;
}

async function complete(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const { control, clock, log } = env;
  const context: ConnectorContext = { clock, log, signal };
  const [source, target] = [await control.openSource(pair.sourceId), await control.openTarget(pair.targetId)];
  const { loaded } = pair.load;
  const isThere = (held: Applied | undefined): boolean =>
    held !== undefined &&
    held.position.commitLsn >= (loaded ? laidOverUntil(loaded) : held.overlayUntil) &&
    (held.division?.apart ?? []).every(({ until }) => !until || comparePositions(until, held.position) <= 0);
  while (!isThere(await target.applied(pair.id, context))) await clock.sleep(LOOK_MS, signal);
  const present = { ...pair, definition: await stillThere(pair, source, context) };
  const ends = { source, target, env, context };
  await prepareTargetSchema(present, await planTables(present.definition, source, context), ends);
  await completeTargetSchema(present, ends);
  env.wake();
}
