/** What stands where a secret was. */
export const MASK = '[secret]';

const secretWords =
  'pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|master[_-]?key|admin[_-]?key|authorization|cookie|credentials?';
const secretField = new RegExp(`(?:${secretWords})$`, 'i');

/**
 * Whether a field of this name holds a secret, whatever its value looks like: its last word decides, so "pgPassword" and
 * "X-API-Key" do, "password_file" and "secret_sha256" do not.
 */
export function isSecretField(name: string): boolean {
  return secretField.test(name);
}

// All of these are in bounds: texts come from outside, and one that makes a pattern start over at each letter would hold up the process.
// postgresql://user:password@host. Up to the last @ of the word: people write passwords with unescaped @ and / in them.
const urlPassword = /([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/"'\\]{0,1000}:)\S{0,2000}@/gi;
// libpq's "password=…", the query of an URL, and JSON, also JSON inside a JSON string (\"password\":\"…\").
const assignment = new RegExp(
  `((?:${secretWords})(?:\\s*=|\\\\?["']\\s*:)\\s*)(\\\\"(?:[^"\\\\]|\\\\[^"])*\\\\"|"(?:[^"\\\\]|\\\\.)*"|'(?:[^'\\\\]|\\\\.)*'|[^\\s"'&]+)`,
  'gi',
);
const apiKey = /\b(tfk_[A-Za-z0-9]{1,64}_)[A-Za-z0-9_-]+/g;
const bearer = /\b((?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}/gi;
const anything = new RegExp(`://|tfk_|bearer|basic|${secretWords}`, 'i');

/**
 * Masks the secrets that are recognised in a text: passwords in URLs and connection strings, values of JSON fields with a
 * secret's name, API keys, bearer tokens. The last net below `Secret`, for texts that others wrote: drivers, servers. It rather
 * masks too much. (Promise 8)
 */
export function maskText(text: string): string {
  if (!anything.test(text)) return text;
  return text
    .replace(urlPassword, `$1${MASK}@`)
    .replace(bearer, `$1${MASK}`)
    .replace(assignment, `$1${MASK}`)
    .replace(apiKey, `$1${MASK}`);
}

/**
 * A copy of plain data in which secrets are masked: fields by name at any depth, texts by {@link maskText}. What has a toJSON
 * (`Secret`, Date) is replaced by what that gives, an error by its message, code and causes, bytes by their number.
 */
export function maskFields(value: unknown): unknown {
  return mask(value, new Set());
}

function mask(value: unknown, above: Set<unknown>): unknown {
  if (typeof value === 'string') return maskText(value);
  // JSON has no word for these.
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return `[${value.length} bytes]`;
  if (typeof value !== 'object' || value === null) return value;
  if (above.size > 10) return '[deeper]';
  if (above.has(value)) return '[circular]';
  if ('toJSON' in value && typeof value.toJSON === 'function') return mask((value.toJSON as () => unknown)(), above);
  above.add(value);
  try {
    if (Array.isArray(value)) return value.map((item) => mask(item, above));
    return Object.fromEntries(
      Object.entries(value instanceof Error ? plainError(value) : value).map(([name, field]) => [
        name,
        isSecretValue(name, field) ? MASK : mask(field, above),
      ]),
    );
  } finally {
    above.delete(value);
  }
}

/** An error as data: what it says, its own fields (code, details, SQLSTATE), where it comes from, and its cause. */
function plainError(error: Error): object {
  return {
    type: error.name,
    message: error.message,
    ...Object.fromEntries(Object.entries(error)),
    stack: error.stack,
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}

function isSecretValue(name: string, value: unknown): boolean {
  // "token: 7" is the number of a lease or a count of tokens; a password may well be all digits.
  if (typeof value === 'number' || typeof value === 'bigint') return isSecretField(name) && !/token$/i.test(name);
  return isSecretField(name) && value !== undefined && value !== null && value !== '' && typeof value !== 'boolean';
}
