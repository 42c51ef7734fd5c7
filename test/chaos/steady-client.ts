import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** The connection broke: whether what was under way has been committed, nobody knows. */
export class Lost extends Error {}

/** How long a server may be away before somebody who works on it gives up, in ms. */
const PATIENCE_MS = 240_000;

/**
 * A session for somebody who works while servers die. When it breaks, {@link query} throws {@link Lost}, and the next one opens it again,
 * however long that takes.
 */
export class SteadyClient {
  readonly #url: () => string;
  #client: pg.Client | undefined;
  #ended = false;

  /** @param url asked at each connect: the server may be another one by then */
  constructor(url: () => string) {
    this.#url = url;
  }

  async query<R extends object>(text: string | pg.QueryConfig): Promise<R[]> {
    const client = (this.#client ??= await this.#connect());
    try {
      return (await client.query<R>(text)).rows;
    } catch (error) {
      if (!isLost(error)) throw error;
      await this.#drop();
      throw new Lost('The connection broke', { cause: error });
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#drop();
  }

  async #drop(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<pg.Client> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const client = new pg.Client({ connectionString: this.#url(), connectionTimeoutMillis: 5000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        return client;
      } catch (cause) {
        if (this.#ended) throw new Lost('Nobody waits for the server any more', { cause });
        if (performance.now() > deadline) throw cause;
        await delay(100);
      }
    }
  }
}

/** The server went, or somebody ended the session; not: a statement was refused. */
function isLost(error: unknown): boolean {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === 'string' && /^(08|57P|E[A-Z]+$)/.test(code)) return true;
  return typeof message === 'string' && /Connection terminated|not queryable|connection error/.test(message);
}
