import { z } from 'zod';
import { checkView, wholeInQuery } from './common.ts';

/** Tables come with their columns: a page of them is not small. */
export const MOST_LISTED_TABLES = 200;

/** No name of a database has one. */
const noNul = z.string().regex(/^[^\0]*$/, 'must not hold a NUL');

export const systemTablesQuery = z.strictObject({
  limit: wholeInQuery(1, MOST_LISTED_TABLES).default(50).describe(`Tables of one page, 1 to ${MOST_LISTED_TABLES}.`),
  cursor: z.string().max(500).optional().describe('`next_cursor` of the page before.'),
  schema: noNul.min(1).max(63).optional().describe('Only tables of this schema.'),
  text: noNul.max(200).optional().describe('Part of "schema.table", upper or lower case.'),
});

const column = z.object({
  name: z.string(),
  type: z.string().describe('As PostgreSQL prints it: "character varying(50)".'),
  not_null: z.boolean(),
  key: z.boolean().describe('Rows are found by it.'),
});

export const systemTableView = z.object({
  table: z
    .string()
    .describe('As a pair names it: schema.table, a part in double quotes where it holds a dot or a quote.'),
  schema: z.string(),
  name: z.string(),
  key: z.array(z.string()).describe('Columns of the primary key, in its order; empty: there is none.'),
  estimated_rows: z.number().describe('As the last ANALYZE has counted.'),
  bytes: z.number().describe('About, without indexes.'),
  columns: z.array(column).describe('Without generated ones: each end computes them for itself.'),
  warnings: z.array(checkView).describe('What keeps it out of a pair (required) or is worth knowing.'),
});
export type SystemTableView = z.output<typeof systemTableView>;

/** GET /api/systems/:id/tables */
export const systemTablesPage = z
  .object({
    items: z.array(systemTableView),
    next_cursor: z.string().nullable().describe('For the next page; null on the last one.'),
    schemas: z.array(z.object({ name: z.string(), tables: z.number() })).describe('All of them, whatever the filter.'),
  })
  .meta({
    example: {
      items: [
        {
          table: 'pacs.account',
          schema: 'pacs',
          name: 'account',
          key: ['acct_id'],
          estimated_rows: 12_000,
          bytes: 1_310_720,
          columns: [
            { name: 'acct_id', type: 'integer', not_null: true, key: true },
            { name: 'file_as_name', type: 'character varying(70)', not_null: false, key: false },
          ],
          warnings: [],
        },
      ],
      next_cursor: null,
      schemas: [{ name: 'pacs', tables: 9 }],
    },
  });
export type SystemTablesPage = z.output<typeof systemTablesPage>;
