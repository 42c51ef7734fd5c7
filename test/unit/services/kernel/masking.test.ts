import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { isSecretField, maskFields, maskText } from '#services/kernel/masking.ts';

describe('masking texts (promise 8)', () => {
  test.each([
    [
      'connect to postgresql://sync:hunter2@10.0.0.5:5432/pacs failed',
      'connect to postgresql://sync:[secret]@10.0.0.5:5432/pacs failed',
    ],
    ['postgres://u:p@ss/w:rd@host/db', 'postgres://u:[secret]@host/db'],
    ['kafka://:pw@broker', 'kafka://:[secret]@broker'],
    ['host=db password=hunter2 user=sync', 'host=db password=[secret] user=sync'],
    ["password = 'it\\'s me' user=x", 'password = [secret] user=x'],
    ['https://host/path?sslpassword=hunter2&x=1', 'https://host/path?sslpassword=[secret]&x=1'],
    ['body {"password": "hun\\"ter2", "user": "x"}', 'body {"password": [secret], "user": "x"}'],
    [
      String.raw`in json: "{\"pgPassword\":\"hunter2\",\"a\":1}"`,
      String.raw`in json: "{\"pgPassword\":[secret],\"a\":1}"`,
    ],
    ['key tfk_abc123_SECRETSECRETSECRETSECRETSECRETSECRET!', 'key tfk_abc123_[secret]!'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer [secret]'],
  ])('%s', (text, masked) => {
    expect(maskText(text)).toBe(masked);
  });

  test.each([
    'no secrets here',
    'see https://host:8080/docs',
    'password authentication failed for user "sync"',
    'unexpected token: }',
    '',
  ])('leaves "%s" as it is', (text) => {
    expect(maskText(text)).toBe(text);
  });

  test('no password gets through, whatever it is made of, in an URL, a connection string or JSON', () => {
    const password = fc
      .string({ minLength: 4, unit: fc.constantFrom(...Array.from('abcXYZ019-_.~!*(),;:$%')) })
      .map((text) => `zq${text}`);
    fc.assert(
      fc.property(password, (value) => {
        for (const text of [
          `postgresql://user:${encodeURIComponent(value)}@host/db`,
          `dial host=a password='${value}' failed`,
          `got ${JSON.stringify({ password: value })}`,
          JSON.stringify(JSON.stringify({ client_secret: value })),
        ]) {
          expect(maskText(text)).not.toContain('zq');
        }
      }),
    );
  });
});

describe('masking fields', () => {
  test('knows a secret by the last word of its name', () => {
    for (const name of [
      'password',
      'PGPASSWORD',
      'saslPassword',
      'X-API-Key',
      'api_key',
      'authorization',
      'client_secret',
      'token',
    ]) {
      expect(isSecretField(name), name).toBe(true);
    }
    for (const name of ['password_file', 'secret_sha256', 'passes', 'key', 'user', 'TERRAFUSION_DATA'])
      expect(isSecretField(name), name).toBe(false);
  });

  test('at any depth, in arrays, errors and their causes', () => {
    const masked = maskFields({
      connection: { url: 'postgresql://a:b@h/d', password: 'hunter2', port: 5432 },
      list: [{ token: 'abc' }, new Secret('x')],
      error: new TerraFusionError('INTERNAL', 'at postgresql://a:b@h/d', {
        cause: new Error('password=hunter2'),
        details: { apiKey: 'k' },
      }),
      lsn: 42n,
      token: 7,
      pin: { password: 1234 },
      empty: { password: null },
      bytes: Buffer.from('abc'),
      when: new Date(0),
    });
    expect(masked).toMatchObject({
      connection: { url: 'postgresql://a:[secret]@h/d', password: '[secret]', port: 5432 },
      list: [{ token: '[secret]' }, '[secret]'],
      error: {
        type: 'TerraFusionError',
        code: 'INTERNAL',
        message: 'at postgresql://a:[secret]@h/d',
        details: { apiKey: '[secret]' },
        cause: { message: 'password=[secret]' },
      },
      lsn: '42',
      token: 7,
      pin: { password: '[secret]' },
      empty: { password: null },
      bytes: '[3 bytes]',
      when: '1970-01-01T00:00:00.000Z',
    });
    expect(JSON.stringify(masked)).not.toContain('hunter2');
  });

  test('survives circles', () => {
    const circle: Record<string, unknown> = { name: 'a' };
    circle.self = circle;
    expect(maskFields(circle)).toEqual({ name: 'a', self: '[circular]' });
  });
});

test.each([
  ['a long word', `pwd${'x1'.repeat(100_000)}`],
  ['many words that might be schemes', `pwd ${'a+'.repeat(100_000)}`],
  ['many addresses without an end', 'a://b:'.repeat(20_000)],
  ['many names of secrets', 'token '.repeat(30_000)],
  ['white space after a name', `password${' '.repeat(200_000)}`],
  ['quotes that are never closed', 'token="'.repeat(30_000)],
])('%s holds nobody up', (_what, text) => {
  const begun = performance.now();
  maskText(text);
  // Once for each letter of it, this would be minutes.
  expect(performance.now() - begun).toBeLessThan(5000);
});
