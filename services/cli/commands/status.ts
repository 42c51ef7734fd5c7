import { statusView, type StatusView } from '#schemas/http/status.ts';
import { exitCodes } from '#services/kernel/lifecycle.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { json, table, type Terminal } from '../output.ts';
import { pairTable } from './pairs.ts';

/** `terrafusion status`: every component and pair. Ends with 1 when something is down. */
export async function status(client: GatewayClient, terminal: Terminal, asJson: boolean): Promise<number> {
  const view = await client.get('/api/status', statusView);
  terminal.out(asJson ? json(view) : statusText(view));
  return view.state === 'down' ? exitCodes.FAILED : exitCodes.OK;
}

function statusText(view: StatusView): string {
  const parts = [
    `TerraFusion Sync ${view.version} is ${view.state}.\n`,
    table(view.components, [
      { title: 'COMPONENT', value: ({ name }) => name },
      { title: 'STATE', value: ({ state }) => state },
      { title: '', value: ({ message }) => message },
    ]),
    pairTable(view.pairs),
    view.alerts
      .map(({ severity, pair, message }) => `${severity}: ${pair === null ? '' : `${pair}: `}${message}\n`)
      .join(''),
  ];
  return parts.filter((part) => part !== '').join('\n');
}
