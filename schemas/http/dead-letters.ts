import { z } from 'zod';
import { errorKinds } from '../errors.ts';
import { errorCode, moment, momentInput, pageOf, exportQuery } from './common.ts';

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
    sqlstate: z.string().nullable().describe('Of the target, where it was the target that refused the change.'),
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
      sqlstate: null,
      row: { prop_id: '4711', geo_id: '' },
      before: null,
      state: 'open',
      created_at: '2026-01-31T08:16:02.456Z',
      resolved_at: null,
      resolved_by: null,
    },
  });
export type DeadLetterView = z.output<typeof deadLetterView>;

/** What letters are chosen by, apart from their state. */
const choice = {
  pair: z.string().max(64).optional().describe('Id or name of a pair.'),
  table: z.string().max(200).optional().describe('Source or target table, schema.table.'),
  code: errorCode.optional(),
  rule: z.string().max(200).optional().describe('Name of the rule that refused them.'),
  sqlstate: z
    .string()
    .regex(/^[0-9A-Z]{5}$/, 'must be five digits or capital letters, such as 23505')
    .optional()
    .describe('Of the target, where it refused them.'),
  text: z.string().max(200).optional().describe('Anywhere in reason, rule or row, upper or lower case.'),
  since: momentInput.optional().describe('Set aside at this moment or later.'),
  until: momentInput.optional().describe('Set aside before this moment.'),
};

export const deadLettersQuery = z.strictObject({
  ...exportQuery,
  state: z.enum(deadLetterStates).optional(),
  ...choice,
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

/** GET /api/dead-letters/summary */
export const deadLettersSummaryQuery = z.strictObject({ state: z.enum(deadLetterStates).optional(), ...choice });
export const deadLettersSummary = z
  .object({
    total: z.int().describe('Letters that match.'),
    latest_id: z.string().nullable().describe('The last one that is counted: `through` of a command for all of them.'),
    groups: z
      .array(
        z.object({
          pair: z.object({ id: z.string(), name: z.string() }),
          source_table: z.string(),
          rule: z.string().nullable(),
          code: errorCode,
          sqlstate: z.string().nullable(),
          count: z.int(),
          latest_at: moment,
        }),
      )
      .describe('Letters of one cause, the most frequent one first; at most 200.'),
  })
  .meta({
    example: {
      total: 7,
      latest_id: '7',
      groups: [
        {
          pair: { id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2', name: 'pacs-to-cama' },
          source_table: 'pacs.property',
          rule: 'pin present',
          code: 'PAIR_ROW_INVALID',
          sqlstate: null,
          count: 7,
          latest_at: '2026-01-31T08:16:02.456Z',
        },
      ],
    },
  });
export type DeadLettersSummary = z.output<typeof deadLettersSummary>;

const letterId = z.string().regex(/^[1-9]\d{0,17}$/, 'must be the id of a dead letter');
const all = {
  filter: z.strictObject(choice).prefault({}).describe('Which open letters; all that may be seen when left out.'),
  through: letterId.describe('`latest_id` of a summary that somebody has looked at: what came later is left alone.'),
};

/** POST /api/dead-letters/discard */
export const discardAllBody = z
  .strictObject(all)
  .meta({ example: { filter: { pair: 'pacs-to-cama', rule: 'pin present' }, through: '7' } });
export const discardedReply = z.object({ discarded: z.int() }).meta({ example: { discarded: 7 } });

/** POST /api/dead-letters/replay */
export const replayAllBody = z
  .strictObject({ ...all, after: letterId.optional().describe('`after` of the reply before: goes on from there.') })
  .meta({ example: { filter: { pair: 'pacs-to-cama', rule: 'pin present' }, through: '7' } });
export const replayedReply = z
  .object({
    replayed: z.int().describe('Rows that are at the target now.'),
    refused: z
      .array(z.object({ id: z.string(), code: errorCode, message: z.string(), fix: z.string() }))
      .describe('Letters that stay open, and why.'),
    after: z.string().nullable().describe('Send it to go on with the rest; null: there is no more.'),
  })
  .meta({
    example: {
      replayed: 6,
      refused: [
        {
          id: '7',
          code: 'PAIR_ROW_INVALID',
          message: 'rule "pin present" is broken: row.parcel_pin != \'\'',
          fix: errorKinds.PAIR_ROW_INVALID.fix,
        },
      ],
      after: null,
    },
  });
export type ReplayedReply = z.output<typeof replayedReply>;
