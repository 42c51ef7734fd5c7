import { join, resolve } from 'node:path';
import { z } from 'zod';
import { Secret } from '#schemas/secret.ts';
import { accessSettings, accessVariables, issuerHasKeys, type AccessSettings } from './access-settings.ts';
import { parseApiKey } from './api-keys.ts';
import { bytes, describeConfig, flag, list, loadConfig, port, secret, whole, type Setting } from './config.ts';

const GIB = 2 ** 30;

const host = z.string().trim();
const path = z.string();

/** Every variable of the product. All processes read the same ones, so one environment or one file serves them all. */
export const settingsSchema = z
  .object({
    TERRAFUSION_DATA: path
      .default('./data')
      .describe('Folder for everything that is kept on this machine: embedded databases, embedded bus, keys, logs.'),
    LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'], 'must be debug, info, warn, error or silent')
      .default('info')
      .describe('The least important log lines to write.'),
    LOG_FOLDER: path
      .optional()
      .describe('Folder of the log files, one a day, seven kept. Default: logs in the data folder.'),
    SHUTDOWN_TIMEOUT_S: whole(1, 3600)
      .default(30)
      .describe(
        'Seconds that work in hand gets to finish when the process is told to stop. Cut short, it is repeated after the next start.',
      ),

    DATABASE_URL: secret()
      .optional()
      .describe(
        'The control database: postgresql://user:password@host:port/database. Without it (and PGHOST) one is run in the data folder.',
      ),
    PGHOST: host.optional().describe('The control database, as an alternative to DATABASE_URL: host.'),
    PGPORT: port().default(5432).describe('The control database: port. Counts with PGHOST only.'),
    PGUSER: z.string().optional().describe('The control database: user. Counts with PGHOST only.'),
    PGPASSWORD: secret().optional().describe('The control database: password. Counts with PGHOST only.'),
    PGDATABASE: z.string().optional().describe('The control database: database name. Counts with PGHOST only.'),
    CONTROL_DATABASE_CONNECTIONS: whole(2, 200)
      .default(10)
      .describe('Connections that each process may open to the control database.'),

    KAFKA_BROKERS: list()
      .optional()
      .describe('Brokers of the bus, host:port separated by commas. Without them the embedded bus is used.'),
    KAFKA_REPLICATION_FACTOR: whole(1, 100)
      .optional()
      .describe(
        'Copies of each block, on as many brokers, in topics that are made from now on. Without it three, or as many as there are brokers; of three copies, two have to have a block.',
      ),
    KAFKA_SSL: flag().default(false).describe('Talk to the brokers over TLS.'),
    KAFKA_SSL_CA_FILE: path
      .optional()
      .describe('Certificate authority of the brokers (PEM), if the system does not know it.'),
    KAFKA_SSL_CERT_FILE: path.optional().describe('Client certificate for the brokers (PEM).'),
    KAFKA_SSL_KEY_FILE: path.optional().describe('Private key of the client certificate (PEM).'),
    KAFKA_SASL_MECHANISM: z
      .enum(['plain', 'scram-sha-256', 'scram-sha-512'], 'must be plain, scram-sha-256 or scram-sha-512')
      .default('scram-sha-512')
      .describe('How to log in to the brokers. Counts with KAFKA_SASL_USERNAME only.'),
    KAFKA_SASL_USERNAME: z.string().optional().describe('User at the brokers.'),
    KAFKA_SASL_PASSWORD: secret().optional().describe('Password at the brokers.'),
    BUS_MAX_BYTES: bytes({ min: 64 * 2 ** 20 })
      .default(20 * GIB)
      .describe(
        'Disk that the embedded bus may use. At the limit reading from the sources stops until there is room; their WAL grows meanwhile.',
      ),
    SOURCE_WAL_BUDGET_BYTES: bytes({ min: 64 * 2 ** 20 })
      .default(16 * GIB)
      .describe(
        'WAL that a source may keep for us before it is an alarm. Larger bridges longer outages, and takes that much of the disk of the source.',
      ),

    SOURCE_CATALOG_POLL_S: whole(1, 86_400)
      .default(30)
      .describe(
        'Seconds between two looks at the catalog of a source where our role may not create event triggers: how late a new table, a new label of an enum and the like are noticed. A look takes at most a twentieth of the time between.',
      ),

    STUCK_AFTER_SECONDS: whole(5, 86_400)
      .default(120)
      .describe(
        'Seconds after which a stage that has work and gets nothing done is stopped and started again. Shorter finds it sooner; while an end works for it, or a lock is waited for, it is left alone in any case.',
      ),

    GATEWAY_HOST: host.default('127.0.0.1').describe('Address the gateway listens on; 0.0.0.0 for all.'),
    GATEWAY_PORT: port().default(5000).describe('Port of the gateway: API and dashboard.'),
    GATEWAY_PUBLIC_URL: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .optional()
      .describe('Where people find the gateway: links in alerts that are sent begin with it.'),
    SYNC_SERVICE_HOST: host.default('127.0.0.1').describe('Address the sync-service listens on; 0.0.0.0 for all.'),
    SYNC_SERVICE_PORT: port().default(8080).describe('Port of the sync-service.'),
    SYNC_SERVICE_URL: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .optional()
      .describe(
        'Where the gateway finds the sync-service. Without it the gateway starts one of its own and watches it.',
      ),
    SYNC_SERVICE_STAGES: z
      .enum(['own', 'separate'], 'must be own or separate')
      .default('own')
      .describe(
        'own: the sync-service runs readers, stream processors and writers itself. separate: they run as processes of their own, which needs Kafka.',
      ),
    STAGE_HOST: host
      .default('127.0.0.1')
      .describe('Address on which a stage that is a process of its own tells its health and metrics; 0.0.0.0 for all.'),
    STAGE_PORT: port()
      .optional()
      .describe(
        'Port of such a stage; 0 lets the system choose one. Default: reader 8081, stream-processor 8082, writer 8083. Several of one stage on one machine need one each.',
      ),
    SYNCSERVICE_API_KEY: secret({ min: 16 })
      .optional()
      .describe('Key that the gateway shows to the sync-service. Without it one is made and kept in the data folder.'),

    AUDIT_RETENTION_DAYS: whole(0, 36_500)
      .default(0)
      .describe(
        'Days that entries of the audit trail are kept; 0 for ever. What is older is removed; a signed entry says so, and what is left verifies.',
      ),
    TERRAFUSION_URL: z
      .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
      .optional()
      .describe(
        'The gateway that the command line asks. Default: the one of this machine (GATEWAY_HOST, GATEWAY_PORT).',
      ),
    TERRAFUSION_API_KEY: secret()
      .optional()
      .describe(
        'Key of the command line. Without it the administrator key of these settings or of the data folder is used, for a gateway on this machine only.',
      ),

    AUTH_REQUIRED: flag()
      .default(true)
      .describe('Whether requests need an API key. Without, everybody who reaches the port is an administrator.'),
    TERRAFUSION_ADMIN_KEY: secret()
      .refine(
        (key) => parseApiKey(key.reveal()) !== undefined,
        'must be tfk_<id>_<secret> with a secret of at least 32 characters',
      )
      .optional()
      .describe(
        'The first administrator key. Without it one is made on first start, shown once and kept in a file of the data folder.',
      ),
    TERRAFUSION_MASTER_KEY: secret({ min: 16 })
      .optional()
      .describe('Encrypts the secrets in the control database. Without it one is made and kept in the data folder.'),
    TERRAFUSION_MASTER_KEY_PREVIOUS: secret({ min: 16 })
      .optional()
      .describe(
        'The master key before, while it is changed: secrets that are encrypted with it can be read, and the gateway encrypts them anew when it starts.',
      ),
    ALERT_WEBHOOK_URL: secret()
      .refine((url) => /^https?:\/\/./.test(url.reveal()) && URL.canParse(url.reveal()), 'must be an http or https URL')
      .optional()
      .describe('Where alerts are posted as JSON (see /docs).'),
    ALERT_WEBHOOK_SECRET: secret({ min: 16 })
      .optional()
      .describe('Signs what is posted there (HMAC-SHA256, header X-TerraFusion-Signature).'),
    ALERT_SMTP_URL: secret()
      .refine((url) => /^smtps?:\/\/./.test(url.reveal()) && URL.canParse(url.reveal()), 'must be an smtp or smtps URL')
      .optional()
      .describe('Mail server for alerts: smtp://user:password@host:587, or smtps:// for TLS from the first byte.'),
    ALERT_EMAIL_FROM: z.email('must be an e-mail address').optional().describe('Sender of e-mails about alerts.'),
    ALERT_EMAIL_TO: list()
      .refine(
        (to) => to.every((each) => /^[^\s@]+@[^\s@]+$/.test(each)),
        'must be e-mail addresses separated by commas',
      )
      .default([])
      .describe('Who is told of alerts by e-mail, separated by commas.'),
    ALERT_REPEAT_MINUTES: whole(5, 10_080)
      .default(240)
      .describe('An alert that nobody has acknowledged is sent again after so many minutes.'),
    ALERT_GROUP_S: whole(0, 3600)
      .default(30)
      .describe('Seconds that alerts gather for one message. Longer means fewer messages, and later ones.'),
    ALERT_CPU_PERCENT: whole(1, 100)
      .default(80)
      .describe("Alert above so much CPU of the gateway's machine, for 5 minutes."),
    ALERT_MEMORY_PERCENT: whole(1, 100)
      .default(80)
      .describe('Alert above so much of its memory in use, for 5 minutes.'),
    ALERT_DISK_PERCENT: whole(1, 100).default(85).describe("Alert above so much of the data folder's disk in use."),
    ALERT_RESPONSE_MS: whole(1, 60_000)
      .default(500)
      .describe('Alert when gateway, sync-service or control database take longer to answer, for 2 minutes.'),
    ALERT_FAILED_OPERATIONS: whole(0, 1000)
      .default(5)
      .describe('Alert above so many failed sync operations within an hour.'),
    ALERT_RESTARTS: whole(0, 1000)
      .default(3)
      .describe('Alert above so many restarts of the sync-service within 24 hours.'),
    ALERT_LAG_SECONDS: whole(1, 604_800)
      .default(60)
      .describe('Alert when the oldest change waits longer, for a minute.'),
    ALERT_DEAD_LETTERS: whole(0, 1000)
      .default(0)
      .describe('Alert above so many new dead letters of a pair within 15 minutes.'),
    ALERT_BUS_PERCENT: whole(1, 100).default(85).describe('Alert above so much of BUS_MAX_BYTES in use, for a minute.'),

    TLS_CERT_FILE: path
      .optional()
      .describe('Certificate of the gateway (PEM); with TLS_KEY_FILE the gateway speaks HTTPS.'),
    TLS_KEY_FILE: path.optional().describe('Private key of the gateway (PEM).'),
    ...accessVariables,
    RATE_LIMIT_PER_MINUTE: whole(0, 1_000_000)
      .default(600)
      .describe('Requests a minute that one key, or one address without a key, may make; 0 for no limit.'),
  })
  .refine(...together('TLS_CERT_FILE', 'TLS_KEY_FILE'))
  .refine((raw) => raw.TERRAFUSION_MASTER_KEY_PREVIOUS === undefined || raw.TERRAFUSION_MASTER_KEY !== undefined, {
    path: ['TERRAFUSION_MASTER_KEY_PREVIOUS'],
    message: 'counts with TERRAFUSION_MASTER_KEY, the new one, only',
    when: () => true,
  })
  .refine(...together('JWT_ISSUER', 'JWT_AUDIENCE'))
  .refine(...issuerHasKeys())
  .refine(...together('KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'))
  .refine(...together('ALERT_SMTP_URL', 'ALERT_EMAIL_FROM'))
  .refine((raw) => raw.ALERT_SMTP_URL === undefined || raw.ALERT_EMAIL_TO.length > 0, {
    path: ['ALERT_EMAIL_TO'],
    message: 'name who is to be told, or leave ALERT_SMTP_URL out',
  })
  .refine(...together('KAFKA_SSL_CERT_FILE', 'KAFKA_SSL_KEY_FILE'))
  .refine((raw) => raw.DATABASE_URL === undefined || /^postgres(ql)?:\/\/./.test(raw.DATABASE_URL.reveal()), {
    path: ['DATABASE_URL'],
    message: 'must be postgresql://user:password@host:port/database',
    when: (payload) => (payload.value as { DATABASE_URL?: unknown }).DATABASE_URL instanceof Secret,
  });

/** Two variables of which neither means anything alone. Checked even when other variables are wrong: all problems at once. */
function together(
  first: string,
  second: string,
): [(raw: object) => boolean, { path: string[]; message: string; when: () => boolean }] {
  const missing = (raw: object): string | undefined => {
    const given = [first, second].filter((name) => (raw as Record<string, unknown>)[name] !== undefined);
    return given.length === 1 ? (given[0] === first ? second : first) : undefined;
  };
  return [
    (raw: object) => missing(raw) === undefined,
    { path: [first], message: `set ${first} and ${second} together, or neither`, when: () => true },
  ];
}

/** Where the control database is. */
export type ControlDatabaseSettings =
  | { readonly kind: 'embedded' }
  | { readonly kind: 'url'; readonly url: Secret }
  | {
      readonly kind: 'parts';
      readonly host: string;
      readonly port: number;
      readonly user: string | undefined;
      readonly password: Secret | undefined;
      readonly database: string | undefined;
    };

/** Which bus carries the blocks. */
export type BusSettings =
  | {
      readonly kind: 'embedded';
      /** Disk it may use, in bytes. */
      readonly maxBytes: number;
    }
  | {
      readonly kind: 'kafka';
      readonly brokers: readonly string[];
      readonly replicationFactor: number | undefined;
      /** Files in PEM form; undefined without TLS. */
      readonly tls: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string } | undefined;
      readonly sasl:
        | {
            readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
            readonly username: string;
            readonly password: Secret;
          }
        | undefined;
    };

/** The settings in the shape the processes use: nothing left to check. */
export interface Settings {
  /** Absolute. */
  readonly dataFolder: string;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'; readonly folder: string };
  readonly shutdownTimeoutMs: number;
  readonly controlDatabase: ControlDatabaseSettings;
  readonly controlDatabaseConnections: number;
  readonly bus: BusSettings;
  readonly sourceWalBudgetBytes: number;
  readonly sourceCatalogPollMs: number;
  readonly stuckAfterMs: number;
  /** 0: for ever. */
  readonly auditRetentionDays: number;
  readonly gateway: AccessSettings & {
    readonly host: string;
    readonly port: number;
    /** undefined: HTTP. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
    /** 0: no limit. */
    readonly rateLimitPerMinute: number;
    readonly authRequired: boolean;
    readonly adminKey: Secret | undefined;
  };
  readonly syncService: {
    readonly host: string;
    readonly port: number;
    /** Set when it is somebody else's to start. */
    readonly url: string | undefined;
    readonly apiKey: Secret | undefined;
    /** Whether readers, stream processors and writers run in it, or as processes of their own. */
    readonly stages: 'own' | 'separate';
  };
  /** Where a stage that is a process of its own is looked at; without a port each stage has its own. */
  readonly stage: { readonly host: string; readonly port: number | undefined };
  readonly masterKey: Secret | undefined;
  readonly previousMasterKey: Secret | undefined;
  /** What the command line asks, and with which key. */
  readonly cli: { readonly url: string | undefined; readonly apiKey: Secret | undefined };
  readonly alerts: {
    readonly webhook: { readonly url: Secret; readonly secret: Secret | undefined } | undefined;
    readonly email: { readonly smtp: Secret; readonly from: string; readonly to: readonly string[] } | undefined;
    /** Where people find the gateway. */
    readonly publicUrl: string | undefined;
    readonly repeatMs: number;
    readonly groupMs: number;
    /** By setting: ALERT_LAG_SECONDS and so on. */
    readonly thresholds: Readonly<Record<string, number>>;
  };
}

/**
 * The product's settings from the environment and the config file.
 * @throws {TerraFusionError} CONFIG_INVALID with all problems, each by its variable's name.
 */
export function loadSettings(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const raw = loadConfig(settingsSchema, env);
  const dataFolder = resolve(raw.TERRAFUSION_DATA);
  return {
    dataFolder,
    log: { level: raw.LOG_LEVEL, folder: resolve(raw.LOG_FOLDER ?? join(dataFolder, 'logs')) },
    shutdownTimeoutMs: raw.SHUTDOWN_TIMEOUT_S * 1000,
    controlDatabase: controlDatabase(raw),
    controlDatabaseConnections: raw.CONTROL_DATABASE_CONNECTIONS,
    bus: bus(raw),
    sourceWalBudgetBytes: raw.SOURCE_WAL_BUDGET_BYTES,
    sourceCatalogPollMs: raw.SOURCE_CATALOG_POLL_S * 1000,
    stuckAfterMs: raw.STUCK_AFTER_SECONDS * 1000,
    auditRetentionDays: raw.AUDIT_RETENTION_DAYS,
    gateway: {
      host: raw.GATEWAY_HOST,
      port: raw.GATEWAY_PORT,
      tls:
        raw.TLS_CERT_FILE !== undefined && raw.TLS_KEY_FILE !== undefined
          ? { certFile: raw.TLS_CERT_FILE, keyFile: raw.TLS_KEY_FILE }
          : undefined,
      rateLimitPerMinute: raw.RATE_LIMIT_PER_MINUTE,
      authRequired: raw.AUTH_REQUIRED,
      adminKey: raw.TERRAFUSION_ADMIN_KEY,
      ...accessSettings(raw),
    },
    syncService: {
      host: raw.SYNC_SERVICE_HOST,
      port: raw.SYNC_SERVICE_PORT,
      url: raw.SYNC_SERVICE_URL,
      apiKey: raw.SYNCSERVICE_API_KEY,
      stages: raw.SYNC_SERVICE_STAGES,
    },
    stage: { host: raw.STAGE_HOST, port: raw.STAGE_PORT },
    masterKey: raw.TERRAFUSION_MASTER_KEY,
    previousMasterKey: raw.TERRAFUSION_MASTER_KEY_PREVIOUS,
    cli: { url: raw.TERRAFUSION_URL, apiKey: raw.TERRAFUSION_API_KEY },
    alerts: alerts(raw),
  };
}

/** The effective settings by variable, secrets masked, with where each comes from. */
export function describeSettings(env: Readonly<Record<string, string | undefined>> = process.env): Setting[] {
  return describeConfig(settingsSchema, env);
}

type Raw = z.output<typeof settingsSchema>;

function controlDatabase(raw: Raw): ControlDatabaseSettings {
  if (raw.DATABASE_URL !== undefined) return { kind: 'url', url: raw.DATABASE_URL };
  if (raw.PGHOST === undefined) return { kind: 'embedded' };
  return {
    kind: 'parts',
    host: raw.PGHOST,
    port: raw.PGPORT,
    user: raw.PGUSER,
    password: raw.PGPASSWORD,
    database: raw.PGDATABASE,
  };
}

function alerts(raw: Raw): Settings['alerts'] {
  return {
    webhook: raw.ALERT_WEBHOOK_URL && { url: raw.ALERT_WEBHOOK_URL, secret: raw.ALERT_WEBHOOK_SECRET },
    email:
      raw.ALERT_SMTP_URL !== undefined && raw.ALERT_EMAIL_FROM !== undefined && raw.ALERT_EMAIL_TO.length > 0
        ? { smtp: raw.ALERT_SMTP_URL, from: raw.ALERT_EMAIL_FROM, to: raw.ALERT_EMAIL_TO }
        : undefined,
    publicUrl: raw.GATEWAY_PUBLIC_URL,
    repeatMs: raw.ALERT_REPEAT_MINUTES * 60_000,
    groupMs: raw.ALERT_GROUP_S * 1000,
    thresholds: Object.fromEntries(
      Object.entries(raw).filter(
        (entry): entry is [string, number] => /^ALERT_(?!REPEAT|GROUP)/.test(entry[0]) && typeof entry[1] === 'number',
      ),
    ),
  };
}

function bus(raw: Raw): BusSettings {
  if (raw.KAFKA_BROKERS === undefined || raw.KAFKA_BROKERS.length === 0)
    return { kind: 'embedded', maxBytes: raw.BUS_MAX_BYTES };
  return {
    kind: 'kafka',
    brokers: raw.KAFKA_BROKERS,
    replicationFactor: raw.KAFKA_REPLICATION_FACTOR,
    tls: raw.KAFKA_SSL
      ? {
          ...(raw.KAFKA_SSL_CA_FILE === undefined ? {} : { caFile: raw.KAFKA_SSL_CA_FILE }),
          ...(raw.KAFKA_SSL_CERT_FILE === undefined ? {} : { certFile: raw.KAFKA_SSL_CERT_FILE }),
          ...(raw.KAFKA_SSL_KEY_FILE === undefined ? {} : { keyFile: raw.KAFKA_SSL_KEY_FILE }),
        }
      : undefined,
    sasl:
      raw.KAFKA_SASL_USERNAME !== undefined && raw.KAFKA_SASL_PASSWORD !== undefined
        ? { mechanism: raw.KAFKA_SASL_MECHANISM, username: raw.KAFKA_SASL_USERNAME, password: raw.KAFKA_SASL_PASSWORD }
        : undefined,
  };
}
