import { pairsPage, type PairSummary } from '#schemas/http/pairs.ts';
import { exitCodes } from '#services/kernel/lifecycle.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { bytes, count, duration, json, table, type Terminal } from '../output.ts';
import { allPages } from './pages.ts';

/** `terrafusion pairs`: all pairs with their state. */
export async function pairs(client: GatewayClient, terminal: Terminal, asJson: boolean): Promise<number> {
  const items = await allPages(client, '/api/sync-pairs', pairsPage);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'There are no pairs.\n' : pairTable(items));
  return exitCodes.OK;
}

export function pairTable(items: readonly PairSummary[]): string {
  const problems = items.flatMap(({ name, error, warning }) =>
    [error, warning].flatMap((each) =>
      each === null ? [] : [`${name}: ${each.code}: ${each.message}\n  ${each.fix}\n`],
    ),
  );
  const list = table(items, [
    { title: 'PAIR', value: ({ name }) => name },
    { title: 'STATE', value: ({ state, stale }) => (stale ? `${state} (not running)` : state) },
    { title: 'SOURCE', value: ({ source }) => source.name },
    { title: 'TARGET', value: ({ target }) => target.name },
    { title: 'CHANGES', value: (pair) => count(pair.changes_applied), right: true },
    { title: 'LAG', value: (pair) => duration(pair.lag_seconds), right: true },
    { title: 'BEHIND', value: (pair) => bytes(pair.lag_bytes), right: true },
    { title: 'DEAD LETTERS', value: (pair) => count(pair.dead_letters), right: true },
    { title: 'POSITION', value: ({ position }) => position ?? '-' },
  ]);
  return problems.length === 0 ? list : `${list}\n${problems.join('')}`;
}
