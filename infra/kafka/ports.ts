import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';

/** Below the range from which systems take ports for outgoing connections: who looks for a broker that is away shall not sit on its port. */
const [LOWEST, HIGHEST] = [15_000, 32_000];
const ATTEMPTS = 100;

/**
 * So many ports of 127.0.0.1 that nobody listens on, the first being the wanted one unless that is 0.
 * @throws when somebody listens on the wanted one
 */
export async function freePorts(count: number, wanted = 0): Promise<number[]> {
  const held = new Map<number, Server>();
  try {
    if (wanted !== 0) held.set(wanted, await listen(wanted));
    for (let attempt = 0; held.size < count; attempt++) {
      const port = randomInt(LOWEST, HIGHEST);
      if (held.has(port)) continue;
      try {
        held.set(port, await listen(port));
      } catch (error) {
        if (attempt === ATTEMPTS) throw error;
      }
    }
    return [...held.keys()];
  } finally {
    await Promise.all([...held.values()].map((server) => once(server.close(), 'close')));
  }
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
  await once(server, 'listening');
  return server;
}
