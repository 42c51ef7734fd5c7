import { z } from 'zod';
import { moment } from './common.ts';

/** GET /api/settings */
export const settingsView = z
  .object({
    at: moment,
    settings: z
      .array(
        z.object({
          name: z.string().describe('The environment variable.'),
          value: z.string().nullable().describe('Secrets are shown as "[secret]"; null: not set.'),
          origin: z.enum(['environment', 'file', 'default']),
          description: z.string(),
        }),
      )
      .describe('Of the gateway, in the order of `terrafusion config check --all`.'),
    versions: z.object({
      terrafusion: z.string(),
      node: z.string(),
      control_database: z.string().nullable().describe('PostgreSQL; null: it does not answer.'),
      schema: z.string().nullable().describe('The last migration of the control database.'),
    }),
    data: z.object({
      folder: z.string(),
      disk_free_bytes: z.number().nullable().describe('Of the file system that holds the folder.'),
      disk_total_bytes: z.number().nullable(),
    }),
    retention: z
      .array(z.object({ what: z.string(), kept: z.string(), setting: z.string().nullable() }))
      .describe('How long things are kept, and the setting that says so.'),
  })
  .meta({
    example: {
      at: '2026-01-31T08:15:30.123Z',
      settings: [
        {
          name: 'GATEWAY_PORT',
          value: '5000',
          origin: 'default',
          description: 'Port of the gateway: API and dashboard.',
        },
        { name: 'DATABASE_URL', value: '[secret]', origin: 'environment', description: 'The control database …' },
      ],
      versions: {
        terrafusion: '0.1.0',
        node: '24.0.0',
        control_database: '18.1',
        schema: '0051_dead_letters_sqlstate',
      },
      data: { folder: '/var/lib/terrafusion', disk_free_bytes: 161_061_273_600, disk_total_bytes: 214_748_364_800 },
      retention: [{ what: 'Log files', kept: '7 days', setting: null }],
    },
  });
export type SettingsView = z.output<typeof settingsView>;
