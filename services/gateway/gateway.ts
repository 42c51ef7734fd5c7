import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { defaultThresholds, type Thresholds } from '#schemas/alerts.ts';
import type { Role } from '#schemas/http/common.ts';
import type { Control } from '#services/control/control.ts';
import type { SessionLife } from '#services/control/sessions.ts';
import type { Clock } from '#services/kernel/clock.ts';
import type { Setting } from '#services/kernel/config.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { Guard } from './access.ts';
import type { Identity } from './access/credentials.ts';
import type { Tokens } from './access/tokens.ts';
import type { Channel } from './alerts/channels.ts';
import type { PatientDatabase } from './patience.ts';
import type { SuperviseStatus } from './supervise.ts';
import type { SyncServiceClient } from './sync-service-client.ts';

/** The HTTP server, with bodies and replies typed by their zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What the gateway stands on. */
export interface GatewayDeps {
  readonly control: Control;
  readonly syncService: SyncServiceClient;
  /** How our own sync-service process is doing; undefined when it is somebody else's to start. */
  readonly supervision: () => SuperviseStatus | undefined;
  /** Tokens of an identity provider; undefined: there is none. */
  readonly tokens?: Tokens | undefined;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
  readonly options: GatewayOptions;
}

export interface GatewayOptions {
  readonly version: string;
  /** Address we listen on: without required keys it must be a loopback one. */
  readonly host: string;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Addresses and networks whose X-Forwarded-For, -Proto and -Host are believed. */
  readonly trustedProxies: readonly string[];
  /** "*" for all. */
  readonly corsOrigins: readonly string[];
  /** For each key, and for each address without one; 0: no limit. */
  readonly rateLimitPerMinute: number;
  readonly authRequired: boolean;
  /** Different wrong keys from one address, or for one key, that shut it out for a while; 0: none do. */
  readonly lockoutFailures: number;
  /** How long a browser that has logged in stays so. */
  readonly sessions: SessionLife;
  readonly dataFolder: string;
  /** The settings that are in force, secrets masked. */
  readonly settings: readonly Setting[];
  /** Holds the dashboard's files. */
  readonly dashboardFolder: string;
  /** Holds the runbooks, in Markdown. */
  readonly runbooksFolder: string;
  readonly busKind: 'embedded' | 'kafka';
  /** How often open event streams are told what has changed, in ms. */
  readonly eventsEveryMs?: number;
  /** After how long a connection is closed on which nothing moves, in ms. */
  readonly silentMs?: number;
  /** Left out: as the defaults say, and nothing is sent. */
  readonly alerts?: AlertOptions;
}

/** When alerts are raised, and where they are sent. */
export interface AlertOptions {
  readonly thresholds: Thresholds;
  readonly channels: readonly Channel[];
  /** A firing alert that nobody has acknowledged is sent again after this. */
  readonly repeatMs: number;
  /** How long alerts gather for one message. */
  readonly groupMs: number;
}

export const alertOptions = ({ alerts }: Pick<GatewayOptions, 'alerts'>): AlertOptions =>
  alerts ?? { thresholds: defaultThresholds, channels: [], repeatMs: 4 * 3600_000, groupMs: 30_000 };

/** Who asks. */
export interface Principal {
  /** Of the key; "local" where keys are not required. */
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Ids of the systems that it is limited to; undefined: to none. */
  readonly systems?: readonly string[] | undefined;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborted when the server begins to close: what waits should end. */
    readonly closing: AbortSignal;
    readonly guard: Guard;
    /** How the control database is asked where somebody waits for the answer. */
    readonly controlDatabase: PatientDatabase;
  }
  interface FastifyRequest {
    /** undefined on public routes. */
    principal: Principal | undefined;
    /** The control database as far as he may see it: what handlers use. */
    readonly control: Control;
    /** Answered as the same request was before, by its Idempotency-Key. */
    replayed: boolean;
    /** How he has shown that it is he; undefined on public routes. */
    identity: Identity | undefined;
    /** Whether he still may; asked now and then by replies that last. */
    stillAllowed(): Promise<boolean>;
  }
}

/** As it stands in the audit trail: names need not be unique. */
export const actorOf = ({ id, name }: Principal): string => (id === name ? name : `${name} (${id})`);
