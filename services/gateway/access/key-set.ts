import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Log } from '#services/kernel/log.ts';
import { Backoff } from '#services/kernel/retry.ts';

/** Where the public keys of the issuer are. */
export type KeySetPlace = { readonly file: string } | { readonly url: string };

export interface KeySetOptions {
  readonly place: KeySetPlace;
  readonly clock: Clock;
  readonly log: Log;
}

/** A set is looked at again after this long, in ms; */
const FRESH = 10 * 60_000;
/** and for a key that is not in it at most this often. */
const LOOK_AGAIN = 30_000;
const PATIENCE = 5000;
const LARGEST = 1024 * 1024;

/**
 * The issuer's keys, kept and looked at again: when they are old, and when a token names one that is not among them, for issuers change
 * their keys. While the issuer is away the last ones hold, and it is asked with growing waits.
 */
export class KeySet {
  readonly #options: KeySetOptions;
  readonly #backoff = new Backoff({ firstMs: 2000, maxMs: 300_000 }, () => 1);
  #keys: JWTVerifyGetKey | undefined;
  #readAt = -Infinity;
  #triedAt = -Infinity;
  #notBefore = -Infinity;
  #problem: unknown;
  #reading: Promise<void> | undefined;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /** Reads it for the first time. @throws CONFIG_INVALID when a file cannot be; an issuer that is away is no reason not to start */
  async open(): Promise<void> {
    await this.#read();
    if (this.#keys || !('file' in this.#options.place)) return;
    throw new TerraFusionError('CONFIG_INVALID', `JWT_JWKS_FILE: ${told(this.#problem)}`, { cause: this.#problem });
  }

  /** The key that a token is signed with. @throws SERVICE_UNAVAILABLE when none was ever had; errors of jose */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const now = (): number => this.#options.clock.monotonic();
    if (now() - this.#readAt > FRESH) await this.#read();
    try {
      return await this.#current()(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || now() - this.#triedAt < LOOK_AGAIN) throw error;
      await this.#read();
      return await this.#current()(header, token);
    }
  };

  #current(): JWTVerifyGetKey {
    if (this.#keys) return this.#keys;
    throw new TerraFusionError(
      'SERVICE_UNAVAILABLE',
      "The token cannot be checked: the issuer's keys are not to be had",
      {
        cause: this.#problem,
        details: { component: 'jwks' },
      },
    );
  }

  /** One at a time, however many wait for it; and not while the last failure is too near. */
  async #read(): Promise<void> {
    if (this.#options.clock.monotonic() < this.#notBefore) return;
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #readOnce(): Promise<void> {
    const { clock, log, place } = this.#options;
    this.#triedAt = clock.monotonic();
    try {
      this.#keys = createLocalJWKSet(
        parse('file' in place ? await readFile(place.file, 'utf8') : await get(place.url)),
      );
      this.#readAt = clock.monotonic();
      this.#problem = undefined;
      this.#backoff.reset();
    } catch (error) {
      this.#problem = error;
      this.#notBefore = clock.monotonic() + this.#backoff.next();
      log.warn(
        { ...place, reason: told(error), kept: this.#keys !== undefined },
        'The key set of the issuer of tokens cannot be read; the last one holds, if there is one.',
      );
    }
  }
}

async function get(url: string): Promise<string> {
  // Elsewhere than where it was said to be, it is somebody else's.
  const reply = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(PATIENCE),
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}`);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of reply.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > LARGEST) throw new Error(`${url} answered with more than ${LARGEST} characters`);
  }
  return text;
}

function parse(text: string): JSONWebKeySet {
  const set = JSON.parse(text) as Partial<JSONWebKeySet> | null;
  if (!Array.isArray(set?.keys)) throw new Error('it holds no key set: {"keys": […]}');
  // A set with secrets in it is not meant to be handed round: better said than used. Its keys are not shown.
  if (set.keys.some((key) => key.kty === 'oct' || 'd' in key))
    throw new Error('it holds private or shared keys; public ones are wanted');
  if (set.keys.length === 0) throw new Error('it holds no key');
  return { keys: set.keys };
}

const told = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
};
