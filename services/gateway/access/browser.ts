import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { TerraFusionError } from '#schemas/errors.ts';

/** "__Host-": the browser takes it over TLS only, for this host only, and no other page of the domain can set it. */
export const SECURE_COOKIE = '__Host-terrafusion';
export const PLAIN_COOKIE = 'terrafusion_session';

const nameFor = ({ protocol }: FastifyRequest): string => (protocol === 'https' ? SECURE_COOKIE : PLAIN_COOKIE);

/** What opens the session, if the request's cookie holds it. */
export function sessionToken(request: FastifyRequest): string | undefined {
  const wanted = `${nameFor(request)}=`;
  const parts = (request.headers.cookie ?? '').split(';').map((part) => part.trim());
  const value = parts.find((part) => part.startsWith(wanted))?.slice(wanted.length);
  return value === '' ? undefined : value;
}

/** Ends with the browser; when the session ends is ours to say. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, token: string): void {
  void reply.header('set-cookie', cookie(request, token));
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  void reply.header('set-cookie', `${cookie(request, '')}; Max-Age=0`);
}

function cookie(request: FastifyRequest, value: string): string {
  const secure = request.protocol === 'https' ? '; Secure' : '';
  return `${nameFor(request)}=${value}; Path=/; HttpOnly; SameSite=Strict${secure}`;
}

/** Follows from the session, so it is stored nowhere; a page of another origin can neither read it nor the cookie. */
export function csrfToken(token: string): string {
  return createHmac('sha256', token).update('terrafusion csrf').digest('base64url');
}

/**
 * A browser sends its cookie along, whoever made it send the request: what changes something must come from a page of ours.
 * SameSite does not tell two ports of a host apart; this does.
 * @throws CSRF_REFUSED
 */
export function assertOwnPage(request: FastifyRequest, token: string): void {
  if (reads(request)) return;
  assertSameOrigin(request);
  const given = request.headers['x-csrf-token'];
  const expected = Buffer.from(csrfToken(token));
  const shown = Buffer.from(typeof given === 'string' ? given : '');
  if (shown.length === expected.length && timingSafeEqual(shown, expected)) return;
  throw new TerraFusionError(
    'CSRF_REFUSED',
    given === undefined ? 'The header X-CSRF-Token is missing' : 'The header X-CSRF-Token is not that of this session',
  );
}

/** @throws CSRF_REFUSED when a browser says that a page of another origin asks */
export function assertSameOrigin(request: FastifyRequest): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  const own = originOf(`${request.protocol}://${request.host}`);
  // Programs that keep a cookie send neither header; browsers cannot leave them out.
  if (origin === undefined ? site === undefined || site === 'same-origin' : own !== undefined && origin === own) return;
  throw new TerraFusionError(
    'CSRF_REFUSED',
    `A page of ${origin ?? 'another site'} may not use the session of ${own ?? 'this gateway'}`,
  );
}

export const reads = ({ method }: FastifyRequest): boolean => method === 'GET' || method === 'HEAD';

function originOf(text: string): string | undefined {
  return URL.canParse(text) ? new URL(text).origin : undefined;
}
