import type { DeadLetter } from '#schemas/dead-letters.ts';
import { formatTableName } from '#schemas/tables.ts';
import type { WorkEnvironment } from './environment.ts';
import type { SupervisedPair } from './ports.ts';
import { switchedOff } from './restarts.ts';

/**
 * Sets aside what the target refuses for good, so that one change does not hold up all that follow. (Promise 2)
 * @throws {TerraFusionError} HEALING_SWITCHED_OFF when that is not to be done by itself: the pair halts before the change
 */
export async function quarantine(
  pair: SupervisedPair,
  letters: readonly DeadLetter[],
  env: WorkEnvironment,
): Promise<void> {
  const [first] = letters;
  if (!first) return;
  // Without reason and row: they hold the county's data, which not everybody sees who may read of it.
  const what = `The target refuses ${letters.length} changes for good, the first of ${formatTableName(first.target_table)} at ${first.position}`;
  if (!env.healing.isOn('quarantine_refused_change'))
    throw switchedOff('quarantine_refused_change', `${first.code}: ${what}`);
  await storeLetters(pair, 'apply', letters, env);
  const message = `${what}; they were set aside as dead letters`;
  env.healing.done('quarantine_refused_change', { subject: pair.name, code: first.code, message });
}

export async function storeLetters(
  pair: SupervisedPair,
  stage: 'process' | 'apply',
  letters: readonly DeadLetter[],
  { control, metrics }: WorkEnvironment,
): Promise<void> {
  if (letters.length === 0) return;
  await control.storeDeadLetters(pair.id, letters);
  metrics.deadLetters(pair.id, stage, letters.length);
}
