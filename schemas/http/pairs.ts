import { z } from 'zod';
import { pairConfig, pairInput, pairStates, tableInput } from '../pairs.ts';
import { walBudgetLevels } from '../slots.ts';
import { tableNameText } from '../tables.ts';
import { schemaGap } from './pair-schema.ts';
import { schemaChangeView } from './schema-changes.ts';
import { known, checkView, fieldProblem, moment, pageOf, pageQuery, problem, wholeInQuery } from './common.ts';

const exampleTables = [
  {
    source: 'pacs.property',
    target: 'cama.parcel',
    columns: {
      parcel_pin: { from: 'geo_id', transforms: ['trim' as const] },
      tax_year: { compute: 'int(row.prop_val_yr)' },
    },
    where: "row.prop_type_cd == 'R'",
    rules: [{ name: 'pin present', check: "row.parcel_pin != ''", on_failure: 'quarantine' as const }],
  },
];

/** POST /api/sync-pairs and POST /api/sync-pairs/check */
export const pairBody = pairInput.meta({
  example: {
    name: 'pacs-to-cama',
    source: 'county-pacs',
    target: 'county-cama',
    tables: exampleTables,
    config: { max_parallel_tables: 2 },
    start: true,
  },
});

/**
 * The same settings without their defaults: what is left out of a PATCH stays as it is.
 * (An optional field with a default would come back as its default.)
 */
const shape = pairConfig.shape;
export const pairConfigPatch = z.strictObject({
  batch_size: shape.batch_size.unwrap().optional(),
  detection_strategy: shape.detection_strategy.unwrap().optional(),
  conflict_strategy: shape.conflict_strategy.unwrap().optional(),
  max_parallel_tables: shape.max_parallel_tables.unwrap().optional(),
  max_parallel_operations: shape.max_parallel_operations.unwrap().optional(),
  load_chunk_rows: shape.load_chunk_rows,
  load_max_rows_per_second: shape.load_max_rows_per_second,
  load_max_mb_per_second: shape.load_max_mb_per_second,
  load_window: shape.load_window,
  audit_level: shape.audit_level.unwrap().optional(),
  create_tables: shape.create_tables.unwrap().optional(),
  existing_rows: shape.existing_rows.unwrap().optional(),
  new_tables: shape.new_tables,
  schema_changes: shape.schema_changes.unwrap().optional(),
  destructive_changes: shape.destructive_changes.unwrap().optional(),
  on_invalid: shape.on_invalid.unwrap().optional(),
});

/** PATCH /api/sync-pairs/:id */
export const pairPatch = z
  .strictObject({
    name: pairInput.shape.name.optional(),
    tables: z
      .array(tableInput)
      .min(1)
      .max(10_000)
      .nullable()
      .optional()
      .describe('All tables of the pair from now on; null: every table, same names.'),
    config: pairConfigPatch.optional().describe('Only the settings that change.'),
    resync_changed: z
      .boolean()
      .default(true)
      .describe(
        'Whether tables that are brought in another way (columns, where, rules) are loaded anew; else only what changes from now on is.',
      ),
  })
  .meta({ example: { config: { on_invalid: 'halt' } } });
export type PairPatch = z.output<typeof pairPatch>;

const tableExample = {
  source: 'pacs.property',
  target: 'cama.parcel',
  state: 'streaming',
  rows_copied: 20_000,
  rows_total: 20_000,
  bytes_copied: 4_100_000,
  rows_per_second: null,
  seconds_left: null,
  changes_applied: 418,
  last_change_at: '2026-01-31T08:16:02.101Z',
  schema_version: 1,
  error: null,
} as const;

/** How a table of a pair is doing. */
export const pairTableView = z
  .object({
    source: z.string().describe('schema.table at the source.'),
    target: z.string().describe('schema.table at the target.'),
    state: z
      .string()
      .describe(
        'waiting, loading, loaded, catching_up, streaming, failed; left_out: incomplete and not kept in step, see error; removed: no part of the pair any more, its rows stay.',
      ),
    rows_copied: z.number(),
    rows_total: z.number().nullable().describe('As the source estimates; null when it does not know.'),
    bytes_copied: z.number().describe('Of the rows copied, as they travelled.'),
    rows_per_second: z.number().nullable().describe('While it is being loaded.'),
    seconds_left: z.number().nullable().describe('Until it is loaded, at this rate; null when nobody knows.'),
    changes_applied: z.number(),
    last_change_at: moment.nullable(),
    schema_version: z.number(),
    error: problem.nullable(),
  })
  .meta({
    example: tableExample,
  });
export type PairTableView = z.output<typeof pairTableView>;

/** The replication slot that holds the source's changes for us. */
export const slotView = z.object({
  name: z.string(),
  generation: z.number(),
  state: z
    .string()
    .nullable()
    .describe('reserved, extended, unreserved, lost or missing; null while nobody has looked.'),
  active: z.boolean().nullable(),
  confirmed_lsn: z.string().nullable(),
  restart_lsn: z
    .string()
    .nullable()
    .describe('From here the source keeps WAL; behind confirmed_lsn by transactions that are still open there.'),
  retained_bytes: z.number().nullable().describe('WAL that the source keeps for us.'),
  safe_bytes: z.number().nullable().describe('WAL until the source gives the slot up, if it has such a limit.'),
  budget_bytes: z
    .number()
    .nullable()
    .describe('WAL that the source may keep for us: wal_budget_bytes of the system, or its own limit when smaller.'),
  bytes_per_second: z.number().nullable().describe('Growth of what is kept, over the last minutes.'),
  seconds_left: z.number().nullable().describe('Until the budget is used up at that; null while it does not grow.'),
  level: z.enum(walBudgetLevels).nullable().describe('ok; near: an alarm; over: the budget is used up.'),
  problem: z
    .object({ code: z.string(), message: z.string(), fix: z.string() })
    .nullable()
    .describe('What an operator should know of the slot.'),
  invalidation_reason: z.string().nullable().describe('Why the source gave it up.'),
  conflicting: z.boolean().nullable(),
  inactive_since: z.string().nullable().describe('Since when nobody reads from it, where the source tells (17+).'),
  failover: z.boolean().nullable().describe('Whether standbys keep a copy, so that it outlives a failover (17+).'),
  looked_at: moment.nullable().describe('When it was last looked at.'),
});
export type SlotView = z.output<typeof slotView>;

const endView = z.object({ id: z.string(), name: z.string(), connector: z.string() });

/** Something about a pair that works and that somebody should know. */
export const pairWarning = z.object({
  table: z.string().describe('schema.table at the target.'),
  column: z.string().nullable(),
  name: z.string().describe('Of the check: "proof", "triggers:cama.parcel".'),
  message: z.string(),
});
export type PairWarning = z.output<typeof pairWarning>;

const summaryShape = {
  id: z.string(),
  name: z.string(),
  source: endView,
  target: endView,
  version: z.number().describe('Grows with every change of tables or config.'),
  desired: z.enum(['running', 'paused']),
  state: z.enum(pairStates),
  position: z.string().nullable().describe('What the target holds: "generation:commit LSN[:ordinal]".'),
  lag_bytes: z.number().nullable().describe('WAL between the source and the target.'),
  lag_seconds: z
    .number()
    .nullable()
    .describe('Age of the oldest change that the target does not have; 0 when it has all.'),
  changes_applied: z.number(),
  dead_letters: z.number().describe('Open ones.'),
  error: problem.nullable(),
  stale: z
    .boolean()
    .describe(
      'The pair should run, and no process works on it at the moment: the state is the one that was last told, the figures are not shown.',
    ),
  warning: z
    .object({ code: z.string(), message: z.string(), fix: z.string() })
    .nullable()
    .describe('What needs a look before it stops the pair, such as the WAL that its source keeps.'),
  created_at: moment,
  updated_at: moment,
};

const exampleSummary = {
  id: '0198a1f2-7a11-7d2c-9d33-6a5cf0b7c1e2',
  name: 'pacs-to-cama',
  source: { id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f10', name: 'county-pacs', connector: 'postgres' },
  target: { id: '0198a1f2-6c1e-7c55-b7d1-0f8f3a2e7f11', name: 'county-cama', connector: 'postgres' },
  version: 1,
  desired: 'running' as const,
  state: 'streaming' as const,
  position: '1:0/16B3748',
  lag_bytes: 0,
  lag_seconds: 0,
  changes_applied: 20418,
  dead_letters: 3,
  error: null,
  stale: false,
  warning: null,
  created_at: '2026-01-31T08:15:30.123Z',
  updated_at: '2026-01-31T08:16:02.456Z',
};

export const pairSummary = z.object(summaryShape).meta({ example: exampleSummary });
export type PairSummary = z.output<typeof pairSummary>;

export const pairView = z
  .object({
    ...summaryShape,
    slot: slotView.nullable(),
    schema_change: schemaChangeView.nullable().describe('What waits for POST …/approve; null when nothing does.'),
    tables: z.array(pairTableView),
    warnings: z
      .array(pairWarning)
      .describe('What the check before its first start found, beside what would have stopped it.'),
    definition: z.object({
      tables: z
        .array(z.record(z.string(), z.unknown()))
        .nullable()
        .describe('As given; null: every table, same names.'),
      config: z.record(z.string(), z.unknown()),
    }),
    known,
  })
  .meta({
    example: {
      ...exampleSummary,
      slot: {
        name: 'terrafusion_county_pacs_1',
        generation: 1,
        state: 'reserved',
        active: true,
        confirmed_lsn: '0/16B3748',
        restart_lsn: '0/16B2F00',
        retained_bytes: 18_432,
        safe_bytes: null,
        budget_bytes: 17_179_869_184,
        bytes_per_second: 0,
        seconds_left: null,
        level: 'ok' as const,
        problem: null,
        invalidation_reason: null,
        conflicting: false,
        inactive_since: null,
        failover: true,
        looked_at: '2026-01-31T08:16:01.456Z',
      },
      schema_change: null,
      tables: [tableExample],
      warnings: [
        {
          table: 'cama.parcel',
          column: 'parcel_pin',
          name: 'proof',
          message: 'lossy: 3 of 14 values are refused: value too long for type character varying(20)',
        },
      ],
      definition: { tables: exampleTables, config: { on_invalid: 'quarantine' } },
    },
  });
export type PairView = z.output<typeof pairView>;

export const pairsQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(pairStates).optional(),
  desired: z.enum(['running', 'paused']).optional(),
  system: z.string().max(64).optional().describe('Id or name of a system that is its source or target.'),
  text: z.string().max(200).optional().describe('Part of the name.'),
});
export const pairsPage = pageOf(pairSummary).meta({ example: { items: [exampleSummary], next_cursor: null } });

/** POST /api/sync-pairs/:id/resync */
export const resyncBody = z
  .strictObject({
    tables: z
      .array(tableNameText)
      .min(1)
      .max(10_000)
      .optional()
      .describe('Source tables to load anew; all of the pair when left out.'),
  })
  .prefault({})
  .meta({ example: { tables: ['pacs.property'] } });

export const proofResults = ['lossless', 'lossy', 'unsupported', 'not_proven'] as const;
export type ProofResult = (typeof proofResults)[number];

/** A column of a pair, and what the lossless proof says of it. */
export const columnProof = z.object({
  source: z.string().describe('Source column; several, with commas, where the value is made of several.'),
  target: z.string(),
  source_type: z.string(),
  target_type: z
    .string()
    .nullable()
    .describe('That it has, or would be created with; null when the target has no such column.'),
  proof: z
    .object({
      result: z
        .enum(proofResults)
        .describe(
          'lossless: boundary values of its type arrived as they were; lossy: some arrived changed or were refused; unsupported: none arrived; not_proven: it could not be tried.',
        ),
      how: z.string().optional().describe('What became of which value, or why nothing could be tried.'),
    })
    .optional()
    .describe('Left out when it was not asked for.'),
});
export type ColumnProof = z.output<typeof columnProof>;

/** POST /api/sync-pairs/check?proof=false */
export const pairCheckQuery = z.strictObject({
  proof: z
    .enum(['true', 'false'])
    .default('true')
    .describe('Whether boundary values of every column are sent through the chain into scratch tables at the target.'),
});

/** POST /api/sync-pairs/check */
const schemaPlanView = z.object({
  made: z
    .array(z.string())
    .describe('What would be made at the target: tables, keys, indexes, constraints and all they rest on.'),
  found: z.array(z.string()).describe('What is there already, as it should be.'),
  skipped: z.array(schemaGap).describe('What would not be there, or not as it is at the source, and why.'),
});
export type SchemaPlanView = z.output<typeof schemaPlanView>;

export const pairCheckReport = z
  .object({
    ok: z.boolean().describe('Whether the pair could be made as it stands.'),
    problems: z.array(fieldProblem).describe('What is wrong in the pair, by field.'),
    source: z.array(checkView).describe('Of the source as a whole; those of a table stand with it.'),
    target: z.array(checkView),
    lossy: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .describe('What works, but does not arrive as it was.'),
    schema: schemaPlanView
      .nullable()
      .describe(
        "What would become of the source's schema at the target, as the target itself says: all of it is made and taken back. null: not asked for, or nothing is created.",
      ),
    tables: z.array(
      z.object({
        source: z.string(),
        target: z.string(),
        action: z
          .enum(['create', 'use'])
          .nullable()
          .describe('create: the target table is missing and will be made; null: the target could not be asked.'),
        estimated_rows: z.number().nullable().describe('null: the source could not be asked.'),
        checks: z.array(checkView),
        columns: z.array(columnProof),
      }),
    ),
  })
  .meta({
    example: {
      ok: false,
      problems: [
        {
          path: 'tables[0].source',
          code: 'SOURCE_TABLE_MISSING',
          message: 'There is no table pacs.proprety at the source',
          fix: 'Check schema and table name, upper and lower case included.',
        },
      ],
      source: [{ name: 'wal_level', ok: true, required: true, message: 'wal_level is logical.' }],
      target: [],
      lossy: [],
      schema: {
        made: ['table cama.parcel', 'index parcel_pin_idx of cama.parcel'],
        found: ['schema cama'],
        skipped: [
          {
            object: 'index parcel_owner_idx of cama.parcel',
            reason: 'The target refuses it: function soundex(text) does not exist',
            fix: 'Create the function at the target, then the object.',
          },
        ],
      },
      tables: [
        {
          source: 'pacs.property',
          target: 'cama.parcel',
          action: 'use' as const,
          estimated_rows: 20_000,
          checks: [{ name: 'privilege:pacs.property', ok: true, required: true, message: 'The role may read it.' }],
          columns: [
            {
              source: 'geo_id',
              target: 'parcel_pin',
              source_type: 'character varying(50)',
              target_type: 'character varying(20)',
              proof: {
                result: 'lossy' as const,
                how: '3 of 14 values are refused: value too long for type character varying(20)',
              },
            },
          ],
        },
      ],
    },
  });
export type PairCheckReport = z.output<typeof pairCheckReport>;

export const pairTablesQuery = z.strictObject(pageQuery);
export const pairTablesPage = pageOf(pairTableView);

/** POST /api/sync-pairs/:id/fence */
export const fenceQuery = z.strictObject({
  timeout_s: wholeInQuery(1, 300).default(30).describe('Seconds to wait at most, 1 to 300.'),
});
export const fenceReply = z
  .object({
    position: z.string().describe('What the target holds: everything committed at the source before the call.'),
    waited_ms: z.number(),
  })
  .meta({ example: { position: '1:0/16B3748', waited_ms: 12 } });
