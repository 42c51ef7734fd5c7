import { z } from 'zod';
import { pairView } from '#schemas/http/pairs.ts';
import { systemView } from '#schemas/http/systems.ts';
import type { DemoGateway } from '#services/demo/demo.ts';
import type { GatewayClient } from '../gateway-client.ts';

/** What the demo asks of the gateway, over the public API: as any other client, with the same checks. */
export function demoGateway(client: GatewayClient): DemoGateway {
  const made = z.unknown();
  return {
    findConnection: async (system) => (await client.find(`/api/systems/${system}`, systemView))?.connection,
    createSystem: async (system) => {
      await client.send('POST', '/api/systems', { ...system, environment: 'training' }, made);
    },
    changeConnection: async (system, connection) => {
      await client.send('PATCH', `/api/systems/${system}`, { connection }, made);
    },
    hasPair: async (name) => (await client.find(`/api/sync-pairs/${name}`, pairView)) !== undefined,
    createPair: async (pair) => {
      await client.send('POST', '/api/sync-pairs', pair, made);
    },
  };
}
