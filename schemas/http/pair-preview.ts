import { z } from 'zod';
import { onFailure, pairInput } from '../pairs.ts';
import { tableNameText } from '../tables.ts';
import { fieldProblem } from './common.ts';

/** Stands where a value would be that the pair is made to hide. */
export const HIDDEN = '[hidden]';
/** Characters of a value that are shown. */
export const MOST_SHOWN = 2000;

/** POST /api/sync-pairs/preview */
export const pairPreviewBody = z
  .strictObject({
    pair: z
      .strictObject({
        ...pairInput.shape,
        name: pairInput.shape.name.optional(),
        target: pairInput.shape.target.optional(),
      })
      .describe('As for POST /api/sync-pairs; of name and target nothing is needed.'),
    table: tableNameText.describe('Source table of the pair that is looked at, schema.table.'),
    limit: z
      .int()
      .min(1)
      .max(20)
      .default(5)
      .describe('Rows to show: the first ones; up to half of them are kept for rows that are not simply written.'),
    sample: z.int().min(1).max(500).default(200).describe('Rows to take through the chain for the counts.'),
  })
  .meta({
    example: {
      pair: {
        source: 'county-pacs',
        tables: [
          {
            source: 'pacs.account',
            target: 'mailing.account',
            columns: {
              acct_id: { from: 'acct_id' },
              name: { from: 'file_as_name', transforms: ['trim' as const, 'upper' as const] },
            },
            rules: [{ name: 'has a name', check: 'row.name != ""' }],
          },
        ],
      },
      table: 'pacs.account',
      limit: 2,
    },
  });
export type PairPreviewBody = z.output<typeof pairPreviewBody>;

const cells = z
  .array(z.string().nullable())
  .describe(
    `Text as PostgreSQL prints it, null for NULL, in the order of the columns; cut after ${MOST_SHOWN} characters.`,
  );

const previewRow = z.object({
  before: cells,
  after: cells.nullable().describe('null: nothing is written for it.'),
  fate: z
    .enum(['written', 'filtered', 'rejected'])
    .describe('filtered: outside of `where`; rejected: by a rule, a transform or an expression.'),
  rule: z.string().nullable().describe('The rule that rejects it, when one does.'),
  reason: z.string().nullable().describe('Why it is rejected.'),
  consequence: z
    .enum(['quarantine', 'halt'])
    .nullable()
    .describe('What its rejection would come to: a dead letter, or the pair stops.'),
  warnings: z.array(z.string()).describe('Rules that it breaks and that only warn.'),
});

export const pairPreviewReply = z
  .object({
    ok: z
      .boolean()
      .describe('Whether the table could be synchronised as it is written; else the rows are shown as they are.'),
    problems: z.array(fieldProblem).describe('What is wrong, by field: "pair.tables[0].columns.name.compute".'),
    source_columns: z.array(
      z.object({
        name: z.string(),
        type: z.string(),
        key: z.boolean(),
        hidden: z.boolean().describe(`Masked or hashed wherever it goes: "${HIDDEN}" stands for its values.`),
      }),
    ),
    target_columns: z.array(
      z.object({
        name: z.string(),
        type: z.string().describe('That a target table which we make would have.'),
        key: z.boolean(),
      }),
    ),
    rows: z.array(previewRow),
    counts: z.object({ read: z.number(), written: z.number(), filtered: z.number(), rejected: z.number() }),
    rules: z
      .array(
        z.object({
          name: z.string(),
          on_failure: z.enum(onFailure),
          failed: z.number().describe('Rows of the sample that break it, each rule by itself.'),
        }),
      )
      .describe('In the order of the table.'),
    whole: z.boolean().describe('The sample was the whole table; rows of more than 64 KiB are passed over.'),
  })
  .meta({
    example: {
      ok: true,
      problems: [],
      source_columns: [
        { name: 'acct_id', type: 'integer', key: true, hidden: false },
        { name: 'file_as_name', type: 'character varying(70)', key: false, hidden: false },
      ],
      target_columns: [
        { name: 'acct_id', type: 'integer', key: true },
        { name: 'name', type: 'text', key: false },
      ],
      rows: [
        {
          before: ['1', ' cedar 1 holdings llc'],
          after: ['1', 'CEDAR 1 HOLDINGS LLC'],
          fate: 'written' as const,
          rule: null,
          reason: null,
          consequence: null,
          warnings: [],
        },
        {
          before: ['2', ''],
          after: null,
          fate: 'rejected' as const,
          rule: 'has a name',
          reason: 'rule "has a name" is broken: row.name != ""',
          consequence: 'quarantine' as const,
          warnings: [],
        },
      ],
      counts: { read: 200, written: 197, filtered: 0, rejected: 3 },
      rules: [{ name: 'has a name', on_failure: 'quarantine' as const, failed: 3 }],
      whole: false,
    },
  });
export type PairPreviewReply = z.output<typeof pairPreviewReply>;
