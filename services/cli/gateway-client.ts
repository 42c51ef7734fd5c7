import type { z } from 'zod';
import type { Clock } from '#connectors/contract/context.ts';
import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { Secret } from '#schemas/secret.ts';
import { systemClock } from '#services/kernel/clock.ts';

export interface GatewayClientOptions {
  /** "http://127.0.0.1:5000" */
  readonly url: string;
  /** undefined: the gateway is asked without a key. */
  readonly key: Secret | undefined;
  /** How long an answer may take, in ms. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

export interface SendOptions {
  /** How long this answer may take, in ms: some wait for the world. */
  readonly timeoutMs?: number;
  /** A request that is sent a second time with the same one is answered, not done, again. */
  readonly idempotencyKey?: string;
}

/** A rate limit is waited for this often, and no longer than this at a time, in seconds. */
const PATIENCE = { times: 5, seconds: 65 };
/** Beyond what a fence was told to wait, in ms. */
const MARGIN = 15_000;

/** Asks a gateway over its public API: what the command line and the demo's setting-up know comes from here. */
export class GatewayClient {
  readonly #options: GatewayClientOptions;

  constructor(options: GatewayClientOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  /** @throws {TerraFusionError} what the gateway answered, with its `request_id` in the details; or GATEWAY_UNREACHABLE */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return this.#read(path, schema, await this.#ask('GET', path, undefined, {}));
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
  async send<T>(
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
    options: SendOptions = {},
  ): Promise<T> {
    return this.#read(path, schema, await this.#ask(method, path, body, options));
  }

  /** As {@link send}, for what waits up to `seconds` before it answers. */
  async wait<T>(path: string, seconds: number, schema: z.ZodType<T>): Promise<T> {
    return await this.send('POST', path, undefined, schema, { timeoutMs: seconds * 1000 + MARGIN });
  }

  async #ask(method: string, path: string, body: unknown, options: SendOptions): Promise<unknown> {
    const { clock = systemClock } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const { reply, text } = await this.#fetch(method, path, body, options);
      const answer = parse(text);
      if (reply.ok) return answer;
      const error = this.#asTold(answer, reply);
      const wait = error.details['retry_after_s'];
      // Many requests in a row are what a bulk command makes: it is slowed down, not refused.
      const patient = error.code === 'RATE_LIMITED' && tries <= PATIENCE.times;
      if (!patient || typeof wait !== 'number' || wait > PATIENCE.seconds) throw error;
      await clock.sleep(Math.max(1, wait) * 1000);
    }
  }

  async #fetch(
    method: string,
    path: string,
    body: unknown,
    { timeoutMs = this.#options.timeoutMs ?? 30_000, idempotencyKey }: SendOptions,
  ): Promise<{ readonly reply: Response; readonly text: string }> {
    const { url, key } = this.#options;
    try {
      const reply = await fetch(new URL(`${url.replace(/\/+$/, '')}${path}`), {
        method,
        // A gateway does not send its callers elsewhere, and the key is for it alone.
        redirect: 'error',
        headers: {
          accept: 'application/json',
          ...(key === undefined ? {} : credentials(key)),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        signal: AbortSignal.timeout(timeoutMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { reply, text: await reply.text() };
    } catch (cause) {
      throw new TerraFusionError('GATEWAY_UNREACHABLE', `No gateway ${whyNot(url, cause)}`, { cause });
    }
  }

  /** What the gateway says went wrong, as if it had been thrown here. */
  #asTold(answer: unknown, reply: Response): TerraFusionError {
    const { error } = (answer ?? {}) as {
      error?: { code?: string; message?: string; details?: Record<string, unknown>; request_id?: string };
    };
    if (error?.code === undefined) {
      return new TerraFusionError(
        'GATEWAY_UNREACHABLE',
        `What answers at ${this.url} is not our gateway (status ${reply.status})`,
      );
    }
    const message = error.message ?? error.code;
    const request = error.request_id === undefined ? {} : { request_id: error.request_id };
    // A newer gateway may know codes that we do not: its words are kept.
    if (!(error.code in errorKinds)) {
      const code = reply.status >= 500 ? 'SERVICE_UNAVAILABLE' : 'REQUEST_INVALID';
      return new TerraFusionError(code, `${error.code}: ${message}`, { details: { ...error.details, ...request } });
    }
    return new TerraFusionError(error.code as ErrorCode, message, { details: { ...error.details, ...request } });
  }

  #read<T>(path: string, schema: z.ZodType<T>, answer: unknown): T {
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new TerraFusionError(
      'GATEWAY_UNREACHABLE',
      `What answers at ${this.url}${path} is not our gateway, or is another version of it`,
      { cause: parsed.error },
    );
  }
}

/** Our own keys have a header of their own; whatever else opens the gateway is a bearer token. */
function credentials(key: Secret): Readonly<Record<string, string>> {
  const text = key.reveal();
  return text.startsWith('tfk_') ? { 'x-api-key': text } : { authorization: `Bearer ${text}` };
}

function whyNot(url: string, cause: unknown): string {
  if (!(cause instanceof Error)) return `can be reached at ${url}`;
  if (cause.name === 'TimeoutError') return `answers in time at ${url}`;
  const { code, message } = (cause.cause ?? cause) as { code?: string; message?: string };
  const certificate = code !== undefined && /CERT|SELF_SIGNED|ISSUER|UNABLE_TO_VERIFY|ALTNAME/.test(code);
  return certificate
    ? `is trusted at ${url} (${code}): its certificate authority can be named with NODE_EXTRA_CA_CERTS`
    : `can be reached at ${url} (${code ?? message ?? 'no reason known'})`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
