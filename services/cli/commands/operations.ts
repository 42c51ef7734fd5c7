import { operationsPage, type OperationView } from '#schemas/http/operations.ts';
import { exitCodes } from '#services/kernel/lifecycle.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { count, duration, json, table, type Terminal } from '../output.ts';

export interface OperationsOptions {
  /** Id or name of a pair; all pairs when left out. */
  readonly pair?: string;
  /** How many, the latest first. */
  readonly limit: number;
}

/** `terrafusion operations`: the latest runs. */
export async function operations(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { pair, limit }: OperationsOptions,
): Promise<number> {
  const query = new URLSearchParams({ limit: String(limit), ...(pair === undefined ? {} : { pair }) });
  const { items } = await client.get(`/api/sync-operations?${query.toString()}`, operationsPage);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'Nothing has run yet.\n' : operationTable(items));
  return exitCodes.OK;
}

function operationTable(items: readonly OperationView[]): string {
  return table(items, [
    {
      title: 'BEGUN',
      value: ({ started_at, created_at }) => (started_at ?? created_at).slice(0, 19).replace('T', ' '),
    },
    { title: 'PAIR', value: ({ pair }) => pair.name },
    { title: 'TYPE', value: ({ type }) => type },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'TOOK', value: (operation) => duration(seconds(operation)), right: true },
    { title: 'ROWS', value: ({ counts }) => count(counts.rows_copied), right: true },
    { title: 'CHANGES', value: ({ counts }) => count(counts.inserted + counts.updated + counts.deleted), right: true },
    { title: 'DEAD LETTERS', value: ({ counts }) => count(counts.dead_letters), right: true },
    { title: 'ID', value: ({ id }) => id },
    { title: '', value: ({ error }) => (error === null ? '' : `${error.code}: ${error.message}`) },
  ]);
}

function seconds({ started_at, finished_at }: OperationView): number | null {
  return started_at === null || finished_at === null ? null : (Date.parse(finished_at) - Date.parse(started_at)) / 1000;
}
