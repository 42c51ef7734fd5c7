import { TerraFusionError } from '#schemas/errors.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { Control } from '#services/control/control.ts';
import type { FencePair } from './fence.ts';

/** @throws {TerraFusionError} CONFLICTING_STATE, TABLE_LEFT_OUT when a fence would wait in vain */
export async function fencePair({ pairs, generations }: Control, id: string): Promise<FencePair> {
  const { name, sourceId, desired, state, error, load, syncs } = await pairs.get(id);
  const refuse = (message: string): TerraFusionError =>
    new TerraFusionError('CONFLICTING_STATE', `The pair ${name} ${message}`, {
      details: { desired, state, load: load.state, ...(error && { error }) },
    });
  if (desired === 'paused') throw refuse('is paused: resume it first');
  if (state === 'failed') throw refuse(`has failed (${error?.code ?? 'unknown'}): ${error?.message ?? ''}`);
  const leftOut = syncs.filter((sync) => sync.state === 'left_out').flatMap(({ tables }) => tables);
  if (leftOut.length > 0) {
    const tables = leftOut.map(({ source }) => formatTableName(source));
    throw new TerraFusionError('TABLE_LEFT_OUT', `The pair ${name} does not keep ${tables.join(', ')} in step`, {
      details: { tables },
    });
  }
  const generation = (await generations.latest(sourceId))?.generation ?? 1;
  return {
    // Tables that are to leave the stream have not left it yet.
    loaded: load.state === 'done' && syncs.every((sync) => sync.state !== 'requested'),
    load: load.number,
    generation,
    syncs: syncs.map(({ number }) => number),
  };
}
