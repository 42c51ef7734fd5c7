import type { Clock } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { openStates, operationView, type OperationView } from '#schemas/http/operations.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import type { Terminal } from '../output.ts';
import { progressDisplay } from '../progress.ts';
import { pathOf } from './pages.ts';

/** How often the gateway is asked, in milliseconds. */
const LOOK_EVERY = 500;
/** How long a gateway that was there may be away, in milliseconds: the operation goes on without it. */
const PATIENCE = 60_000;

export interface FollowOptions {
  /** Seconds after which nobody waits any more; for ever when left out. */
  readonly timeoutS?: number | undefined;
}

/**
 * Shows an operation until it ends. It is the service's: it goes on when nobody looks, so a gateway that is being restarted is waited for.
 * @returns the exit code: 0 once it is completed, 1 when it ended otherwise
 * @throws {TerraFusionError} OPERATION_TIMEOUT
 */
export async function follow(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  begun: OperationView,
  { timeoutS }: FollowOptions = {},
  clock: Clock = systemClock,
): Promise<number> {
  const display = progressDisplay(terminal, asJson);
  const until = timeoutS === undefined ? Infinity : clock.monotonic() + timeoutS * 1000;
  let operation = begun;
  let heardAt = clock.monotonic();
  while (openStates.includes(operation.state)) {
    display.show(operation, clock.monotonic());
    if (clock.monotonic() >= until) {
      display.leave();
      throw new TerraFusionError(
        'OPERATION_TIMEOUT',
        `Operation ${operation.id} of ${operation.pair.name} is still ${operation.state} after ${timeoutS ?? 0} seconds`,
        { details: { operation: operation.id } },
      );
    }
    await clock.sleep(LOOK_EVERY);
    try {
      operation = await client.get(pathOf('/api/sync-operations', operation.id), operationView);
      heardAt = clock.monotonic();
    } catch (error) {
      const away = error instanceof TerraFusionError && error.heals && clock.monotonic() - heardAt < PATIENCE;
      if (away) continue;
      display.leave();
      throw error;
    }
  }
  display.ended(operation, clock.monotonic());
  return exitCodeOf(operation);
}

export function exitCodeOf({ state }: OperationView): number {
  return state === 'completed' ? exitCodes.OK : exitCodes.FAILED;
}
