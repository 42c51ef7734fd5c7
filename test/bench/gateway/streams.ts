import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import type { GatewayProduct } from './product.ts';

/** Open event streams that read what they are told. */
export interface Streams extends Disposable {
  /** Bytes that all of them have been told so far. */
  bytes(): number;
  /** Those that the gateway has not ended. */
  open(): number;
}

/** Opens one stream for each key and waits until each has been told how things are. */
export async function openStreams({ url }: GatewayProduct, keys: readonly string[]): Promise<Streams> {
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
  let bytes = 0;
  let open = 0;
  await Promise.all(
    keys.map(async (key) => {
      const sent = request(new URL('/api/events', url), { agent, headers: { 'x-api-key': key } }).end();
      const [reply] = (await once(sent, 'response')) as [IncomingMessage];
      if (reply.statusCode !== 200) throw new Error(`An event stream was answered ${reply.statusCode}`);
      open += 1;
      reply.on('close', () => (open -= 1)).on('error', () => undefined);
      let told = '';
      await new Promise<void>((resolve) => {
        reply.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (told.includes('event: alerts')) return;
          told += chunk.toString();
          if (told.includes('event: alerts')) resolve();
        });
      });
    }),
  );
  return {
    bytes: () => bytes,
    open: () => open,
    [Symbol.dispose]: () => {
      agent.destroy();
    },
  };
}
