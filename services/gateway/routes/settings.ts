import { statfs } from 'node:fs/promises';
import { roles } from '#schemas/http/common.ts';
import { historyResolutions } from '#schemas/metric-history.ts';
import { rolesView, roleWords } from '#schemas/http/roles.ts';
import { settingsView } from '#schemas/http/settings.ts';
import type { App, GatewayDeps } from '../gateway.ts';
import { accessOf, needsAllSystems, routeAccess } from '../roles.ts';
import { replies, words } from '../schema.ts';

/** What this installation runs with, and who may do what in it. */
export function settingsRoutes(app: App, { options, clock, control }: GatewayDeps): void {
  app.get(
    '/api/settings',
    {
      schema: {
        ...words(
          'Settings',
          'Settings in force',
          'What the gateway was started with, secrets masked, and where each value comes from; versions, disk, retention.',
        ),
        response: replies({ 200: settingsView }),
      },
    },
    async () => {
      const [database, disk] = await Promise.all([
        control.database
          .one<{ version: string; schema: string | null }>(
            `SELECT current_setting('server_version') AS version, (SELECT max(name) FROM terrafusion.migrations) AS schema`,
          )
          .catch(() => undefined),
        statfs(options.dataFolder).catch(() => undefined),
      ]);
      return {
        at: new Date(clock.now()).toISOString(),
        settings: options.settings.map(({ name, value, origin, description }) => ({
          name,
          value: value ?? null,
          origin,
          description,
        })),
        versions: {
          terrafusion: options.version,
          node: process.versions.node,
          control_database: database?.version ?? null,
          schema: database?.schema ?? null,
        },
        data: {
          folder: options.dataFolder,
          disk_free_bytes: disk ? disk.bavail * disk.bsize : null,
          disk_total_bytes: disk ? disk.blocks * disk.bsize : null,
        },
        retention: retentionOf(options.settings),
      };
    },
  );

  app.get(
    '/api/roles',
    {
      schema: {
        ...words('Keys', 'Roles and what they may do', 'The table by which the gateway decides.'),
        response: replies({ 200: rolesView }),
      },
    },
    () => {
      const documented = app.swagger().paths ?? {};
      return {
        roles: roles.map((role) => ({ role, may: roleWords[role] })),
        endpoints: Object.keys(routeAccess).flatMap((line) => {
          const [method, url] = line.split(' ') as [string, string];
          const path = url.replace(/:(\w+)/g, '{$1}');
          const told = documented[path]?.[method.toLowerCase() as 'get'];
          // Pages and files are no part of the API.
          if (!told) return [];
          return {
            method,
            path,
            access: accessOf(method, url)!,
            summary: told.summary ?? '',
            section: told.tags?.[0] ?? '',
            all_systems: needsAllSystems(method, url),
          };
        }),
      };
    },
  );
}

/** 600 → "10 min" */
function spanOf(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}

/** What is kept for how long. Periods that nobody can set are named here as they are in force. */
function retentionOf(settings: GatewayDeps['options']['settings']) {
  const audit = settings.find(({ name }) => name === 'AUDIT_RETENTION_DAYS');
  const idle = settings.find(({ name }) => name === 'SESSION_IDLE_MINUTES')?.value;
  return [
    {
      what: 'Audit trail',
      kept: audit === undefined || audit.value === '0' ? 'for ever' : `${audit.value ?? ''} days`,
      setting: audit?.name ?? null,
    },
    { what: 'Dead letters', kept: 'for ever; those of a load until its tables are loaded anew', setting: null },
    { what: 'Operations', kept: 'for ever', setting: null },
    {
      what: 'History of the metrics',
      kept: historyResolutions
        .map(
          ({ seconds, days }) =>
            `${spanOf(seconds)} by ${spanOf(seconds)} for ${days === 1 ? 'a day' : `${days} days`}`,
        )
        .join(', '),
      setting: null,
    },
    { what: 'Log files', kept: '7 days, one file a day', setting: null },
    { what: 'Answers to requests with an Idempotency-Key', kept: '24 hours', setting: null },
    ...(idle === undefined
      ? []
      : [{ what: 'Sessions of browsers', kept: `${idle} minutes without a request`, setting: 'SESSION_IDLE_MINUTES' }]),
  ];
}
