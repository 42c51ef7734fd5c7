import { boundLog } from '#services/kernel/log.ts';
import type { WorkEnvironment } from './environment.ts';
import type { SupervisedPair } from './ports.ts';
import type { WorkUnit } from './work.ts';

/** Work of a pair, with the environment it runs in. */
export type PairWork = (pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal) => Promise<void>;

/**
 * A pair's work whose log lines, in whatever stage, say of which pair they are, for which operation, and which request wished it: one id
 * finds what it led to in every process.
 */
export function traced(pair: SupervisedPair, env: WorkEnvironment, what: string, run: PairWork): WorkUnit['run'] {
  return async (signal) => {
    // Worth a question, not a failure: what runs does not depend on it.
    const cause = await env.control.causeOf(pair.id).catch(() => undefined);
    const log = boundLog(env.log, { pair: pair.name, pair_id: pair.id, ...cause });
    log.info({ version: pair.definition.version }, `The ${what} of a pair begins.`);
    await run(pair, { ...env, log }, signal);
  };
}
