import { z } from 'zod';
import { environments, systemInput, systemKinds, walBudgetActions } from '../systems.ts';
import { checkView, known, moment, pageOf, pageQuery } from './common.ts';

const example = {
  id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10',
  name: 'county-pacs',
  kind: 'PACS' as const,
  environment: 'production' as const,
  connector: 'postgres',
  connection: { url: 'postgresql://sync@10.0.0.5:5432/pacs', password_file: '/run/secrets/pacs' },
  wal_budget_bytes: null,
  on_wal_budget: 'alarm' as const,
  last_check: { source: { at: '2026-01-31T08:15:31.007Z', ok: true, failed: [] }, target: null },
  created_at: '2026-01-31T08:15:30.123Z',
  updated_at: '2026-01-31T08:15:30.123Z',
};

/** POST /api/systems */
export const systemBody = systemInput.meta({
  example: {
    name: example.name,
    kind: example.kind,
    environment: example.environment,
    connector: example.connector,
    connection: example.connection,
  },
});

/** PATCH /api/systems/:id; the connector stays: another kind of place is another system. */
export const systemPatch = z
  .strictObject({
    name: systemInput.shape.name.optional(),
    kind: z.enum(systemKinds).optional(),
    environment: z.enum(environments).optional(),
    connection: systemInput.shape.connection
      .optional()
      .describe(
        'Replaces the connection as a whole; secrets that are left out, or sent back masked, stay as they are.',
      ),
    wal_budget_bytes: systemInput.shape.wal_budget_bytes
      .unwrap()
      .nullable()
      .optional()
      .describe('null: as the settings say.'),
    on_wal_budget: z.enum(walBudgetActions).optional(),
  })
  .meta({ example: { environment: 'training' } });
export type SystemPatch = z.output<typeof systemPatch>;

/** What the last check of a system found in a role. */
export const lastCheckView = z.object({
  at: moment,
  ok: z.boolean().describe('Every required check was good.'),
  failed: z.array(checkView).describe('What was not good, advice included.'),
});

export const systemView = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(systemKinds),
    environment: z.enum(environments),
    connector: z.string(),
    connection: z.record(z.string(), z.unknown()).describe('Secrets are shown as "[secret]".'),
    wal_budget_bytes: z
      .number()
      .nullable()
      .describe('WAL that it may keep for us as a source; null: as the settings say.'),
    on_wal_budget: z.enum(walBudgetActions).describe('What happens at the budget.'),
    last_check: z
      .object({ source: lastCheckView.nullable(), target: lastCheckView.nullable() })
      .describe('By POST …/check in each role; null: never looked at with this connection.'),
    created_at: moment,
    updated_at: moment,
    known,
  })
  .meta({ example });
export type SystemView = z.output<typeof systemView>;

export const systemsQuery = z.strictObject({
  ...pageQuery,
  kind: z.enum(systemKinds).optional(),
  environment: z.enum(environments).optional(),
  connector: z.string().max(64).optional(),
  text: z.string().max(200).optional().describe('Part of the name.'),
});
export const systemsPage = pageOf(systemView);

/** POST /api/systems/:id/check */
export const systemCheckBody = z
  .strictObject({
    as: z.enum(['source', 'target', 'both']).default('both').describe('In which role the system is looked at.'),
  })
  .prefault({})
  .meta({ example: { as: 'source' } });

export const systemCheckReport = z
  .object({
    ok: z.boolean().describe('Every required check is good, in every role that was looked at.'),
    source: z.array(checkView).optional(),
    target: z.array(checkView).optional(),
    took_ms: z.number(),
  })
  .meta({
    example: {
      ok: false,
      source: [
        { name: 'login', ok: true, required: true, message: 'Logged in as "sync"' },
        {
          name: 'wal_level',
          ok: false,
          required: true,
          message: 'wal_level is "replica"',
          code: 'SOURCE_WAL_LEVEL',
          fix: 'Set wal_level = logical at the source and restart it.',
        },
      ],
      took_ms: 41,
    },
  });
export type SystemCheckReport = z.output<typeof systemCheckReport>;
