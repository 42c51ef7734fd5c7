import { z } from 'zod';
import { moment, momentInput, pageOf, pageQuery, problem } from './common.ts';

export const operationTypes = ['full', 'incremental', 'resync', 'verify'] as const;
export type OperationType = (typeof operationTypes)[number];
export const operationStates = ['pending', 'running', 'completed', 'failed', 'stopped'] as const;
export type OperationState = (typeof operationStates)[number];

/** POST /api/sync-operations */
export const operationBody = z
  .strictObject({
    pair_id: z.string().min(1).max(64).describe('Id or name of the pair.'),
    type: z
      .enum(['full', 'incremental'])
      .describe(
        'full: load all tables anew, then stream. incremental: stream what is new, until the target has it all.',
      ),
  })
  .meta({ example: { pair_id: 'pacs-to-cama', type: 'full' } });

const example = {
  id: '0198a1f3-0d52-7b0e-8a44-3c1f5e2d9b70',
  pair: { id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2', name: 'pacs-to-cama' },
  type: 'full' as const,
  state: 'running' as const,
  started_by: 'admin',
  progress: { rows_copied: 12_000, rows_total: 20_000, tables_done: 1, tables_total: 3 },
  error: null,
  created_at: '2026-01-31T08:15:30.123Z',
  started_at: '2026-01-31T08:15:30.401Z',
  finished_at: null,
};

export const operationView = z
  .object({
    id: z.string(),
    pair: z.object({ id: z.string(), name: z.string() }),
    type: z.enum(operationTypes),
    state: z.enum(operationStates),
    started_by: z.string().describe('Who asked for it: name of a key, or of the service that did it by itself.'),
    progress: z.record(z.string(), z.unknown()).describe('Counts, as far as they are known.'),
    error: problem.nullable(),
    created_at: moment,
    started_at: moment.nullable(),
    finished_at: moment.nullable(),
  })
  .meta({ example });
export type OperationView = z.output<typeof operationView>;

export const operationsQuery = z.strictObject({
  ...pageQuery,
  pair: z.string().max(64).optional().describe('Id or name of a pair.'),
  type: z.enum(operationTypes).optional(),
  state: z.enum(operationStates).optional(),
  since: momentInput.optional(),
  until: momentInput.optional(),
});
export const operationsPage = pageOf(operationView);
