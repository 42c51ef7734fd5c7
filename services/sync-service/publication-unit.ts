import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { WorkEnvironment } from './environment.ts';
import { tablesInForce } from '#services/control/in-force.ts';
import { publishedTables } from './published.ts';
import type { SupervisedPair } from './ports.ts';
import type { WorkUnit } from './work.ts';

/** The source publishes what the changed definition of a pair that streams needs, and no longer what nobody needs. */
export function publicationUnit(pair: SupervisedPair, env: WorkEnvironment): WorkUnit {
  const { log } = env;
  return {
    name: `publication:${pair.id}`,
    version: `version ${pair.definition.version} run ${pair.runs}`,
    run: (signal) => publish(pair, env, signal),
    interrupted: () => Promise.resolve(),
    // What the pair needs is published already, or its table sync says what is wrong.
    halted: (error) => {
      log.warn({ pair: pair.name, code: error.code, error }, 'The publication at the source could not be changed.');
      return Promise.resolve();
    },
  };
}

async function publish(pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal): Promise<void> {
  const { control, clock, log } = env;
  const context: ConnectorContext = { clock, log, signal };
  const source = await control.openSource(pair.sourceId);
  await control.lockedSource(pair.sourceId, async () => {
    const own = tablesInForce(pair).map((table) => table.source);
    const { tables, keepOthers } = await publishedTables(pair, own, source, await control.pairs(), context);
    const generation = await control.generation(pair.sourceId);
    if (generation && own.length > 0) await source.publish(generation.stream.publication, tables, context, keepOthers);
    await control.recordPublished(pair.id, pair.definition.version);
  });
  env.wake();
}
