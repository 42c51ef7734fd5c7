import { z } from 'zod';
import { tableNameText } from './tables.ts';

const columnName = z.string().min(1).max(63);

/** Steps that a value passes on its way into a target column, by name, some with arguments. */
export const transformInput = z.union([
  z.enum(['trim', 'upper', 'lower', 'collapse_spaces', 'digits_only', 'null_if_empty']),
  z.strictObject({
    pad_left: z.strictObject({ length: z.int().min(1).max(10_000), with: z.string().length(1).default('0') }),
  }),
  z.strictObject({
    pad_right: z.strictObject({ length: z.int().min(1).max(10_000), with: z.string().length(1).default(' ') }),
  }),
  z.strictObject({ replace: z.strictObject({ find: z.string().min(1), with: z.string() }) }),
  z.strictObject({ replace_pattern: z.strictObject({ pattern: z.string().min(1).max(500), with: z.string() }) }),
  z.strictObject({
    lookup: z.strictObject({
      values: z.record(z.string(), z.string().nullable()),
      otherwise: z.union([z.literal('keep'), z.literal('null'), z.literal('reject')]).default('keep'),
    }),
  }),
  z.strictObject({ default: z.string() }),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ suffix: z.string() }),
  z.strictObject({
    mask: z.strictObject({ keep_last: z.int().min(0).max(100).default(4), with: z.string().length(1).default('*') }),
  }),
  z.strictObject({
    hash: z.strictObject({ algorithm: z.enum(['sha256']).default('sha256'), salt: z.string().default('') }),
  }),
  z.strictObject({ truncate: z.strictObject({ length: z.int().min(0).max(1_000_000) }) }),
]);
export type TransformInput = z.output<typeof transformInput>;

export const columnInput = z.union([
  z.strictObject({
    from: columnName.describe('Source column.'),
    transforms: z
      .array(transformInput)
      .max(50)
      .default([])
      .describe("Applied in order to the value's text; NULL passes untouched except by default and lookup."),
    type: z.string().optional().describe("Type for a target table that we create; the source column's when left out."),
  }),
  z.strictObject({
    concat: z.array(columnName).min(1).describe('Source columns, joined; NULL and empty ones left out.'),
    separator: z.string().default(' '),
    transforms: z.array(transformInput).max(50).default([]),
    type: z.string().optional(),
  }),
  z.strictObject({
    compute: z
      .string()
      .min(1)
      .max(10_000)
      .describe('CEL over `row`, the source row: for example int(row.prop_val_yr).'),
    transforms: z.array(transformInput).max(50).default([]),
    type: z
      .string()
      .optional()
      .describe("Type for a target table that we create; by the expression's type when left out."),
  }),
]);
export type ColumnInput = z.output<typeof columnInput>;

export const onFailure = ['quarantine', 'warn', 'halt'] as const;

export const ruleInput = z.strictObject({
  name: z.string().min(1).max(100),
  check: z.string().min(1).max(10_000).describe('CEL over `row`, the row as it would be written; true is good.'),
  on_failure: z
    .enum(onFailure)
    .optional()
    .describe(
      "quarantine: dead letter; warn: count and write; halt: stop the pair. The pair's on_invalid when left out.",
    ),
});
export type RuleInput = z.output<typeof ruleInput>;

export const tableInput = z.strictObject({
  source: tableNameText.describe('Source table, schema.table.'),
  target: tableNameText.optional().describe('Target table; the same name when left out.'),
  columns: z
    .union([z.literal('same'), z.record(columnName, columnInput)])
    .default('same')
    .describe('"same", or by target column where its value comes from; only the named ones are written.'),
  exclude: z.array(columnName).default([]).describe('With columns "same": source columns that are left out.'),
  where: z
    .string()
    .min(1)
    .max(10_000)
    .optional()
    .describe('CEL over `row`, the source row: only rows for which it is true are at the target.'),
  rules: z.array(ruleInput).max(100).default([]),
});
export type TableInput = z.output<typeof tableInput>;

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'use hours and minutes: "22:30"');

/** From a time of day to another one, over midnight when the second is the earlier one. */
export const loadWindow = z.strictObject({
  from: timeOfDay.describe('First minute of it, "22:30".'),
  to: timeOfDay.describe('First minute after it.'),
  zone: z
    .string()
    .refine(isTimeZone, 'use the name of a time zone: "America/Los_Angeles"')
    .default('UTC')
    .describe('Time zone by its name, such as America/Los_Angeles.'),
});
export type LoadWindow = z.output<typeof loadWindow>;

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const pairConfig = z.strictObject({
  batch_size: z
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe('Rows a read of the polling strategies; streams batch by bytes, loads by load_chunk_rows.'),
  detection_strategy: z.enum(['cdc', 'hash', 'primary_key', 'timestamp', 'content']).default('cdc'),
  conflict_strategy: z
    .enum(['source_wins', 'target_wins', 'newer_wins', 'field_level', 'manual'])
    .default('source_wins'),
  max_parallel_tables: z
    .int()
    .min(1)
    .max(32)
    .default(1)
    .describe('Tables that a load copies at once, each over up to two connections at either end.'),
  max_parallel_operations: z
    .int()
    .min(1)
    .max(32)
    .default(5)
    .describe('Chunks that a load copies at once over all tables: its connections at either end.'),
  load_chunk_rows: z
    .int()
    .min(1)
    .max(100_000_000)
    .nullable()
    .optional()
    .describe(
      'Rows a chunk of a load: more cost less, and more is read again after an interruption. Left out: about 16 MiB of the table.',
    ),
  load_max_rows_per_second: z
    .int()
    .min(1)
    .nullable()
    .optional()
    .describe('Loads go no faster, so that the source has time for its own work. Left out: as fast as they can.'),
  load_max_mb_per_second: z
    .number()
    .positive()
    .nullable()
    .optional()
    .describe('The same by size, in MB (1,000,000 bytes) a second.'),
  load_window: loadWindow
    .nullable()
    .optional()
    .describe(
      'Time of day in which loads may run. Outside of it they rest between chunks; a table without a key that has been begun is finished.',
    ),
  audit_level: z.enum(['minimal', 'standard', 'detailed']).default('standard'),
  create_tables: z.boolean().default(true).describe('Whether missing target tables are created.'),
  existing_rows: z
    .enum(['refuse', 'replace'])
    .default('refuse')
    .describe('What the first load does when a target table holds rows already: refuse, or replace them.'),
  new_tables: z.enum(['follow', 'ignore']).optional(),
  schema_changes: z
    .enum(['evolve', 'halt'])
    .default('evolve')
    .describe('When a table changes at the source: alter the target likewise, or wait for approval at every change.'),
  destructive_changes: z
    .enum(['ask', 'apply'])
    .default('ask')
    .describe('What takes values away at the target (a dropped column, a narrower type): wait for approval, or do it.'),
  on_invalid: z
    .enum(onFailure)
    .default('quarantine')
    .describe('What happens to a row that fails a transform, an expression or a rule.'),
});
export type PairConfig = z.output<typeof pairConfig>;

const systemRef = z.union([
  z.string().min(1).describe('Name or id of a registered system.'),
  z.strictObject({ connector: z.string().default('postgres'), connection: z.record(z.string(), z.unknown()) }),
]);

export const pairInput = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/, 'use 2 to 63 lower case letters, digits and dashes'),
  source: systemRef,
  target: systemRef,
  tables: z
    .array(tableInput)
    .min(1)
    .max(10_000)
    .optional()
    .describe("Left out: every table of the source's non-system schemas, same names."),
  config: pairConfig.prefault({}),
  start: z.boolean().default(false),
});
export type PairInput = z.output<typeof pairInput>;

/** What the pipeline runs on: tables and config as given, with a number that grows with every change. */
export interface PairDefinition {
  readonly version: number;
  /** undefined: every table, same names. */
  readonly tables: readonly TableInput[] | undefined;
  readonly config: PairConfig;
}

export const pairStates = ['created', 'loading', 'catching_up', 'streaming', 'paused', 'failed'] as const;
export type PairState = (typeof pairStates)[number];
export type DesiredState = 'running' | 'paused';
