import type { ErrorCode } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';

/** What the gateway answered instead of what was asked for; or that nothing answered. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** 0: nothing answered. */
  readonly status: number;
  readonly code: ErrorCode | 'GATEWAY_UNREACHABLE';
  readonly fix: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;

  constructor(status: number, { code, message, fix, details = {}, request_id }: Told) {
    super(message);
    this.status = status;
    this.code = code;
    this.fix = fix;
    this.details = details;
    this.requestId = request_id;
  }

  /** What is wrong with which field of the body, by its path. */
  get fields(): ReadonlyMap<string, FieldProblem> {
    const { fields } = this.details;
    return new Map(Array.isArray(fields) ? (fields as FieldProblem[]).map((field) => [field.path, field]) : []);
  }
}

interface Told {
  readonly code: ApiError['code'];
  readonly message: string;
  readonly fix: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly request_id?: string;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** What proves to the gateway who asks; see session.ts. */
export interface Credentials {
  headers(method: Method): Readonly<Record<string, string>>;
  /** The gateway does not know us (any more). */
  rejected(error: ApiError): void;
  /** The token is an old one: somebody has signed in anew in another tab. */
  renew(): Promise<void>;
}

let credentials: Credentials = { headers: () => ({}), rejected: () => undefined, renew: () => Promise.resolve() };
export function setCredentials(given: Credentials): void {
  credentials = given;
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly accept?: string;
  /** How long an answer may take, in ms; 0: as long as it likes. */
  readonly within?: number;
}

const ANSWER_WITHIN = 20_000;
/** Tries after the first one, while the gateway says that it will do later. */
const RETRIES = 3;
const FIRST_WAIT = 500;
/** A longer wait is told at once and not sat out. */
const LONGEST_WAIT = 10_000;

/** Reads. `T` is the type of schemas/http that the endpoint answers with. */
export async function get<T>(path: string, options: AskOptions = {}): Promise<T> {
  const reply = await ask('GET', path, undefined, options);
  return (await reply.json()) as T;
}

export async function send<T>(
  method: Exclude<Method, 'GET'>,
  path: string,
  body?: unknown,
  options: AskOptions = {},
): Promise<T> {
  const reply = await ask(method, path, body, options);
  return (reply.status === 204 ? undefined : await reply.json()) as T;
}

export const post = <T>(path: string, body?: unknown, options?: AskOptions): Promise<T> =>
  send<T>('POST', path, body, options);
export const patch = <T>(path: string, body: unknown, options?: AskOptions): Promise<T> =>
  send<T>('PATCH', path, body, options);
export const remove = <T>(path: string, options?: AskOptions): Promise<T> =>
  send<T>('DELETE', path, undefined, options);

/** The answer, whatever its kind; a try that the gateway puts off (429, 503) is made again, with longer and longer waits. */
export async function ask(method: Method, path: string, body: unknown, options: AskOptions): Promise<Response> {
  // The same for all tries: a POST that was carried out although its answer got lost is not carried out twice.
  const once = method === 'POST' ? { 'idempotency-key': randomId() } : {};
  for (let tries = 0; ; tries += 1) {
    try {
      return await askOnce(method, path, body, once, options);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) credentials.rejected(error);
      if (error.code === 'CSRF_REFUSED' && tries === 0) {
        await credentials.renew();
        continue;
      }
      const wait = waitBefore(error, tries);
      const again = error.status === 429 || (error.status === 503 && (method === 'GET' || method === 'POST'));
      if (!again || tries >= RETRIES || wait > LONGEST_WAIT) throw error;
      await pause(wait, options.signal);
    }
  }
}

async function askOnce(
  method: Method,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>>,
  { signal, accept = 'application/json', within = ANSWER_WITHIN }: AskOptions,
): Promise<Response> {
  const limits = [signal, within === 0 ? undefined : AbortSignal.timeout(within)].filter(
    (limit) => limit !== undefined,
  );
  let reply: Response;
  try {
    reply = await fetch(path, {
      method,
      headers: {
        accept,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...credentials.headers(method),
        ...headers,
      },
      body: body === undefined ? null : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'same-origin',
      signal: AbortSignal.any(limits),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    throw unreachable(late ? `The gateway did not answer within ${within / 1000} s.` : 'The gateway does not answer.');
  }
  if (reply.ok) return reply;
  throw await failure(reply);
}

async function failure(reply: Response): Promise<ApiError> {
  const told = await reply.json().then(
    (body: unknown) => (body as { readonly error?: Told }).error,
    () => undefined,
  );
  const seconds = Number(reply.headers.get('retry-after') ?? 'none');
  const error = told ?? {
    code: 'INTERNAL' as const,
    message: `The answer was ${reply.status} and not one of the gateway's.`,
    fix: 'See whether something stands between this browser and the gateway.',
  };
  return new ApiError(reply.status, {
    ...error,
    details: { ...error.details, ...(Number.isFinite(seconds) ? { retry_after_s: seconds } : {}) },
  });
}

function unreachable(message: string): ApiError {
  return new ApiError(0, {
    code: 'GATEWAY_UNREACHABLE',
    message,
    fix: 'See that the gateway runs and that this machine reaches it; the page tries again by itself.',
  });
}

function waitBefore({ details }: ApiError, tries: number): number {
  const wanted = details['retry_after_s'];
  // Not all browsers at the same moment.
  const own = FIRST_WAIT * 2 ** tries * (0.75 + Math.random() / 2);
  return typeof wanted === 'number' ? Math.max(wanted * 1000, own) : own;
}

/** @throws what the signal was aborted with */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}

/** Not crypto.randomUUID: pages over plain HTTP from another machine do not have it. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
