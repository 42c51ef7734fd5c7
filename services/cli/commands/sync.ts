import type { Clock } from '#connectors/contract/context.ts';
import { openStates, operationView, type OperationView } from '#schemas/http/operations.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { exitCodes } from '#services/kernel/lifecycle.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { json, type Terminal } from '../output.ts';
import { progressDisplay } from '../progress.ts';

/** How often the gateway is asked, in milliseconds. */
const LOOK_EVERY = 500;

export interface SyncOptions {
  readonly type: 'full' | 'incremental';
  /** Id or name. */
  readonly pair: string;
  /** False: the operation is begun, and that is all. */
  readonly wait: boolean;
}

/**
 * `terrafusion sync`: begins an operation and shows how it goes on until it ends. The operation is the service's: it goes on when this
 * command is interrupted.
 */
export async function sync(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { type, pair, wait }: SyncOptions,
  clock: Clock = systemClock,
): Promise<number> {
  let operation = await client.send('POST', '/api/sync-operations', { pair_id: pair, type }, operationView);
  if (!wait) {
    terminal.out(asJson ? json(operation) : `${operation.id}\n`);
    return exitCodes.OK;
  }
  const display = progressDisplay(terminal, asJson);
  while (openStates.includes(operation.state)) {
    display.show(operation, clock.monotonic());
    await clock.sleep(LOOK_EVERY);
    operation = await client.get(`/api/sync-operations/${operation.id}`, operationView);
  }
  display.ended(operation, clock.monotonic());
  return exitCodeOf(operation);
}

function exitCodeOf({ state }: OperationView): number {
  return state === 'completed' ? exitCodes.OK : exitCodes.FAILED;
}
