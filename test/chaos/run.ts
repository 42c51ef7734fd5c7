import { errorKinds } from '#schemas/errors.ts';
import type { Fault } from './fault.ts';
import type { Scene } from './scene.ts';

/**
 * One fault, from a scene in step to a scene in step.
 * @returns seconds from the moment from which nothing was in the way any more, until the target was in step again
 * @throws what was lost, repeated, reordered or seen at the target that may not be; or that it did not end as the fault says
 */
export async function runFault(scene: Scene, fault: Fault): Promise<number> {
  const { outcome } = fault;
  const halts = typeof outcome === 'object';
  // What is put right by hand at the target is no business of who watches that nothing goes back there.
  if (halts) await scene.unobserve();
  await fault.strike(scene);
  let ended = performance.now();
  if (halts) {
    const error = await scene.untilHalted();
    if (!error.startsWith(`${outcome.halts}:`))
      throw new Error(`It halted with another code than ${outcome.halts}: ${error}`);
    if (errorKinds[outcome.halts].heals) throw new Error(`${outcome.halts} is said to heal by itself`);
    await fault.fix!(scene);
    ended = performance.now();
  }
  await scene.untilInStep();
  const seconds = (performance.now() - ended) / 1000;
  if (process.env['CHAOS_DEBUG'] !== undefined) console.log(fault.name, seconds, `\n${scene.lastWords()}`);
  await fault.restore?.(scene);
  if (halts) await scene.observe();
  await scene.expectEqual();
  return seconds;
}
