import { z } from 'zod';
import { errorCode, known, MAX_PAGE, moment, pageOf, pageQuery, problem, wholeInQuery } from './common.ts';
import { operationCounts, operationStates, operationTypes } from './operations.ts';
import { pairConfig } from '../pairs.ts';
import { tableNameText } from '../tables.ts';

/**
 * The job API, kept for programs written against the older service: a job is a sync operation, and the pair it belongs to is told by the
 * URLs of its two ends.
 */

const connection = z
  .union([z.string().min(1).max(4000), z.record(z.string(), z.unknown())])
  .describe(
    'URL of the database, or its connection as in POST /api/systems. A password is kept encrypted and never shown.',
  );

const { batch_size, max_parallel_tables, max_parallel_operations, audit_level, conflict_strategy, existing_rows } =
  pairConfig.shape;

export const jobConfig = z.strictObject({
  batch_size,
  detection_strategy: z
    .enum(['hash', 'primary_key', 'timestamp', 'content', 'cdc'])
    .default('hash')
    .describe(
      "How the older service looked for changes. All are taken; used is the source's own log (cdc), which shows each change that the others find, and those between two looks.",
    ),
  conflict_strategy: conflict_strategy.describe('"source_wins"; this version refuses the others.'),
  max_parallel_tables,
  max_parallel_operations,
  audit_level,
  existing_rows: existing_rows.describe(
    'What the first full sync does when a target table holds rows: refuse, or replace them.',
  ),
});
export type JobConfig = z.output<typeof jobConfig>;

/** POST /api/sync/full and /api/sync/incremental */
export const jobBody = z
  .strictObject({ source_connection: connection, target_connection: connection, config: jobConfig.prefault({}) })
  .meta({
    example: {
      source_connection: 'postgresql://sync@10.0.0.5:5432/pacs',
      target_connection: 'postgresql://sync@10.0.0.6:5432/cama',
      config: { batch_size: 1000, max_parallel_tables: 2 },
    },
  });
export type JobBody = z.output<typeof jobBody>;

export const jobParams = z.strictObject({ job_id: z.string().min(1).max(64).describe('`job_id` of the answer.') });
export const jobTableParams = z.strictObject({
  ...jobParams.shape,
  table: tableNameText.describe('Source table, schema.table.'),
});
export const conflictParams = z.strictObject({ ...jobParams.shape, conflict_id: z.string().min(1).max(64) });

const ids = { job_id: '0198a1f3-0d52-7b0e-8a44-3c1f5e2d9b70', pair: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2' };
const strategy = z
  .object({ asked: z.string(), used: z.literal('cdc') })
  .describe('cdc shows at least the changes that the strategy which was asked for would find.');

export const jobAccepted = z
  .object({ job_id: z.string(), status: z.enum(operationStates), pair_id: z.string(), detection_strategy: strategy })
  .meta({
    example: {
      job_id: ids.job_id,
      status: 'pending',
      pair_id: ids.pair,
      detection_strategy: { asked: 'hash', used: 'cdc' },
    },
  });

const tableProgress = z.object({
  source: z.string(),
  target: z.string(),
  state: z.string(),
  rows_copied: z.int(),
  rows_total: z.int().nullable().describe('An estimate while it is copied.'),
  changes_applied: z.int(),
  last_change_at: moment.nullable(),
  schema_version: z.int(),
});

const exampleJob = {
  job_id: ids.job_id,
  status: 'running' as const,
  type: 'full' as const,
  pair: { id: ids.pair, name: 'job-pacs-cama-3f9a' },
  detection_strategy: { asked: 'hash', used: 'cdc' as const },
  percent: 60,
  counts: { rows_copied: 12_000, inserted: 0, updated: 0, deleted: 0, dead_letters: 0 },
  errors: [],
  started_by: 'admin',
  created_at: '2026-01-31T08:15:30.123Z',
  started_at: '2026-01-31T08:15:30.401Z',
  finished_at: null,
};

export const jobSummary = z
  .object({
    job_id: z.string(),
    status: z.enum(operationStates),
    type: z.enum(operationTypes),
    pair: z.object({ id: z.string(), name: z.string() }),
    detection_strategy: strategy,
    percent: z.number().nullable().describe('Of the rows to copy; null where nobody can tell.'),
    counts: operationCounts,
    errors: z.array(problem).describe('Why it failed, or what holds its pair up now.'),
    started_by: z.string(),
    created_at: moment,
    started_at: moment.nullable(),
    finished_at: moment.nullable(),
  })
  .meta({ example: exampleJob });
export type JobSummary = z.output<typeof jobSummary>;

/** GET /api/sync/status/:job_id */
export const jobView = jobSummary.extend({ tables: z.array(tableProgress), known }).meta({
  example: {
    ...exampleJob,
    tables: [
      {
        source: 'pacs.property',
        target: 'pacs.property',
        state: 'loading',
        rows_copied: 12_000,
        rows_total: 20_000,
        changes_applied: 0,
        last_change_at: null,
        schema_version: 1,
      },
    ],
  },
});
export type JobView = z.output<typeof jobView>;

export const jobsQuery = z.strictObject({ ...pageQuery, status: z.enum(operationStates).optional() });
export const jobsPage = pageOf(jobSummary);

/** POST /api/sync/validate/:job_id/:table */
export const jobValidation = z
  .object({
    job_id: z.string(),
    source: z.string(),
    target: z.string(),
    valid: z.boolean(),
    problems: z.array(z.object({ path: z.string(), code: errorCode, message: z.string(), fix: z.string() })),
    lossy: z.array(z.object({ path: z.string(), message: z.string() })).describe('What would not arrive as it was.'),
  })
  .meta({
    example: {
      job_id: ids.job_id,
      source: 'pacs.property',
      target: 'pacs.property',
      valid: false,
      problems: [
        {
          path: 'columns',
          code: 'TARGET_COLUMN_MISSING',
          message: 'The target table pacs.property has no column geo_id',
          fix: 'Add the column at the target, or leave it out of the mapping.',
        },
      ],
      lossy: [],
    },
  });

/** One thing that happened while a job ran. */
const jobEvent = z.object({
  at: moment,
  actor: z.string(),
  action: z.string(),
  outcome: z.enum(['success', 'failure']),
  details: z.unknown(),
});
export type JobEvent = z.output<typeof jobEvent>;

export const jobEventsQuery = z.strictObject(pageQuery);
export const jobEventsPage = pageOf(jobEvent).meta({
  example: {
    items: [
      {
        at: '2026-01-31T08:15:30.123Z',
        actor: 'admin',
        action: 'sync_operation.start_full',
        outcome: 'success',
        details: {},
      },
    ],
    next_cursor: null,
  },
});

export const reportQuery = z.strictObject({
  format: z.enum(['json', 'csv', 'html']).default('json').describe('html is made for printing.'),
  limit: wholeInQuery(1, MAX_PAGE).default(MAX_PAGE).describe('Events, the latest ones.'),
});
export const jobReport = z
  .object({ made_at: moment, job: jobView, events: z.array(jobEvent) })
  .meta({ example: { made_at: '2026-01-31T08:20:00.000Z', job: { ...exampleJob, tables: [] }, events: [] } });
export type JobReport = z.output<typeof jobReport>;

/** Conflicts are not kept yet: every one is decided for the source. */
export const conflictsPage = pageOf(z.object({ id: z.string() })).meta({ example: { items: [], next_cursor: null } });
export const resolveBody = z
  .strictObject({ strategy: z.enum(['source_wins', 'target_wins', 'newer_wins', 'field_level', 'manual']) })
  .meta({ example: { strategy: 'source_wins' } });
export const resolvedReply = z
  .object({ resolved: z.int().describe('How many there were.') })
  .meta({ example: { resolved: 0 } });

/** GET /api/sync/health */
export const jobHealth = z
  .object({
    status: z.enum(['ok', 'unavailable']),
    checks: z.record(z.string(), z.string()).describe('"ok", or the code of what is wrong.'),
  })
  .meta({ example: { status: 'ok', checks: { sync_service: 'ok', control_database: 'ok', bus: 'ok' } } });
