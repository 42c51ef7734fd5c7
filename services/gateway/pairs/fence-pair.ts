import { TerraFusionError } from '#schemas/errors.ts';
import type { Control } from '#services/control/control.ts';
import type { FencePair } from './fence.ts';

/** @throws {TerraFusionError} CONFLICTING_STATE when a fence would wait in vain */
export async function fencePair({ pairs, generations }: Control, id: string): Promise<FencePair> {
  const { name, sourceId, desired, state, error, load } = await pairs.get(id);
  const refuse = (message: string): TerraFusionError =>
    new TerraFusionError('CONFLICTING_STATE', `The pair ${name} ${message}`, {
      details: { desired, state, load: load.state, ...(error && { error }) },
    });
  if (desired === 'paused') throw refuse('is paused: resume it first');
  if (state === 'failed') throw refuse(`has failed (${error?.code ?? 'unknown'}): ${error?.message ?? ''}`);
  const generation = (await generations.latest(sourceId))?.generation ?? 1;
  return { loaded: load.state === 'done', load: load.number, generation };
}
