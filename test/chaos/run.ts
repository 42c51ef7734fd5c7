import { errorKinds } from '#schemas/errors.ts';
import type { Fault } from './fault.ts';
import type { Scene } from './scene.ts';

export interface FaultResult {
  readonly name: string;
  /** From the moment from which nothing was in the way any more, until the target was in step again. */
  readonly seconds: number;
}

/**
 * One fault, from a scene in step to a scene in step.
 * @throws what was lost, repeated, reordered or seen at the target that may not be; or that it did not end as the fault says
 */
export async function runFault(scene: Scene, fault: Fault): Promise<FaultResult> {
  const { outcome } = fault;
  const halts = typeof outcome === 'object';
  if (halts || fault.unwatched === true) await scene.unobserve();
  await fault.strike(scene);
  let ended = performance.now();
  if (halts) {
    const error = await scene.untilHalted();
    if (!error.startsWith(`${outcome.halts}:`)) throw new Error(`It halted with another code than ${outcome.halts}: ${error}`);
    if (errorKinds[outcome.halts].heals) throw new Error(`${outcome.halts} is said to heal by itself`);
    await fault.fix!(scene);
    ended = performance.now();
  }
  await scene.untilInStep();
  const seconds = (performance.now() - ended) / 1000;
  await scene.observe();
  await scene.expectEqual();
  return { name: fault.name, seconds };
}
