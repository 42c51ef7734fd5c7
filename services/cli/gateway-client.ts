import type { z } from 'zod';
import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Secret } from '#schemas/secret.ts';

export interface GatewayClientOptions {
  /** "http://127.0.0.1:5000" */
  readonly url: string;
  /** undefined: the gateway is asked without a key. */
  readonly key: Secret | undefined;
  /** How long an answer may take, in ms. */
  readonly timeoutMs?: number;
}

/** Asks a gateway over its public API: what the command line and the demo's setting-up know comes from here. */
export class GatewayClient {
  readonly #options: GatewayClientOptions;

  constructor(options: GatewayClientOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** @throws {TerraFusionError} what the gateway answered, or SERVICE_UNAVAILABLE when nothing does at the URL */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#read(path, schema, await this.#ask('GET', path, undefined));
  }

  /** As {@link get}; undefined for NOT_FOUND. */
  async find<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    try {
      return await this.get(path, schema);
    } catch (error) {
      if (error instanceof TerraFusionError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** As {@link get}. */
  async send<T>(method: 'POST' | 'PATCH', path: string, body: unknown, schema: z.ZodType<T>): Promise<T> {
    return this.#read(path, schema, await this.#ask(method, path, body));
  }

  async #ask(method: string, path: string, body: unknown): Promise<unknown> {
    const { url, key, timeoutMs = 30_000 } = this.#options;
    let reply: Response;
    let text: string;
    try {
      reply = await fetch(new URL(path, url), {
        method,
        headers: {
          accept: 'application/json',
          ...(key === undefined ? {} : { 'x-api-key': key.reveal() }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await reply.text();
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new TerraFusionError(
        'SERVICE_UNAVAILABLE',
        `No gateway ${late ? 'answers in time' : 'can be reached'} at ${url}; start one with \`terrafusion up\`, or name another with --url`,
        { cause },
      );
    }
    const answer = parse(text);
    if (reply.ok) return answer;
    const { error } = (answer ?? {}) as {
      error?: { code?: string; message?: string; details?: Record<string, unknown> };
    };
    if (error?.code !== undefined && error.code in errorKinds) {
      throw new TerraFusionError(error.code as ErrorCode, error.message ?? error.code, {
        details: error.details ?? {},
      });
    }
    throw new TerraFusionError(
      'SERVICE_UNAVAILABLE',
      `What answers at ${url} is not our gateway (status ${reply.status})`,
    );
  }

  #read<T>(path: string, schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new TerraFusionError(
      'SERVICE_UNAVAILABLE',
      `What answers at ${this.url}${path} is not our gateway, or is another version of it`,
      {
        cause: parsed.error,
      },
    );
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
