import { errors, jwtVerify, type JWTPayload } from 'jose';
import { TerraFusionError } from '#schemas/errors.ts';
import { roles, type Role } from '#schemas/http/common.ts';
import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Principal } from '../gateway.ts';
import type { KeySet } from './key-set.ts';

export interface TokenOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Seconds by which the clocks of issuer and gateway may differ. */
  readonly leewayS: number;
  /** Names the holder's role, or several. */
  readonly roleClaim: string;
  /** Names the systems that the holder is limited to; undefined: tokens limit nobody. */
  readonly systemsClaim: string | undefined;
}

/** Signatures with a key of their own kind only: none that a public key could be mistaken for the secret of, and no "none". */
const algorithms = ['EdDSA', 'Ed25519', 'ES256'];

/** Who a token says that its bearer is. */
export interface TokenHolder {
  readonly principal: Principal;
  readonly expiresAt: Date;
}

/** Whether a bearer token has the form of a JWT. */
export const isToken = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text);

/** Tokens of an identity provider, checked here and by nobody else: signature, issuer, audience, times, role. (Promise 8) */
export class Tokens {
  readonly #options: TokenOptions;
  readonly #keys: Pick<KeySet, 'find'>;
  readonly #clock: Clock;

  constructor(options: TokenOptions, keys: Pick<KeySet, 'find'>, clock: Clock) {
    this.#options = options;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** @throws UNAUTHENTICATED; FORBIDDEN when it names no role of ours; SERVICE_UNAVAILABLE while it cannot be checked */
  async verify(text: string, control: Pick<Control, 'systems'>): Promise<TokenHolder> {
    const claims = await this.#claims(text);
    const { sub, exp } = claims;
    if (!/^[\x21-\x7e]{1,200}$/.test(sub!)) throw refused('its subject cannot be shown in the audit trail');
    const name = nameOf(claims) ?? sub!;
    return {
      principal: {
        id: `jwt:${sub!}`,
        name,
        role: this.#role(claims, name),
        systems: await this.#systems(claims, control),
      },
      expiresAt: new Date(exp! * 1000),
    };
  }

  async #claims(text: string): Promise<JWTPayload> {
    const { issuer, audience, leewayS } = this.#options;
    try {
      const { payload } = await jwtVerify(text, this.#keys.find, {
        algorithms,
        issuer,
        audience,
        clockTolerance: leewayS,
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(this.#clock.now()),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw refused('it has expired', error, true);
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
        throw refused('it is not valid yet', error, true);
      if (error instanceof errors.JOSEError) throw refused(reasonOf(error), error);
      throw error;
    }
  }

  /** The highest one that it names. */
  #role(claims: JWTPayload, name: string): Role {
    const { roleClaim } = this.#options;
    const named = textsOf(valueOf(claims, roleClaim));
    const role = roles.findLast((each) => named.includes(each));
    if (role) return role;
    throw new TerraFusionError(
      'FORBIDDEN',
      `The token of "${name}" names no role in its claim "${roleClaim}"; there are ${roles.join(', ')}`,
      { details: { claim: roleClaim } },
    );
  }

  async #systems(claims: JWTPayload, { systems }: Pick<Control, 'systems'>): Promise<readonly string[] | undefined> {
    const { systemsClaim } = this.#options;
    if (systemsClaim === undefined) return undefined;
    const named = textsOf(valueOf(claims, systemsClaim)).slice(0, 100);
    if (named.includes('*')) return undefined;
    // A token that says nothing opens nothing: a forgotten claim must not be worth more than a written one.
    const found = await Promise.all(named.map((idOrName) => systems.find(idOrName)));
    return found.flatMap((system) => system?.id ?? []);
  }
}

/** By its name, or else along the path that it tells: "realm_access.roles". */
function valueOf(claims: JWTPayload, claim: string): unknown {
  if (Object.hasOwn(claims, claim)) return claims[claim];
  return claim
    .split('.')
    .reduce<unknown>(
      (value, part) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, part)
          ? (value as Record<string, unknown>)[part]
          : undefined,
      claims,
    );
}

const textsOf = (value: unknown): string[] => [value].flat().filter((each): each is string => typeof each === 'string');

function nameOf(claims: JWTPayload): string | undefined {
  const name = [claims['name'], claims['preferred_username'], claims['email']].find(
    (each): each is string => typeof each === 'string' && /\S/.test(each),
  );
  return name?.replaceAll(/\p{C}/gu, '').trim().slice(0, 100);
}

/** @param late a token that was good, or will be: nobody guesses one */
function refused(reason: string, cause?: Error, late = false): TerraFusionError {
  return new TerraFusionError('UNAUTHENTICATED', `The token is refused: ${reason}`, {
    ...(cause && { cause }),
    details: { reason: late ? 'time' : 'token' },
  });
}

function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTClaimValidationFailed) return `its claim "${error.claim}" is missing or another one`;
  if (error instanceof errors.JOSEAlgNotAllowed) return `it must be signed with ${algorithms.join(', ')}`;
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'the issuer has no such key, or the token does not say which';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  return 'it is no token that can be read';
}
