import type { Clock } from '#connectors/contract/context.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import { statusView, type StatusView } from '#schemas/http/status.ts';
import { systemClock } from '#services/kernel/clock.ts';
import { maskText } from '#services/kernel/masking.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { json, paint, table, type Colour, type Terminal } from '../output.ts';
import { printable } from '../text.ts';
import { createView } from './live-view.ts';
import { pairTable } from './pairs.ts';

export interface WatchOptions {
  readonly everyS: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** `terrafusion status`: every component and pair. Ends with 1 when something is down. */
export async function status(client: GatewayClient, terminal: Terminal, asJson: boolean): Promise<number> {
  const view = await client.get('/api/status', statusView);
  terminal.out(asJson ? json(view) : statusText(view, terminal));
  return view.state === 'down' ? exitCodes.FAILED : exitCodes.OK;
}

/**
 * `terrafusion status --watch`: the same again and again until it is stopped, on a terminal in one place. A gateway that is away is said to
 * be, and looked for again: this is what one looks at while something is wrong.
 */
export async function watchStatus(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { everyS, signal }: WatchOptions,
  clock: Clock = systemClock,
): Promise<number> {
  using view = createView(terminal, asJson);
  while (!signal.aborted) {
    try {
      const seen = await client.get('/api/status', statusView);
      view.show(asJson ? seen : statusText(seen, terminal));
    } catch (thrown) {
      const error = asTerraFusionError(thrown);
      // What will not be otherwise at the next look: no key, no right.
      if (!(error instanceof TerraFusionError) || !error.heals || error.code === 'INTERNAL') throw error;
      const { code, message, fix } = error;
      view.show(
        asJson
          ? { error: { code, message: maskText(message), fix } }
          : `${paint(terminal, 'red', code)}: ${printable(maskText(message))}\n${fix}\n`,
      );
    }
    await clock.sleep(everyS * 1000, signal).catch(() => undefined);
  }
  return exitCodes.OK;
}

const componentColours: Readonly<Record<string, Colour>> = {
  up: 'green',
  degraded: 'yellow',
  down: 'red',
  unknown: 'gray',
};

export function statusText(view: StatusView, terminal: Terminal): string {
  const parts = [
    `TerraFusion Sync ${view.version} is ${paint(terminal, componentColours[view.state], view.state)}.\n`,
    table(
      view.components,
      [
        { title: 'COMPONENT', value: ({ name }) => name },
        { title: 'STATE', value: ({ state }) => state, colour: ({ state }) => componentColours[state] },
        { title: '', value: ({ message }) => message, flexible: true },
      ],
      terminal,
    ),
    pairTable(view.pairs, terminal),
    view.alerts
      .map(({ severity, pair, message }) => {
        const colour = severity === 'critical' ? 'red' : 'yellow';
        return `${paint(terminal, colour, severity)}: ${pair === null ? '' : `${printable(pair)}: `}${printable(message)}\n`;
      })
      .join(''),
  ];
  return parts.filter((part) => part !== '').join('\n');
}
