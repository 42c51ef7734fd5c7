import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeSettings, loadSettings } from '#services/kernel/settings.ts';

describe('the settings', () => {
  test('have defaults that run everything on one machine', () => {
    expect(loadSettings({})).toEqual({
      dataFolder: resolve('data'),
      auditRetentionDays: 0,
      log: { level: 'info', folder: resolve('data/logs') },
      shutdownTimeoutMs: 30_000,
      controlDatabase: { kind: 'embedded' },
      controlDatabaseConnections: 10,
      bus: { kind: 'embedded', maxBytes: 20 * 2 ** 30 },
      sourceWalBudgetBytes: 16 * 2 ** 30,
      sourceCatalogPollMs: 30_000,
      stuckAfterMs: 120_000,
      gateway: {
        host: '127.0.0.1',
        port: 5000,
        tls: undefined,
        trustedProxies: [],
        corsOrigins: [],
        rateLimitPerMinute: 600,
        authRequired: true,
        lockoutFailures: 10,
        sessions: { idleS: 1800, longestS: 43_200 },
        adminKey: undefined,
        tokens: undefined,
      },
      syncService: { host: '127.0.0.1', port: 8080, stages: 'own', url: undefined, apiKey: undefined },
      stage: { host: '127.0.0.1', port: undefined },
      masterKey: undefined,
      previousMasterKey: undefined,
      cli: { url: undefined, apiKey: undefined },
      alerts: {
        webhook: undefined,
        email: undefined,
        publicUrl: undefined,
        repeatMs: 4 * 3600_000,
        groupMs: 30_000,
        thresholds: {
          ALERT_CPU_PERCENT: 80,
          ALERT_MEMORY_PERCENT: 80,
          ALERT_DISK_PERCENT: 85,
          ALERT_RESPONSE_MS: 500,
          ALERT_FAILED_OPERATIONS: 5,
          ALERT_RESTARTS: 3,
          ALERT_LAG_SECONDS: 60,
          ALERT_DEAD_LETTERS: 0,
          ALERT_BUS_PERCENT: 85,
        },
      },
    });
  });

  test('know where alerts are sent, and never show its secrets', () => {
    const env = {
      ALERT_WEBHOOK_URL: 'https://hooks.example.org/hunter2',
      ALERT_SMTP_URL: 'smtp://user:hunter2@mail.example.org:587',
      ALERT_EMAIL_FROM: 'sync@county.example',
      ALERT_EMAIL_TO: 'a@county.example, b@county.example',
      ALERT_LAG_SECONDS: '300',
    };
    const { alerts } = loadSettings(env);
    expect(alerts.email).toMatchObject({ from: 'sync@county.example', to: ['a@county.example', 'b@county.example'] });
    expect(alerts.webhook!.url.reveal()).toBe(env.ALERT_WEBHOOK_URL);
    expect(alerts.thresholds['ALERT_LAG_SECONDS']).toBe(300);
    expect(JSON.stringify([alerts, describeSettings(env)])).not.toContain('hunter2');
    for (const [wrong, told] of [
      [{ ...env, ALERT_WEBHOOK_URL: 'hooks.example.org/hunter2' }, 'ALERT_WEBHOOK_URL: must be an http or https URL'],
      [{ ...env, ALERT_SMTP_URL: 'https://hunter2' }, 'ALERT_SMTP_URL: must be an smtp or smtps URL'],
      [{ ...env, ALERT_EMAIL_FROM: '' }, 'ALERT_SMTP_URL: set ALERT_SMTP_URL and ALERT_EMAIL_FROM together'],
      [{ ...env, ALERT_EMAIL_TO: 'nobody' }, 'ALERT_EMAIL_TO: must be e-mail addresses'],
      [{ ...env, ALERT_EMAIL_TO: '' }, 'ALERT_EMAIL_TO'],
      [{ ...env, ALERT_CPU_PERCENT: '101' }, 'ALERT_CPU_PERCENT: must be a whole number from 1 to 100'],
    ] as const) {
      expect(() => loadSettings(wrong), told).toThrow(told);
    }
  });

  test('know the control database as an URL or in parts', () => {
    const byUrl = loadSettings({ DATABASE_URL: 'postgresql://u:p@h/d', PGHOST: 'other' }).controlDatabase;
    expect(byUrl).toMatchObject({ kind: 'url' });
    expect(byUrl.kind === 'url' && byUrl.url.reveal()).toBe('postgresql://u:p@h/d');
    expect(loadSettings({ PGHOST: 'db', PGUSER: 'u', PGPASSWORD: 'p', PGDATABASE: 'd' }).controlDatabase).toMatchObject(
      {
        kind: 'parts',
        host: 'db',
        port: 5432,
        user: 'u',
        database: 'd',
      },
    );
    expect(loadSettings({ PGUSER: 'u' }).controlDatabase).toEqual({ kind: 'embedded' });
  });

  test('know Kafka with TLS and a login', () => {
    const { bus } = loadSettings({
      KAFKA_BROKERS: 'a:9092, b:9092',
      KAFKA_REPLICATION_FACTOR: '2',
      KAFKA_SSL: 'true',
      KAFKA_SASL_USERNAME: 'u',
      KAFKA_SASL_PASSWORD: 'pw',
    });
    expect(bus).toMatchObject({
      kind: 'kafka',
      brokers: ['a:9092', 'b:9092'],
      replicationFactor: 2,
      tls: {},
      sasl: { mechanism: 'scram-sha-512', username: 'u' },
    });
  });

  test('tell all that is wrong, also what only together makes no sense', () => {
    expect(() =>
      loadSettings({
        GATEWAY_PORT: '70000',
        DATABASE_URL: 'mysql://x',
        TLS_CERT_FILE: '/c.pem',
        KAFKA_SASL_PASSWORD: 'pw',
        TERRAFUSION_ADMIN_KEY: 'tfk_short_key',
        SYNC_SERVICE_URL: 'ftp://x',
        LOG_LEVEL: 'loud',
      }),
    ).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(
          /LOG_LEVEL: must be.*\nGATEWAY_PORT: must be.*\nSYNC_SERVICE_URL: must be.*\nTERRAFUSION_ADMIN_KEY: must be tfk_.*\nTLS_CERT_FILE: set TLS_CERT_FILE and TLS_KEY_FILE together.*\nKAFKA_SASL_USERNAME: set .* together.*\nDATABASE_URL: must be postgresql/,
        ) as string,
      }) as Error,
    );
  });

  test('of access are checked: what would never match, or would let somebody in, is told', () => {
    const refused = (env: Record<string, string>) => {
      try {
        loadSettings(env);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    for (const origin of ['https://a.example/', 'https://a.example/x', 'a.example', 'null', 'file:///x'])
      expect(refused({ CORS_ORIGINS: origin }), origin).toMatch(/^CORS_ORIGINS: must be origins/);
    expect(refused({ CORS_ORIGINS: 'https://a.example, http://b.example:8080' })).toBe('');
    for (const proxy of ['proxy.example', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x'])
      expect(refused({ TRUSTED_PROXIES: proxy }), proxy).toMatch(/^TRUSTED_PROXIES: must be addresses/);
    expect(refused({ TRUSTED_PROXIES: '10.0.0.5,10.0.0.0/8,::1,fd00::/8' })).toBe('');
    const issuer = { JWT_ISSUER: 'https://login.example', JWT_AUDIENCE: 'tf' };
    expect(refused(issuer)).toMatch(/^JWT_ISSUER: set JWT_ISSUER together with JWT_JWKS_URL or JWT_JWKS_FILE/);
    expect(refused({ ...issuer, JWT_JWKS_URL: 'https://x/jwks', JWT_JWKS_FILE: '/x' })).toMatch(/one of these only/);
    expect(refused({ JWT_ISSUER: 'x', JWT_JWKS_FILE: '/x' })).toMatch(/JWT_ISSUER: set JWT_ISSUER and JWT_AUDIENCE/);
    expect(refused({ JWT_JWKS_FILE: '/x' })).toMatch(/^JWT_ISSUER: set/);
    expect(refused({ ...issuer, JWT_JWKS_URL: 'http://login.example/jwks' })).toMatch(/must be an https URL/);
    expect(refused({ ...issuer, JWT_JWKS_URL: 'http://127.0.0.1:8090/jwks' })).toBe('');
    expect(loadSettings({ ...issuer, JWT_JWKS_FILE: '/keys.json' }).gateway.tokens).toEqual({
      issuer: 'https://login.example',
      audience: 'tf',
      keys: { file: '/keys.json' },
      roleClaim: 'role',
      systemsClaim: undefined,
      leewayS: 30,
    });
    expect(refused({ TERRAFUSION_MASTER_KEY_PREVIOUS: 'x'.repeat(16) })).toMatch(/counts with TERRAFUSION_MASTER_KEY/);
  });

  test('are described, each with a sentence, without a secret', () => {
    const shown = describeSettings({
      DATABASE_URL: 'postgresql://u:hunter2@h/d',
      TERRAFUSION_MASTER_KEY: 'hunter2hunter2hunter2',
    });
    expect(JSON.stringify(shown)).not.toContain('hunter2');
    for (const { name, description } of shown) expect(description, name).toMatch(/\.$/);
  });
});
