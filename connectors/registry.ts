import { TerraFusionError } from '#schemas/errors.ts';
import type { Connector } from './contract/connector.ts';

/** One line a connector; the driver is loaded when the first system needs it. */
const connectors: Readonly<Record<string, () => Promise<{ readonly connector: Connector }>>> = {
  postgres: () => import('./postgres/connector.ts'),
};

export const connectorNames: readonly string[] = Object.keys(connectors);

/** @throws {TerraFusionError} PAIR_INVALID for a name that is not registered */
export async function loadConnector(name: string): Promise<Connector> {
  const load = connectors[name];
  if (!load) {
    throw new TerraFusionError('PAIR_INVALID', `There is no connector "${name}"; known: ${connectorNames.join(', ')}`);
  }
  return (await load()).connector;
}
