import { z } from 'zod';
import { moment, pageOf, pageQuery } from './common.ts';

export const schemaStepView = z.object({
  kind: z
    .enum(['additive', 'destructive', 'unknown'])
    .describe('unknown: what older rows hold afterwards cannot be told; load the table anew.'),
  what: z.string(),
  sql: z.array(z.string()).describe('What runs at the target.'),
});

/** What a change of the source's tables means for the target's. */
export const schemaChangeView = z.object({
  id: z.string(),
  position: z.string().describe("Where in the source's history."),
  state: z.enum(['waiting', 'approved', 'applied']),
  steps: z.array(schemaStepView),
  created_at: moment,
  decided_by: z.string().nullable().describe('Who let it through; "policy": the settings of the pair did.'),
  decided_at: moment.nullable(),
  applied_at: moment.nullable(),
});
export type SchemaChangeView = z.output<typeof schemaChangeView>;

export const exampleSchemaChange = {
  id: '5b1f0c9a77d3e210',
  position: '1:0/16B3748:0',
  state: 'waiting' as const,
  steps: [
    {
      kind: 'destructive' as const,
      what: 'Column note was dropped at the source: it is dropped from cama.parcel with its values',
      sql: ['ALTER TABLE "cama"."parcel" DROP COLUMN "note"'],
    },
  ],
  created_at: '2026-01-31T08:15:30.123Z',
  decided_by: null,
  decided_at: null,
  applied_at: null,
};

export const schemaChangesQuery = z.strictObject(pageQuery);
export const schemaChangesPage = pageOf(schemaChangeView).meta({
  example: { items: [exampleSchemaChange], next_cursor: null },
});

/** POST /api/sync-pairs/:id/approve */
export const approveBody = z
  .strictObject({
    change: z
      .string()
      .max(64)
      .optional()
      .describe('Id of the change that was looked at; whichever waits when left out.'),
  })
  .prefault({})
  .meta({ example: { change: exampleSchemaChange.id } });
