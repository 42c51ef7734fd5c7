import { z } from 'zod';
import { errorCode, moment, pageOf, exportQuery } from './common.ts';

export const deadLetterStates = ['open', 'replayed', 'discarded'] as const;
export type DeadLetterState = (typeof deadLetterStates)[number];

const cells = z.record(z.string(), z.string().nullable());

export const deadLetterView = z
  .object({
    id: z.string(),
    pair: z.object({ id: z.string(), name: z.string() }),
    position: z.string(),
    stage: z.enum(['process', 'apply']).describe('Refused by the chain, or by the target.'),
    source_table: z.string(),
    target_table: z.string(),
    op: z.enum(['insert', 'update', 'delete', 'truncate']),
    rule: z.string().nullable(),
    code: errorCode,
    reason: z.string(),
    row: cells.describe('Source columns for stage "process", target columns for "apply"; as PostgreSQL prints them.'),
    before: cells.nullable(),
    state: z.enum(deadLetterStates),
    created_at: moment,
    resolved_at: moment.nullable(),
    resolved_by: z.string().nullable(),
  })
  .meta({
    example: {
      id: '7',
      pair: { id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2', name: 'pacs-to-cama' },
      position: '1:0/16B3748:42',
      stage: 'process',
      source_table: 'pacs.property',
      target_table: 'cama.parcel',
      op: 'insert',
      rule: 'pin present',
      code: 'PAIR_ROW_INVALID',
      reason: 'Rule "pin present" is not true for this row',
      row: { prop_id: '4711', geo_id: '' },
      before: null,
      state: 'open',
      created_at: '2026-01-31T08:16:02.456Z',
      resolved_at: null,
      resolved_by: null,
    },
  });
export type DeadLetterView = z.output<typeof deadLetterView>;

export const deadLettersQuery = z.strictObject({
  ...exportQuery,
  pair: z.string().max(64).optional().describe('Id or name of a pair.'),
  state: z.enum(deadLetterStates).optional(),
  table: z.string().max(200).optional().describe('Source or target table, schema.table.'),
  code: errorCode.optional(),
});
export const deadLettersPage = pageOf(deadLetterView);

/** POST /api/dead-letters/:id/replay */
export const replayBody = z
  .strictObject({
    row: cells
      .optional()
      .describe('The row to write instead, in the columns that the letter shows; the stored one when left out.'),
  })
  .prefault({})
  .meta({ example: { row: { prop_id: '4711', geo_id: '0416231044' } } });
