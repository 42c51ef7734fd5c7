import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server that can be shut: what goes through it stands still, or is cut, and goes on later. */
export interface Valve extends AsyncDisposable {
  readonly port: number;
  /** Connections stay open and nothing comes through, as when the server's machine hangs. */
  freeze(): void;
  /** Every connection breaks, and new ones are refused at once. */
  cut(): void;
  /** As before. */
  open(): void;
}

export async function openValve(host: string, port: number): Promise<Valve> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let state: 'open' | 'frozen' | 'cut' = 'open';
  const server = createServer((client) => {
    if (state === 'cut') {
      client.destroy();
      return;
    }
    const upstream = connect(port, host);
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, [upstream, client] as const]) {
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => {
        if (state === 'open') from.resume();
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        pairs.delete(pair);
        to.destroy();
      });
      if (state === 'frozen') from.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const both = (work: (socket: Socket) => void): void => {
    for (const pair of pairs) pair.forEach(work);
  };
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => {
      state = 'frozen';
      both((socket) => socket.pause());
    },
    cut: () => {
      state = 'cut';
      both((socket) => socket.destroy());
    },
    open: () => {
      state = 'open';
      both((socket) => socket.resume());
    },
    [Symbol.asyncDispose]: async () => {
      both((socket) => socket.destroy());
      server.close();
      await once(server, 'close');
    },
  };
}
