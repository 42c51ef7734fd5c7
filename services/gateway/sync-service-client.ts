import { errorKinds, TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import { replayReply, syncServiceHealth, type SyncServiceHealth } from '#schemas/http/sync-service.ts';
import type { Secret } from '#schemas/secret.ts';
import { systemClock, type Clock } from '#services/kernel/clock.ts';
import type { ZodType } from 'zod';
import { CircuitBreaker, type CircuitStatus } from './circuit-breaker.ts';

export interface SyncServiceClientOptions {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  readonly apiKey: Secret;
  /** How long an answer may take, in ms. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** In the details of an error: nobody answered, which is not the same as an answer that refuses. */
const UNANSWERED = 'unanswered';

interface Question {
  readonly body?: unknown;
  readonly timeoutMs?: number;
  readonly accept?: readonly number[];
  /** Of the request that this serves: the sync-service's log names it too. */
  readonly requestId?: string;
}

/** What the gateway asks of the sync-service. Everything else goes through the control database, where no command can be lost. */
export class SyncServiceClient {
  readonly #options: SyncServiceClientOptions;
  readonly #circuit: CircuitBreaker;

  constructor(options: SyncServiceClientOptions) {
    this.#options = options;
    this.#circuit = new CircuitBreaker({
      name: 'sync-service',
      clock: options.clock ?? systemClock,
      isDown: ({ details }) => details[UNANSWERED] === true,
    });
  }

  /** Whether it is asked at all, after it has not answered. */
  circuit(): CircuitStatus {
    return this.#circuit.status();
  }

  get url(): string {
    return this.#options.url;
  }

  /** Its own word about itself, also when it says it is unwell. @throws SERVICE_UNAVAILABLE when it says nothing */
  async health(): Promise<SyncServiceHealth> {
    return await this.#ask('GET', '/health', syncServiceHealth, { timeoutMs: 2000, accept: [200, 503] });
  }

  /** Whether the process of this PID answers at our URL: another one's answer is not its sign of life. */
  async isLive(pid: number, signal: AbortSignal): Promise<boolean> {
    const reply = await fetch(new URL('/health/live', this.#options.url), { signal });
    const body = (await reply.json()) as { pid?: unknown };
    const lives = reply.ok && body.pid === pid;
    if (lives && this.#circuit.status().state !== 'closed') this.#circuit.close();
    return lives;
  }

  /** Writes a dead letter's row to the target; resolves when the target has committed it. */
  async replay(id: string, row: Readonly<Record<string, string | null>> | undefined, requestId: string): Promise<void> {
    await this.#ask('POST', `/dead-letters/${encodeURIComponent(id)}/replay`, replayReply, {
      body: row === undefined ? {} : { row },
      timeoutMs: 30_000,
      requestId,
    });
  }

  async #ask<T>(method: string, path: string, schema: ZodType<T>, question: Question = {}): Promise<T> {
    return this.#circuit.ask(() => this.#send(method, path, schema, question));
  }

  async #send<T>(
    method: string,
    path: string,
    schema: ZodType<T>,
    { body, timeoutMs, accept = [200], requestId }: Question,
  ): Promise<T> {
    const { url, apiKey, timeoutMs: usual = 5000 } = this.#options;
    let reply: Response;
    let answer: unknown;
    try {
      reply = await fetch(new URL(path, url), {
        method,
        headers: {
          'x-api-key': apiKey.reveal(),
          ...(requestId === undefined ? {} : { 'x-request-id': requestId }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        signal: AbortSignal.timeout(timeoutMs ?? usual),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      answer = await reply.json();
    } catch (cause) {
      const late = cause instanceof Error && cause.name === 'TimeoutError';
      throw new TerraFusionError(
        'SERVICE_UNAVAILABLE',
        `The sync-service ${late ? 'does not answer in time' : 'cannot be reached'} at ${url}`,
        { cause, details: { component: 'sync-service', [UNANSWERED]: true } },
      );
    }
    if (!accept.includes(reply.status)) throw asToldBy(answer, reply.status);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new TerraFusionError('SERVICE_UNAVAILABLE', `What answers at ${url} is not our sync-service`, {
      cause: parsed.error,
      details: { component: 'sync-service' },
    });
  }
}

/** The error that the sync-service answered with, as if it had been thrown here. */
function asToldBy(answer: unknown, status: number): TerraFusionError {
  const { error } = (answer ?? {}) as {
    error?: { code?: string; message?: string; details?: Record<string, unknown> };
  };
  if (status === 401 || status === 403 || error?.code === undefined || !(error.code in errorKinds)) {
    return new TerraFusionError(
      'SERVICE_UNAVAILABLE',
      `The sync-service refused the gateway (${status}): ${error?.message ?? 'no reason given'}`,
      {
        details: { component: 'sync-service' },
      },
    );
  }
  return new TerraFusionError(error.code as ErrorCode, error.message ?? 'The sync-service failed', {
    details: error.details ?? {},
  });
}
