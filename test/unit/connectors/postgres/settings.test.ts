import { describe, expect, test } from 'vitest';
import { normaliseSettings, placeOf, postgresSettings, resolveAddress } from '#connectors/postgres/settings.ts';

function problemsOf(settings: unknown): string[] {
  const parsed = postgresSettings.safeParse(settings);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('where to connect', () => {
  test('everything from the URL, escapes undone', () => {
    expect(
      resolveAddress({ url: 'postgresql://cl%40rk:p%3Aw@db.example:6543/county%20data?sslmode=verify-full' }),
    ).toMatchObject({
      host: 'db.example',
      port: 6543,
      user: 'cl@rk',
      password: 'p:w',
      database: 'county data',
      sslMode: 'verify-full',
    });
  });

  test('what is left out: port 5432, the database named like the user, encrypted where the server can', () => {
    expect(resolveAddress({ url: 'postgres://clerk@db' })).toMatchObject({
      port: 5432,
      database: 'clerk',
      password: undefined,
      sslMode: 'prefer',
      applicationName: 'terrafusion',
    });
  });

  test('an IPv6 address, and the folder of a Unix socket', () => {
    expect(resolveAddress({ url: 'postgresql://a@[::1]/d' }).host).toBe('::1');
    expect(resolveAddress({ url: 'postgresql://a@/d?host=/run/postgresql&sslmode=require' })).toMatchObject({
      host: '/run/postgresql',
      database: 'd',
      sslMode: 'disable',
    });
  });

  test('a field of the settings wins over the parameter of the URL', () => {
    const url = 'postgresql://a@db/d?sslmode=disable&application_name=theirs&sslrootcert=/url.pem';
    expect(
      resolveAddress({ url, ssl_mode: 'require', application_name: 'ours', ssl_ca_file: '/field.pem' }),
    ).toMatchObject({ sslMode: 'require', applicationName: 'ours', caFile: '/field.pem' });
  });
});

describe('what an operator may write', () => {
  test.each([
    [{ url: 'mysql://a@db/d' }, 'url: the URL must begin with postgresql://'],
    [{ url: 'postgresql://db/d' }, 'url: the URL names no user: postgresql://user@host:port/database'],
    [{ url: 'postgresql:///d' }, 'url: the URL names no host'],
    [
      { url: 'postgresql://a@db:99999/d' },
      'url: the URL cannot be read; write special characters of user and password as %XX',
    ],
    [{ url: 'postgresql://a@db/d?port=0' }, 'url: the port is not a number from 1 to 65535'],
    [
      { url: 'postgresql://a@db/d?sslmode=maybe' },
      'url: sslmode must be one of disable, prefer, require, verify-ca, verify-full',
    ],
  ])('%j is refused', (settings, problem) => {
    expect(problemsOf(settings)).toEqual([problem]);
  });

  test('an unknown field or parameter is told by its name', () => {
    expect(problemsOf({ url: 'postgresql://a@db/d', pasword: 'x' }).join()).toContain('pasword');
    expect(problemsOf({ url: 'postgresql://a@db/d?pgbouncer=true' }).join()).toContain('"pgbouncer"');
  });

  test('one password, not two', () => {
    expect(problemsOf({ url: 'postgresql://a@db/d', password: 'x', password_file: '/y' })).toEqual([
      'password_file: set password or password_file, not both',
    ]);
  });

  test('Promise 8: what is wrong with an URL is told without its password', () => {
    expect(problemsOf({ url: 'postgresql://a:s3cret%@db/d' }).join()).not.toContain('s3cret');
    expect(problemsOf({ url: 'postgresql://a:s3cret@db:x/d' }).join()).not.toContain('s3cret');
  });
});

describe('as they are stored (Promise 8)', () => {
  test("the URL's password goes into its own field", () => {
    expect(normaliseSettings({ url: 'postgresql://a:p%40ss@db:1/d?sslmode=require' })).toEqual({
      url: 'postgresql://a@db:1/d?sslmode=require',
      password: 'p@ss',
    });
    expect(normaliseSettings({ url: 'postgresql://a@db:1/d?password=x&sslmode=require' })).toEqual({
      url: 'postgresql://a@db:1/d?sslmode=require',
      password: 'x',
    });
  });

  test('a password given beside the URL stays', () => {
    expect(normaliseSettings({ url: 'postgresql://a:old@db/d', password: 'new' })).toEqual({
      url: 'postgresql://a@db/d',
      password: 'new',
    });
    expect(normaliseSettings({ url: 'postgresql://a:old@db/d', password_file: '/f' })).toEqual({
      url: 'postgresql://a@db/d',
      password_file: '/f',
    });
  });

  test('nothing to do, nothing done; doing it twice changes nothing', () => {
    const settings = { url: 'postgresql://a@db/d', application_name: 'x' };
    expect(normaliseSettings(settings)).toBe(settings);
    const once = normaliseSettings({ url: 'postgresql://a:b@db/d' });
    expect(normaliseSettings(once)).toEqual(once);
  });
});

test('a place is told from another one, however it is spelt and whatever the password is', () => {
  const place = placeOf({ url: 'postgresql://sync:one@DB.example:5432/pacs' });
  for (const url of [
    'postgres://sync@db.example/pacs',
    'postgresql://sync:two@db.example:5432/pacs?sslmode=require&application_name=x',
    'postgresql:///pacs?host=db.example&user=sync&password=three',
  ]) {
    expect(placeOf({ url, password_file: '/run/secret' }), url).toBe(place);
  }
  for (const url of [
    'postgresql://sync@db.example/PACS',
    'postgresql://other@db.example/pacs',
    'postgresql://sync@db.example:5433/pacs',
    'postgresql://sync@db2.example/pacs',
  ]) {
    expect(placeOf({ url }), url).not.toBe(place);
  }
  expect(place).not.toContain('one');
});
