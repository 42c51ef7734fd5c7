import { asTerraFusionError } from '#schemas/errors.ts';
import type { Log } from '#services/kernel/log.ts';
import type { Control } from './control.ts';

/**
 * Encrypts what is still encrypted with the master key before with that of now, system by system: each is done or not, so that a process
 * that ends in between leaves the rest to the next start. What neither key opens stays as it is and is told: its pairs say the same.
 */
export async function rotateSecrets(
  control: Control,
  log: Log,
): Promise<{ readonly done: number; readonly left: number }> {
  const outdated = await control.systems.outdated();
  let done = 0;
  const left: string[] = [];
  for (const id of outdated) {
    try {
      if (await control.transaction(({ systems }) => systems.encryptAnew(id))) done += 1;
    } catch (thrown) {
      const error = asTerraFusionError(thrown);
      if (error.code !== 'MASTER_KEY_WRONG') throw error;
      left.push(id);
    }
  }
  if (left.length > 0) {
    log.error({ systems: left }, 'Secrets of systems are encrypted with another master key: they cannot be opened.');
  }
  if (done > 0) {
    await control.audit.append({
      actor: 'gateway',
      action: 'secrets.rotate',
      outcome: left.length === 0 ? 'success' : 'failure',
      after: { systems: done, not_opened: left.length },
    });
    log.info({ systems: done, left: left.length }, 'Secrets were encrypted with the new master key.');
  }
  return { done, left: left.length };
}
