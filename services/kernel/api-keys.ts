import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { Secret } from '#schemas/secret.ts';

/** `tfk_<id>_<secret>`: the id finds the key, the secret opens it; only the secret's hash is stored. */
export interface ApiKey {
  readonly id: string;
  readonly secret: Secret;
}

// Letters and digits only: a double click selects the whole key.
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A new key: an id of 12 characters and a secret of 43 (256 bits). */
export function generateApiKey(): ApiKey {
  return { id: randomText(12), secret: new Secret(randomText(43)) };
}

/** The key as its holder writes it. */
export function formatApiKey({ id, secret }: ApiKey): Secret {
  return new Secret(`tfk_${id}_${secret.reveal()}`);
}

/** Takes a key apart; undefined when it has not the form, or a secret of fewer than 32 characters. */
export function parseApiKey(text: string): ApiKey | undefined {
  const [, id, secret] = /^tfk_([A-Za-z0-9]{1,64})_([A-Za-z0-9_-]{32,256})$/.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret: new Secret(secret) };
}

/** What is stored of a key's secret. A plain SHA-256 is enough: the secret is random, there is nothing to guess. */
export function hashApiKeySecret(secret: Secret): Buffer {
  return createHash('sha256').update(secret.reveal()).digest();
}

/** Whether the secret is the one whose hash is stored, in a time that tells nothing. */
export function matchesApiKeySecret(secret: Secret, stored: Uint8Array): boolean {
  const hash = hashApiKeySecret(secret);
  return stored.length === hash.length && timingSafeEqual(hash, stored);
}

function randomText(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
