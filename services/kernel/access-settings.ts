import { isIP } from 'node:net';
import { z } from 'zod';
import { list, whole } from './config.ts';

/** Variables that say who may come in, and how. */
export const accessVariables = {
  SESSION_IDLE_MINUTES: whole(1, 1440)
    .default(30)
    .describe('Minutes after which a browser that has logged in, and asks for nothing, has to log in again.'),
  SESSION_MAX_HOURS: whole(1, 168).default(12).describe('Hours after which a browser has to log in again in any case.'),
  LOCKOUT_FAILURES: whole(0, 10_000)
    .default(10)
    .describe(
      'Different wrong keys within a quarter of an hour, from one address or for one key, after which it is shut out for a while; 0 for no lockout.',
    ),
  JWT_ISSUER: z
    .string()
    .optional()
    .describe(
      'Issuer (iss) whose tokens are taken as bearer tokens, beside keys. Counts with JWT_AUDIENCE and JWT_JWKS_URL or JWT_JWKS_FILE.',
    ),
  JWT_AUDIENCE: z.string().optional().describe('Audience (aud) that tokens must name: this installation.'),
  JWT_JWKS_URL: z
    .string()
    .refine(
      isSafeUrl,
      'must be an https URL; http only on this machine, for whoever can change the answer can sign tokens',
    )
    .optional()
    .describe("Where the issuer's public keys are; read again when they are old or a token names another one."),
  JWT_JWKS_FILE: z
    .string()
    .optional()
    .describe("File with the issuer's public keys (JSON Web Key Set); read again likewise."),
  JWT_ROLE_CLAIM: z
    .string()
    .min(1)
    .default('role')
    .describe(
      'Claim that names the role (viewer, operator, editor, admin), or several; also a path such as realm_access.roles.',
    ),
  JWT_SYSTEMS_CLAIM: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Claim that names the systems to which the holder is limited, * for all. When set, a token without it opens no system.',
    ),
  JWT_LEEWAY_S: whole(0, 300)
    .default(30)
    .describe('Seconds by which the clocks of the issuer and of this machine may differ.'),
  TRUSTED_PROXIES: list()
    .refine(
      (items) => items.every(isNetwork),
      'must be addresses or networks such as 10.0.0.5 or 10.0.0.0/8, separated by commas',
    )
    .default([])
    .describe(
      'Proxies in front of the gateway, by address or network: what they say of the caller (X-Forwarded-For, -Proto, -Host) is believed, and of nobody else.',
    ),
  CORS_ORIGINS: list()
    .refine(
      (items) => items.every(isOrigin),
      'must be origins such as https://ops.county.example, without a path, or *',
    )
    .default([])
    .describe('Origins whose pages may call the API, separated by commas; * for all.'),
};

/** The same in the shape the gateway uses. */
export interface AccessSettings {
  readonly trustedProxies: readonly string[];
  readonly corsOrigins: readonly string[];
  /** 0: no lockout. */
  readonly lockoutFailures: number;
  /** How long a browser that has logged in stays so, in seconds. */
  readonly sessions: { readonly idleS: number; readonly longestS: number };
  /** Tokens of an identity provider; undefined: none are taken. */
  readonly tokens:
    | {
        readonly issuer: string;
        readonly audience: string;
        readonly keys: { readonly url: string } | { readonly file: string };
        readonly roleClaim: string;
        readonly systemsClaim: string | undefined;
        readonly leewayS: number;
      }
    | undefined;
}

type Raw = z.output<z.ZodObject<typeof accessVariables>>;

export function accessSettings(raw: Raw): AccessSettings {
  return {
    trustedProxies: raw.TRUSTED_PROXIES,
    corsOrigins: raw.CORS_ORIGINS,
    lockoutFailures: raw.LOCKOUT_FAILURES,
    sessions: { idleS: raw.SESSION_IDLE_MINUTES * 60, longestS: raw.SESSION_MAX_HOURS * 3600 },
    tokens: tokens(raw),
  };
}

function tokens(raw: Raw): AccessSettings['tokens'] {
  if (raw.JWT_ISSUER === undefined) return undefined;
  return {
    issuer: raw.JWT_ISSUER,
    audience: raw.JWT_AUDIENCE!,
    keys: raw.JWT_JWKS_URL === undefined ? { file: raw.JWT_JWKS_FILE! } : { url: raw.JWT_JWKS_URL },
    roleClaim: raw.JWT_ROLE_CLAIM,
    systemsClaim: raw.JWT_SYSTEMS_CLAIM,
    leewayS: raw.JWT_LEEWAY_S,
  };
}

/** Of tokens: who issues them says nothing without his keys, which are in one place. */
export function issuerHasKeys(): [(raw: object) => boolean, { path: string[]; message: string; when: () => boolean }] {
  return [
    (raw) => {
      const { JWT_ISSUER, JWT_JWKS_URL, JWT_JWKS_FILE } = raw as Record<string, unknown>;
      const given = [JWT_JWKS_URL, JWT_JWKS_FILE].filter((each) => each !== undefined);
      return given.length === (JWT_ISSUER === undefined ? 0 : 1);
    },
    {
      path: ['JWT_ISSUER'],
      message: 'set JWT_ISSUER together with JWT_JWKS_URL or JWT_JWKS_FILE, and one of these only',
      when: () => true,
    },
  ];
}

/** As a browser writes it, or it never matches. */
function isOrigin(text: string): boolean {
  return text === '*' || (URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text);
}

function isNetwork(text: string): boolean {
  const [address, bits, ...more] = text.split('/');
  const family = isIP(address!);
  if (family === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname));
}
