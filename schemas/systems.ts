import { z } from 'zod';

export const systemKinds = ['PACS', 'CAMA', 'GIS', 'ERP', 'CRM', 'Other'] as const;
export const environments = ['development', 'training', 'production'] as const;

/** What happens when a source keeps more WAL for us than its budget: tell, or give the slot up so that its disk is spared. */
export const walBudgetActions = ['alarm', 'drop_slot'] as const;
export type WalBudgetAction = (typeof walBudgetActions)[number];

/** What an operator writes to register a system. The connection's shape is the connector's business. */
export const systemInput = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/, 'use 2 to 63 lower case letters, digits and dashes')
    .describe('Name of the system, used in pairs and on the dashboard.'),
  kind: z.enum(systemKinds).default('Other').describe('What the system is to the county.'),
  environment: z.enum(environments).default('production').describe("Which of the county's environments it belongs to."),
  connector: z.string().default('postgres').describe('The kind of place it is; see the list of connectors.'),
  connection: z.record(z.string(), z.unknown()).describe('How to reach it; the connector says which fields it takes.'),
  wal_budget_bytes: z
    .int()
    .min(64 * 2 ** 20)
    .optional()
    .describe(
      'As a source: WAL that it may keep for us. SOURCE_WAL_BUDGET_BYTES when left out; the max_slot_wal_keep_size of the source counts when it is smaller.',
    ),
  on_wal_budget: z
    .enum(walBudgetActions)
    .default('alarm')
    .describe(
      'At the budget: alarm only, or drop_slot: the slot is given up so that the disk of the source is spared, and its pairs need a resync.',
    ),
});
export type SystemInput = z.output<typeof systemInput>;

export interface System extends SystemInput {
  readonly id: string;
  readonly created_at: string;
  readonly updated_at: string;
}
