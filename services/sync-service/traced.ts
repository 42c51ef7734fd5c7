import type { Lease } from '#services/kernel/leases.ts';
import { boundLog } from '#services/kernel/log.ts';
import type { WorkEnvironment } from './environment.ts';
import type { ControlPort, SupervisedPair } from './ports.ts';
import type { WorkUnit } from './work.ts';

/** Work of a pair, with the environment it runs in. */
export type PairWork = (pair: SupervisedPair, env: WorkEnvironment, signal: AbortSignal) => Promise<void>;

/**
 * A pair's work whose log lines, in whatever stage, say of which pair they are, for which operation, and which request wished it: one id
 * finds what it led to in every process.
 */
export function traced(pair: SupervisedPair, env: WorkEnvironment, what: string, run: PairWork): WorkUnit['run'] {
  return async (signal, lease) => {
    // Worth a question, not a failure: what runs does not depend on it.
    const cause = await env.control.causeOf(pair.id).catch(() => undefined);
    const log = boundLog(env.log, { pair: pair.name, pair_id: pair.id, ...cause });
    log.info({ version: pair.definition.version }, `The ${what} of a pair begins.`);
    await run(pair, { ...env, log, control: underLease(env.control, lease) }, signal);
  };
}

/**
 * A port whose word of how a pair is counts only until another process has taken the work over. What a process says that was stopped for
 * a minute is about the past, and nobody would take it back. (Promise 9)
 */
export function underLease(control: ControlPort, lease: Lease): ControlPort {
  return {
    ...control,
    recordState: (pair, state, error) => control.recordState(pair, state, error, lease),
    endTrouble: (pair) => control.endTrouble(pair, lease),
  };
}
