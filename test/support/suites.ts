import { describe } from 'vitest';
import { withReason } from './suite-reason.ts';

/**
 * A suite that needs something which this machine may not have.
 * @param missing why it cannot run here; undefined when it can. It is told at the end of the run.
 */
export function describeUnless(missing: string | undefined, title: string, body: () => void): void {
  describe.skipIf(missing !== undefined)(missing === undefined ? title : withReason(title, missing), body);
}
