import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { pairConfig, tableInput, type DesiredState, type PairState } from '#schemas/pairs.ts';
import { SourceGenerations } from '#services/control/source-generations.ts';
import { SourceStatuses, type SourceStatusRecord } from '#services/control/source-status.ts';
import type { Database } from '#services/kernel/database/index.ts';
import type { ControlPort, LoadRecord, PairProgress, SourceStatus, SupervisedPair, TableProgress } from './ports.ts';

/** What the store needs from elsewhere. */
export interface StoreParts {
  readonly database: Database;
  openSource(systemId: string): Promise<Source>;
  openTarget(systemId: string): Promise<Target>;
  storeDeadLetters(pairId: string, letters: readonly DeadLetter[]): Promise<void>;
  audit(action: string, pairId: string, details: Readonly<Record<string, unknown>>): Promise<void>;
}

/** First part of the advisory locks' keys, so that they meet nobody else's. */
const SOURCE_LOCK = 0x74665372;

/** {@link ControlPort} on the control database. */
export function supervisionStore(parts: StoreParts): ControlPort {
  const { database } = parts;
  const generations = new SourceGenerations(database);
  const statuses = new SourceStatuses(database);
  return {
    openSource: (id) => parts.openSource(id),
    openTarget: (id) => parts.openTarget(id),
    storeDeadLetters: (pairId, letters) => parts.storeDeadLetters(pairId, letters),
    audit: (action, pairId, details) => parts.audit(action, pairId, details),
    pairs: () => readPairs(database),
    generation: (sourceId) => generations.latest(sourceId),
    recordGeneration: (sourceId, generation) => generations.record(sourceId, generation),
    forgetGenerations: (sourceId) => generations.forget(sourceId),
    recordSourceStatus: (sourceId, status) => statuses.record(sourceId, statusRecord(status)),
    ...records(database),

    async lockedSource(sourceId, work) {
      return database.session(async (session) => {
        await session.query('SELECT pg_advisory_lock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
        try {
          return await work();
        } finally {
          await session.query('SELECT pg_advisory_unlock($1, hashtext($2))', [SOURCE_LOCK, sourceId]);
        }
      });
    },

    async neededOffsets(sourceId) {
      const rows = await database.query<{ needed: bigint | null }>(
        `SELECT CASE WHEN p.load ->> 'state' = 'done' THEN g.next_offset ELSE p.start_offset END AS needed
           FROM terrafusion.sync_pairs p LEFT JOIN terrafusion.pair_progress g ON g.pair_id = p.id
          WHERE p.source_id = $1 AND p.deleted_at IS NULL`,
        [sourceId],
      );
      return rows.map(({ needed }) => needed ?? undefined);
    },

    async purge(pairId) {
      await database.transaction(async (transaction) => {
        const pair = await transaction.one<{ source_id: string; target_id: string }>(
          'DELETE FROM terrafusion.sync_pairs WHERE id = $1 AND deleted_at IS NOT NULL RETURNING source_id, target_id',
          [pairId],
        );
        if (!pair) return;
        await transaction.run(
          `DELETE FROM terrafusion.systems s WHERE s.inline AND s.id IN ($1, $2)
              AND NOT EXISTS (SELECT FROM terrafusion.sync_pairs p WHERE s.id IN (p.source_id, p.target_id))`,
          [pair.source_id, pair.target_id],
        );
      });
    },
  };
}

interface PairRow {
  id: string;
  name: string;
  source_id: string;
  target_id: string;
  definition: { tables?: unknown[] | null; config?: unknown };
  version: number;
  desired: DesiredState;
  state: PairState;
  load: { state?: string; number?: number; start_position?: string };
  start_offset: bigint | null;
  resync_requested: boolean;
  deleted: boolean;
}

async function readPairs(database: Database): Promise<SupervisedPair[]> {
  const rows = await database.query<PairRow>(
    `SELECT id, name, source_id, target_id, definition, version, desired, state, load, start_offset,
            resync_requested_at IS NOT NULL AS resync_requested, deleted_at IS NOT NULL AS deleted
       FROM terrafusion.sync_pairs ORDER BY created_at, id`,
  );
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    sourceId: row.source_id,
    targetId: row.target_id,
    definition: {
      version: row.version,
      tables: row.definition.tables?.map((table) => tableInput.parse(table)),
      config: pairConfig.parse(row.definition.config ?? {}),
    },
    desired: row.desired,
    state: row.state,
    load: loadOf(row),
    deleted: row.deleted,
  }));
}

function loadOf({ load, start_offset, resync_requested }: PairRow): LoadRecord {
  const number = load.number ?? 0;
  const state = load.state === 'running' || load.state === 'done' ? load.state : 'requested';
  // A resync, or the very first load: a load of its own, with a number of its own.
  if (resync_requested || number === 0) {
    return { state: 'requested', number: number + 1, startOffset: undefined, startPosition: undefined };
  }
  return { state, number, startOffset: start_offset ?? undefined, startPosition: load.start_position };
}

function records(
  database: Database,
): Pick<ControlPort, 'recordState' | 'recordLoad' | 'recordTables' | 'recordProgress'> {
  return {
    async recordState(pairId, state, error) {
      // "since" is when this error came first. A pair that was paused meanwhile stays paused.
      await database.run(
        `UPDATE terrafusion.sync_pairs SET state = CASE WHEN desired = 'paused' AND $2 <> 'failed' THEN 'paused' ELSE $2 END,
                error = CASE WHEN $3::jsonb IS NULL THEN NULL
                             WHEN error ->> 'code' = $3::jsonb ->> 'code' THEN $3::jsonb || jsonb_build_object('since', error -> 'since')
                             ELSE $3::jsonb END,
                updated_at = clock_timestamp()
          WHERE id = $1 AND deleted_at IS NULL
            AND (state, error) IS DISTINCT FROM ($2, $3::jsonb)`,
        [pairId, state, json(error && { ...describe(error), since: new Date().toISOString() })],
      );
    },
    async recordLoad(pairId, load) {
      const done = await database.run(
        `UPDATE terrafusion.sync_pairs SET load = $2, start_offset = $3, resync_requested_at = NULL, updated_at = clock_timestamp() WHERE id = $1`,
        [
          pairId,
          JSON.stringify({ state: load.state, number: load.number, start_position: load.startPosition }),
          load.startOffset ?? null,
        ],
      );
      if (done === 0) throw new TerraFusionError('NOT_FOUND', `Pair ${pairId} is gone`);
    },
    async recordTables(pairId, tables) {
      await database.run(
        `INSERT INTO terrafusion.pair_tables (pair_id, source_schema, source_table, target_schema, target_table, state, rows_copied, rows_total)
         SELECT $1, t.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::bigint[]) t
         ON CONFLICT (pair_id, source_schema, source_table, target_schema, target_table)
         DO UPDATE SET state = excluded.state, rows_copied = excluded.rows_copied, rows_total = excluded.rows_total`,
        [pairId, ...tableColumns(tables)],
      );
    },
    async recordProgress(pairId, progress: PairProgress) {
      await database.run(
        `INSERT INTO terrafusion.pair_progress
           (pair_id, position, commit_lsn, lag_bytes, lag_seconds, next_offset, applied_at, changes_applied, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), $7, clock_timestamp())
         ON CONFLICT (pair_id) DO UPDATE SET position = excluded.position, commit_lsn = excluded.commit_lsn,
           lag_bytes = excluded.lag_bytes, lag_seconds = excluded.lag_seconds, next_offset = excluded.next_offset,
           applied_at = CASE WHEN pair_progress.position IS DISTINCT FROM excluded.position THEN excluded.applied_at ELSE pair_progress.applied_at END,
           changes_applied = pair_progress.changes_applied + excluded.changes_applied, updated_at = excluded.updated_at`,
        [
          pairId,
          progress.position,
          progress.commitLsn,
          progress.lagBytes ?? null,
          progress.lagSeconds,
          progress.nextOffset,
          progress.changesApplied,
        ],
      );
    },
  };
}

function tableColumns(tables: readonly TableProgress[]): unknown[] {
  return [
    tables.map(({ source }) => source.schema),
    tables.map(({ source }) => source.name),
    tables.map(({ target }) => target.schema),
    tables.map(({ target }) => target.name),
    tables.map(({ state }) => state),
    tables.map(({ rowsCopied }) => rowsCopied),
    tables.map(({ rowsTotal }) => rowsTotal),
  ];
}

function statusRecord({ slot, error, ...status }: SourceStatus): SourceStatusRecord {
  return {
    state: status.state,
    generation: status.generation,
    source_lsn: status.sourceLsn,
    received_lsn: status.receivedLsn,
    acknowledged_lsn: status.acknowledgedLsn,
    slot: slot && {
      name: slot.name,
      state: slot.state,
      active: slot.active,
      confirmed_lsn: slot.confirmed === undefined ? null : formatLsn(slot.confirmed),
      retained_bytes: slot.retainedBytes ?? null,
      safe_bytes: slot.safeBytes ?? null,
    },
    error: error && describe(error),
  };
}

function describe(error: TerraFusionError): { code: string; message: string; fix: string } {
  return { code: error.code, message: error.message, fix: error.fix };
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
