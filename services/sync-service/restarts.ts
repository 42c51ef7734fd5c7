import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Healing } from '#schemas/healing.ts';

/** Stages that end so begin again as part of their work, and that is nobody's to switch; being stuck has a switch of its own. */
const noFailures: readonly ErrorCode[] = ['LEASE_LOST', 'TARGET_FENCED', 'SOURCE_TABLE_CHANGED', 'STAGE_STUCK'];

const isFailure = (error: TerraFusionError): boolean => !noFailures.includes(error.code);

/** Whether a stage that has met an error that heals may go on by itself. */
export function mayRestart(healing: Healing, error: TerraFusionError): boolean {
  return !isFailure(error) || healing.isOn('restart_stage');
}

/** It goes on by itself: counted, unless that is part of its work. */
export function noteRestart(healing: Healing, subject: string, error: TerraFusionError): void {
  if (isFailure(error)) healing.done('restart_stage', { subject, code: error.code, message: error.message });
}

/** What a stage halts with that may not. */
export function switchedOff(action: 'restart_stage' | 'quarantine_refused_change', what: string): TerraFusionError {
  return new TerraFusionError('HEALING_SWITCHED_OFF', `${what}; ${action} is switched off`, { details: { action } });
}
