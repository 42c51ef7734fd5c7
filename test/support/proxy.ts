import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Flow, type Shape } from './proxy-flow.ts';

/** A way to a server on which everything can happen that happens on networks. As it is opened, all goes through at once. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Connections there are now, those that lead nowhere any more included. */
  readonly connections: number;
  /** The same URL, by way of the proxy. */
  through(url: string): string;
  /** As it was opened: nothing is held, delayed or refused. What was swallowed stays swallowed. */
  open(): void;
  /** Connections stay open and nothing comes through, as when the server's machine hangs; {@link open} lets it go on. */
  freeze(): void;
  /** Every connection breaks, and new ones are refused at once. */
  cut(): void;
  /** Every connection breaks by a reset (RST), as when a router forgets them. New ones go through. */
  reset(): void;
  /**
   * Half-open: connections look well, what either side sends is taken and thrown away, and neither learns that the other is gone. New ones
   * are taken likewise until {@link open}; the old ones never come to life again.
   */
  swallow(): void;
  /** Delays, narrows, or keeps new connections waiting; both ways. */
  slow(shape: Shape): void;
  /** New connections lead there: an address that has moved to another server. */
  leadTo(host: string, port: number): void;
}

export async function openProxy(host: string, port: number): Promise<Proxy> {
  const proxy = new TcpProxy(host, port);
  await proxy.listen();
  return proxy;
}

/** A connection and its continuation to the server. */
interface Link {
  readonly client: Socket;
  readonly upstream: Socket | undefined;
  readonly flows: readonly Flow[];
}

class TcpProxy implements Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #to: { readonly host: string; readonly port: number };
  #state: 'open' | 'frozen' | 'cut' | 'swallowing' = 'open';
  #shape: Shape = {};

  constructor(host: string, port: number) {
    this.#to = { host, port };
    this.#server = createServer((client) => {
      this.#accept(client);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#links.size;
  }

  through(url: string): string {
    const way = new URL(url);
    way.hostname = '127.0.0.1';
    way.port = String(this.port);
    return way.href;
  }

  open(): void {
    this.#state = 'open';
    this.#shape = {};
    this.#eachFlow((flow) => {
      flow.freeze(false);
    });
  }

  freeze(): void {
    this.#state = 'frozen';
    this.#eachFlow((flow) => {
      flow.freeze(true);
    });
  }

  cut(): void {
    this.#state = 'cut';
    this.#breakAll((socket) => socket.destroy());
  }

  reset(): void {
    this.#breakAll((socket) => socket.resetAndDestroy());
  }

  swallow(): void {
    this.#state = 'swallowing';
    this.#eachFlow((flow) => {
      flow.swallow();
    });
  }

  slow(shape: Shape): void {
    this.#shape = shape;
  }

  leadTo(host: string, port: number): void {
    this.#to = { host, port };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => undefined);
    if (this.#state === 'cut') {
      client.destroy();
      return;
    }
    if (this.#state === 'swallowing') {
      const link: Link = { client, upstream: undefined, flows: [] };
      client.resume();
      this.#keep(link);
      return;
    }
    const { slowStartMs = 0 } = this.#shape;
    if (slowStartMs === 0) this.#connect(client);
    else {
      setTimeout(() => {
        if (this.#state === 'cut') client.destroy();
        else this.#connect(client);
      }, slowStartMs);
    }
  }

  #connect(client: Socket): void {
    const upstream = connect(this.#to.port, this.#to.host);
    upstream.on('error', () => undefined);
    const shape = (): Shape => this.#shape;
    const flows = [new Flow(client, upstream, shape), new Flow(upstream, client, shape)];
    if (this.#state === 'frozen') {
      for (const flow of flows) flow.freeze(true);
    }
    this.#keep({ client, upstream, flows });
  }

  #keep(link: Link): void {
    this.#links.add(link);
    const forget = (): void => {
      const { client, upstream } = link;
      if (client.destroyed && upstream?.destroyed !== false) this.#links.delete(link);
    };
    link.client.on('close', forget);
    link.upstream?.on('close', forget);
  }

  #eachFlow(work: (flow: Flow) => void): void {
    for (const { flows } of this.#links) flows.forEach(work);
  }

  #breakAll(work: (socket: Socket) => void): void {
    for (const { client, upstream } of this.#links) {
      work(client);
      if (upstream !== undefined) work(upstream);
    }
  }
}
