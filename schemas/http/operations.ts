import { z } from 'zod';
import { known, moment, momentInput, pageOf, exportQuery, problem } from './common.ts';

export const operationTypes = ['full', 'incremental', 'resync', 'verify'] as const;
export type OperationType = (typeof operationTypes)[number];
export const operationStates = [
  'pending',
  'running',
  'stopping',
  'stopped',
  'completed',
  'failed',
  'cancelled',
] as const;
export type OperationState = (typeof operationStates)[number];

/** Those of which something is still to come. */
export const openStates: readonly OperationState[] = ['pending', 'running', 'stopping'];

/** POST /api/sync-operations */
export const operationBody = z
  .strictObject({
    pair_id: z.string().min(1).max(64).describe('Id or name of the pair.'),
    type: z
      .enum(['full', 'incremental'])
      .describe(
        'full: load all tables anew, then stream. incremental: stream what is new, until the target has it all; a pair that was paused is paused again then.',
      ),
  })
  .meta({ example: { pair_id: 'pacs-to-cama', type: 'full' } });

/** What an operation has done. Changes are counted about once a second; a process that is killed leaves out those of its last second. */
export const operationCounts = z.object({
  rows_copied: z.int().describe('By its load.'),
  inserted: z.int().describe('Changes applied by the stream while it ran.'),
  updated: z.int(),
  deleted: z.int(),
  dead_letters: z.int().describe('Changes and rows that were set aside while it ran.'),
});
export type OperationCounts = z.output<typeof operationCounts>;

const example = {
  id: '0198a1f3-0d52-7b0e-8a44-3c1f5e2d9b70',
  pair: { id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2', name: 'pacs-to-cama' },
  type: 'full' as const,
  state: 'running' as const,
  started_by: 'admin',
  progress: {
    rows_copied: 12_000,
    rows_total: 20_000,
    bytes_copied: 2_460_000,
    rows_per_second: 48_000,
    seconds_left: 0.2,
    tables_done: 1,
    tables_total: 3,
  },
  counts: { rows_copied: 12_000, inserted: 0, updated: 0, deleted: 0, dead_letters: 0 },
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
    state: z
      .enum(operationStates)
      .describe(
        'stopping: finishes what is in hand. stopped: goes on when it, or its pair, is resumed. cancelled: another one took its place, or its pair was removed.',
      ),
    started_by: z.string().describe('Who asked for it: name of a key, or of the service that did it by itself.'),
    progress: z
      .record(z.string(), z.unknown())
      .describe('Counts, as far as they are known; resting_until while a load waits for its window.'),
    counts: operationCounts,
    error: problem.nullable(),
    created_at: moment,
    started_at: moment.nullable(),
    finished_at: moment.nullable(),
    known,
  })
  .meta({ example });
export type OperationView = z.output<typeof operationView>;

export const operationsQuery = z.strictObject({
  ...exportQuery,
  pair: z.string().max(64).optional().describe('Id or name of a pair.'),
  type: z.enum(operationTypes).optional(),
  state: z.enum(operationStates).optional(),
  since: momentInput.optional(),
  until: momentInput.optional(),
});
export const operationsPage = pageOf(operationView);
