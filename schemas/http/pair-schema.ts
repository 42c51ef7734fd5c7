import { z } from 'zod';
import { moment } from './common.ts';

export const schemaGap = z.object({
  object: z.string().describe('Kind and name.'),
  reason: z.string(),
  fix: z.string().describe('What can be done about it; that nothing needs to be done, where it is so by design.'),
});

/** GET /api/sync-pairs/:id/schema */
export const pairSchemaView = z
  .object({
    complete: z
      .boolean()
      .describe('False until the rows are loaded: indexes, foreign keys and the like are made after them.'),
    made: z.array(z.string()).describe('What we have made at the target.'),
    found: z.array(z.string()).describe('What was there already, as it should be.'),
    skipped: z.array(schemaGap).describe('What is not at the target, or not as it is at the source, and why.'),
    updated_at: moment.nullable().describe('Null before the first load has looked at the target.'),
  })
  .meta({
    example: {
      complete: true,
      made: ['schema cama', 'type pacs.property_status', 'table cama.parcel', 'index parcel_pin_idx of cama.parcel'],
      found: [],
      skipped: [
        {
          object: 'trigger note_change on pacs.property',
          reason:
            'Triggers are not copied, by design: what they did at the source arrives as changes, and would be done twice.',
          fix: 'Nothing needs to be done. Create it at the target if it is wanted there all the same.',
        },
      ],
      updated_at: '2026-01-31T08:16:02.456Z',
    },
  });
export type PairSchemaView = z.output<typeof pairSchemaView>;

const number = z.string().nullable();

/** POST /api/sync-pairs/:id/cutover */
export const cutoverReply = z
  .object({
    position: z.string().describe('What the target holds: everything committed at the source before the call.'),
    waited_ms: z.number(),
    complete: z.boolean().describe('Whether every sequence stands at least where the source has it.'),
    sequences: z.array(
      z.object({
        sequence: z.string().describe('schema.sequence at the target.'),
        source: number.describe('The last number that the source has given out; null: none, or it may not be read.'),
        before: number.describe('The last number that the target had given out; null: none.'),
        after: number.describe('The same, now: whoever asks next gets a later one.'),
        problem: z.object({ reason: z.string(), fix: z.string() }).nullable(),
      }),
    ),
  })
  .meta({
    example: {
      position: '1:0/16B3748',
      waited_ms: 12,
      complete: true,
      sequences: [{ sequence: 'cama.parcel_id_seq', source: '20418', before: '20000', after: '20418', problem: null }],
    },
  });
export type CutoverReply = z.output<typeof cutoverReply>;
