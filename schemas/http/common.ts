import { z } from 'zod';
import { errorKinds, type ErrorCode } from '../errors.ts';

/** Roles, weakest first: each may do what the ones before it may. */
export const roles = ['viewer', 'operator', 'editor', 'admin'] as const;
export type Role = (typeof roles)[number];

/** A moment: ISO 8601, UTC. */
export const moment = z.string().meta({ format: 'date-time', example: '2026-01-31T08:15:30.123Z' });

/** Path parameter: id, or name where things have one. */
export const idParams = z.strictObject({
  id: z.string().min(1).max(64).describe('Id; of systems and pairs also the name.'),
});

/** Largest page that a list hands out. */
export const MAX_PAGE = 1000;

/** A whole number in a query, where everything is text. */
export const wholeInQuery = (min: number, max: number) =>
  z.coerce.number<string>().pipe(z.int(`must be a whole number from ${min} to ${max}`).min(min).max(max));

/** Items of one page when nothing is said. */
export const USUAL_PAGE = 50;

/** Query of every list; filters are added to it. */
export const pageQuery = {
  limit: wholeInQuery(1, MAX_PAGE).default(USUAL_PAGE).describe(`Items of one page, 1 to ${MAX_PAGE}.`),
  cursor: z.string().max(500).optional().describe('`next_cursor` of the page before.'),
};

/** Query of a list that can also be had as a table for a spreadsheet. */
export const exportQuery = {
  ...pageQuery,
  limit: wholeInQuery(1, MAX_PAGE)
    .optional()
    .describe(
      `Items of one page, 1 to ${MAX_PAGE}; ${USUAL_PAGE} when left out, and with csv everything that matches.`,
    ),
  format: z
    .enum(['json', 'csv'])
    .optional()
    .describe('csv: everything that matches, as a table. When left out, the Accept header says it (text/csv).'),
};

/** In an answer that is not of now: the control database could not be asked. */
export const known = z
  .object({
    at: moment.describe('When it was so.'),
    age_s: z.int(),
    problem: z.object({ code: z.string(), message: z.string(), fix: z.string() }).describe('Why it is not of now.'),
  })
  .optional()
  .describe('Only in an answer from memory, while the control database is away.');
export type Known = NonNullable<z.output<typeof known>>;

/** A page of a list. */
export const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.object({
    items: z.array(item),
    next_cursor: z.string().nullable().describe('For the next page; null on the last one.'),
    known,
  });

/** A moment in a query or body: ISO 8601 with offset. */
export const momentInput = z.iso
  .datetime({ offset: true, error: 'must be a time such as 2026-01-31T08:15:30Z' })
  // Neither PostgreSQL nor a calendar has a year 0, or a place that is a day ahead.
  .refine((text) => !/^0000|[+-](?:1[6-9]|2\d):\d\d$/.test(text), 'must be a time such as 2026-01-31T08:15:30Z')
  .meta({ example: '2026-01-31T08:15:30Z' });

const codes = Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]];
export const errorCode = z.enum(codes);

/** Every reply that is not a success. */
export const errorReply = z
  .object({
    error: z.object({
      code: errorCode,
      message: z.string().describe('What went wrong, naming the thing.'),
      fix: z.string().describe('What to do about it.'),
      details: z.record(z.string(), z.unknown()).describe('Facts for programs; for invalid fields `fields`.'),
      request_id: z.string(),
    }),
  })
  .meta({
    example: {
      error: {
        code: 'NOT_FOUND',
        message: 'There is no sync pair "pacs-to-cama"',
        fix: errorKinds.NOT_FOUND.fix,
        details: {},
        request_id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10',
      },
    },
  });

/** One field that is wrong, in `error.details.fields`. */
export const fieldProblem = z.object({
  path: z.string().describe('The field, as in the body: "tables[0].columns.tax_year.compute".'),
  code: errorCode,
  message: z.string(),
  fix: z.string(),
});
export type FieldProblem = z.output<typeof fieldProblem>;

/** Why something stands still. */
export const problem = z.object({
  code: z.string(),
  message: z.string(),
  fix: z.string(),
  since: moment,
});

/** One precondition, looked at. */
export const checkView = z.object({
  name: z.string().describe('Short and stable: "login", "wal_level", "privilege:pacs.property".'),
  ok: z.boolean(),
  required: z.boolean().describe('False: worth knowing, stops nothing.'),
  message: z.string(),
  code: errorCode.optional(),
  fix: z.string().optional(),
});
export type CheckView = z.output<typeof checkView>;
