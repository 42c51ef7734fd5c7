// @ts-check
const STORAGE = 'terrafusion.key';

/** What the gateway answered instead of what was asked for. */
export class Refused extends Error {
  /**
   * @param {number} status 0: nothing answered
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The key lives as long as the tab. */
export const keyStore = {
  /** @returns {string | null} */
  get: () => sessionStorage.getItem(STORAGE),
  /** @param {string} key */
  set: (key) => sessionStorage.setItem(STORAGE, key),
  forget: () => sessionStorage.removeItem(STORAGE),
};

/**
 * @param {string} path
 * @param {{ signal?: AbortSignal, accept?: string }} [options]
 * @returns {Promise<Response>}
 * @throws {Refused}
 */
async function request(path, { signal, accept = 'application/json' } = {}) {
  const key = keyStore.get();
  let reply;
  try {
    reply = await fetch(path, {
      headers: { accept, ...(key === null ? {} : { 'x-api-key': key }) },
      cache: 'no-store',
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refused(0, 'The gateway does not answer.');
  }
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => ({}));
  throw new Refused(reply.status, body?.error?.message ?? `The gateway answered ${reply.status}.`);
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 * @throws {Refused}
 */
export async function get(path) {
  const reply = await request(path, { signal: AbortSignal.timeout(15_000) }).catch((error) => {
    throw error instanceof Refused ? error : new Refused(0, 'The gateway does not answer in time.');
  });
  return reply.json();
}

/**
 * The events of the gateway, until it closes the stream. EventSource cannot send a key in a header, so the stream is read by hand.
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<{ type: string, data: any }>}
 */
export async function* events(path, signal) {
  const reply = await request(path, { signal, accept: 'text/event-stream' });
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = /** @type {ReadableStream<Uint8Array>} */ (reply.body).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield* parser.push(decoder.decode(value, { stream: true }));
  }
}

/** Takes the text of a stream of server-sent events in pieces of any cut. */
export class EventParser {
  #rest = '';

  /**
   * @param {string} text
   * @returns {{ type: string, data: any }[]} what is complete
   */
  push(text) {
    this.#rest += text;
    const blocks = this.#rest.split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      let type = 'message';
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith('event:')) type = line.slice(6).trim();
        else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''));
      }
      return data.length === 0 ? [] : [{ type, data: JSON.parse(data.join('\n')) }];
    });
  }
}
