import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { createFileOnce } from './files.ts';

/** What stands in a stored JSON document where a secret is. */
export interface Encrypted {
  /** "v1.<key's id>.<iv>.<tag>.<ciphertext>", the parts in base64url. */
  readonly $encrypted: string;
}

/** The file of the data folder that holds the master key when none is given. */
export const MASTER_KEY_FILE = 'master.key';

/**
 * The given master key, or the one that is made once and kept in the data folder, readable by its owner only.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE
 */
export async function masterKey(given: Secret | undefined, dataFolder: string): Promise<Secret> {
  if (given) return given;
  const file = join(dataFolder, MASTER_KEY_FILE);
  try {
    return new Secret((await createFileOnce(file, `${randomBytes(32).toString('base64url')}\n`)).trim());
  } catch (cause) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${file} cannot be read or written: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** Encrypts and decrypts secrets at rest with AES-256-GCM. (Promise 8) */
export class SecretBox {
  readonly #current: Key;
  /** By their ids. */
  readonly #keys: ReadonlyMap<string, Key>;

  /**
   * `master` is any text of 16 characters or more; the key is stretched from it, which takes some ten milliseconds.
   * @param previous opens what was encrypted before the key was changed; nothing is encrypted with it any more
   */
  constructor(master: Secret, previous?: Secret) {
    this.#current = keyOf(master);
    const known = [this.#current, ...(previous ? [keyOf(previous)] : [])];
    this.#keys = new Map(known.map((key) => [key.id, key]));
  }

  encrypt(secret: Secret): Encrypted {
    const iv = randomBytes(12);
    const { id, key } = this.#current;
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    cipher.setAAD(Buffer.from(id));
    const text = Buffer.concat([cipher.update(secret.reveal(), 'utf8'), cipher.final()]);
    return {
      $encrypted: ['v1', id, ...[iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join('.'),
    };
  }

  /** @throws {TerraFusionError} MASTER_KEY_WRONG when it was encrypted with another key, or was tampered with. */
  decrypt({ $encrypted }: Encrypted): Secret {
    const [version, id, iv, tag, text] = $encrypted.split('.');
    if (version !== 'v1' || iv === undefined || tag === undefined || text === undefined) {
      throw new TerraFusionError('MASTER_KEY_WRONG', 'A stored secret has a form that this version does not know');
    }
    const known = this.#keys.get(id!);
    if (!known) throw new TerraFusionError('MASTER_KEY_WRONG', 'A stored secret was encrypted with another master key');
    try {
      const decipher = createDecipheriv('aes-256-gcm', known.key, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(known.id));
      decipher.setAuthTag(Buffer.from(tag, 'base64url'));
      return new Secret(
        Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString('utf8'),
      );
    } catch (cause) {
      throw new TerraFusionError('MASTER_KEY_WRONG', 'A stored secret was altered', { cause });
    }
  }

  /** Whether the document holds something that is not encrypted with the key of now. */
  isOutdated(value: unknown): boolean {
    let outdated = false;
    walk(value, (part) => {
      if (isEncrypted(part)) outdated ||= part.$encrypted.split('.')[1] !== this.#current.id;
      return undefined;
    });
    return outdated;
  }

  /** A mark on a text that only holders of the master key can make: "v1.<key's id>.<mac>". */
  sign(text: string): string {
    return ['v1', this.#current.id, mac(this.#current, text).toString('base64url')].join('.');
  }

  /** Whether {@link sign} has made the mark; "unknown key" when it was not with a key that we have. */
  checkSignature(text: string, signature: string): 'good' | 'bad' | 'unknown key' {
    const [version, id, given] = signature.split('.');
    if (version !== 'v1' || given === undefined) return 'bad';
    const known = this.#keys.get(id!);
    if (!known) return 'unknown key';
    const [theirs, ours] = [Buffer.from(given, 'base64url'), mac(known, text)];
    return theirs.length === ours.length && timingSafeEqual(theirs, ours) ? 'good' : 'bad';
  }

  /** A copy of plain data, to be stored, in which every `Secret` is encrypted. */
  seal(value: unknown): unknown {
    return walk(value, (part) => (part instanceof Secret ? this.encrypt(part) : undefined));
  }

  /** A copy of what was stored, to be used, in which every encrypted secret is a `Secret` again. */
  unseal(value: unknown): unknown {
    return walk(value, (part) => (isEncrypted(part) ? this.decrypt(part) : undefined));
  }
}

interface Key {
  readonly id: string;
  readonly key: Buffer;
}

/** A key of its own: what signs must not be what encrypts. */
function mac({ key }: Key, text: string): Buffer {
  const signing = Buffer.from(hkdfSync('sha256', key, '', 'terrafusion signatures', 32));
  return createHmac('sha256', signing).update(text).digest();
}

function keyOf(master: Secret): Key {
  // The salt is fixed: there is one key an installation, and it must come out the same in each of its processes.
  const key = scryptSync(master.reveal(), 'terrafusion master key', 32, { N: 2 ** 14 });
  return { key, id: createHash('sha256').update('id').update(key).digest('base64url').slice(0, 8) };
}

/** Whether this part of a stored document is an encrypted secret. */
export function isEncrypted(value: unknown): value is Encrypted {
  return typeof value === 'object' && value !== null && '$encrypted' in value && typeof value.$encrypted === 'string';
}

/** A copy of plain data with parts replaced: by what `replace` gives for them, or, where it gives undefined, part by part. */
function walk(value: unknown, replace: (part: unknown) => unknown): unknown {
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  if (Array.isArray(value)) return value.map((item) => walk(item, replace));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, walk(field, replace)]));
}
