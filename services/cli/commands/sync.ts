import type { Clock } from '#connectors/contract/context.ts';
import { operationView } from '#schemas/http/operations.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { json, type Terminal } from '../output.ts';
import { follow } from './follow.ts';

export interface SyncOptions {
  readonly type: 'full' | 'incremental';
  /** Id or name. */
  readonly pair: string;
  /** False: the operation is begun, and that is all. */
  readonly wait: boolean;
  readonly timeoutS?: number | undefined;
}

/**
 * `terrafusion sync`: begins an operation and shows how it goes on until it ends. The operation is the service's: it goes on when this
 * command is interrupted.
 */
export async function sync(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { type, pair, wait, timeoutS }: SyncOptions,
  clock: Clock = systemClock,
): Promise<number> {
  const operation = await client.send('POST', '/api/sync-operations', { pair_id: pair, type }, operationView);
  if (wait) return await follow(client, terminal, asJson, operation, { timeoutS }, clock);
  terminal.out(asJson ? json(operation) : `${operation.id}\n`);
  return exitCodes.OK;
}
