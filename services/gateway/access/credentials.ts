import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Verified } from '#services/control/api-keys.ts';
import type { Control } from '#services/control/control.ts';
import type { Principal } from '../gateway.ts';
import { csrfToken, sessionToken } from './browser.ts';
import { isToken, type Tokens } from './tokens.ts';

/** What a request carries to show who sends it. */
export interface Credential {
  readonly kind: 'key' | 'session' | 'token';
  /** A secret. */
  readonly text: string;
}

/** Who it belongs to. */
export interface Identity {
  readonly by: 'key' | 'session' | 'token' | 'nobody';
  readonly principal: Principal;
  /** undefined: never. */
  readonly expiresAt: Date | undefined;
  readonly session: { readonly id: string; readonly endsAt: Date; readonly csrfToken: string } | undefined;
}

/** A key in a header says more than a cookie, which browsers send unasked. */
export function credentialOf(request: FastifyRequest): Credential | undefined {
  const { 'x-api-key': header, authorization } = request.headers;
  if (typeof header === 'string' && header !== '') return { kind: 'key', text: header };
  if (authorization !== undefined) {
    const text = /^Bearer\s+(\S+)\s*$/i.exec(authorization)?.[1] ?? '';
    return { kind: isToken(text) ? 'token' : 'key', text };
  }
  const token = sessionToken(request);
  return token === undefined ? undefined : { kind: 'session', text: token };
}

/**
 * undefined for one that is unknown, wrong, expired or revoked.
 * @throws UNAUTHENTICATED with what is wrong with a token; CONTROL_DATABASE_UNREACHABLE
 */
export async function identify(
  control: Control,
  tokens: Tokens | undefined,
  { kind, text }: Credential,
): Promise<Identity | undefined> {
  const { apiKeys, sessions } = control;
  if (kind === 'token') {
    if (!tokens) return undefined;
    const { principal, expiresAt } = await tokens.verify(text, control);
    return { by: 'token', principal, expiresAt, session: undefined };
  }
  if (kind === 'key') {
    const key = await apiKeys.verify(text);
    return key && byKey(key);
  }
  const found = await sessions.verify(text);
  if (!found) return undefined;
  const { id, endsAt, expiresAt } = found.session;
  return {
    by: 'session',
    principal: found.holder,
    expiresAt,
    session: { id, endsAt, csrfToken: csrfToken(text) },
  };
}

export const byKey = (holder: Verified): Identity => ({
  by: 'key',
  principal: holder,
  expiresAt: holder.expiresAt,
  session: undefined,
});

const REMEMBERED = 1000;

/** What was found when it was asked last. */
export interface Remembered {
  readonly identity: Identity;
  readonly at: number;
  /** How much had been changed through this gateway by then. */
  readonly changes: number;
}

/** Credentials that were good lately, by hash: they themselves are not kept. */
export class KnownCredentials {
  readonly #known = new Map<string, Remembered>();

  get(credential: Credential): Remembered | undefined {
    return this.#known.get(hash(credential));
  }

  remember(credential: Credential, remembered: Remembered): void {
    const key = hash(credential);
    // The latest at the end: the first one is the one to go.
    this.#known.delete(key);
    this.#known.set(key, remembered);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value!);
  }

  forget(credential: Credential): void {
    this.#known.delete(hash(credential));
  }
}

const hash = ({ kind, text }: Credential): string => createHash('sha256').update(`${kind} ${text}`).digest('base64');
