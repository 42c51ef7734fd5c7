import type { TerraFusionError } from '#schemas/errors.ts';
import type { DesiredState, PairState } from '#schemas/pairs.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import type { Lease } from '#services/kernel/leases.ts';
import { noSuchPair } from './sync-pairs.ts';
import { problemOf, storedLoad, type PairChecked, type PairLoad } from './pair-records.ts';
import { TableSyncs } from './table-syncs.ts';

/** A pair that had failed is no longer: nothing of it runs, and it will be tried. */
const afresh = `
  state = CASE WHEN state <> 'failed' THEN state WHEN load->>'state' = 'done' THEN 'paused' ELSE 'created' END,
  error = CASE WHEN state = 'failed' THEN NULL ELSE error END`;

/** What is known of a pair before a word about it is taken. */
export interface HeldRun {
  readonly state: PairState;
  /** From the first word of it until the pair has got over it. */
  readonly trouble: Trouble | undefined;
  readonly load: { readonly state: string; readonly number: number };
  readonly auditLevel: string | undefined;
}

export interface Trouble {
  readonly code: string;
  /** ISO 8601. */
  readonly since: string;
}

/** What who speaks of a pair had seen when it began, and the right by which it speaks. */
export interface Seen {
  readonly runs: number;
  readonly under?: Lease | undefined;
}

/** Whether and how pairs run: what operators want, and what the sync-service says of it. */
export class PairRuns {
  readonly #db: Queryable;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /**
   * What an operator wants. "running" also asks a pair that has failed to try again: its `runs` grow, and it is as if it had stopped.
   * @throws NOT_FOUND
   */
  async setDesired(id: string, desired: DesiredState): Promise<void> {
    const touched = await this.#db.run(
      desired === 'running'
        ? `UPDATE terrafusion.sync_pairs SET desired = 'running', runs = runs + 1, ${afresh} WHERE id = $1 AND deleted_at IS NULL`
        : `UPDATE terrafusion.sync_pairs SET desired = 'paused' WHERE id = $1 AND deleted_at IS NULL`,
      [id],
    );
    if (touched === 0) throw noSuchPair(id);
  }

  /** Holds the pair until the transaction's end; undefined when it is deleted. */
  async hold(id: string): Promise<HeldRun | undefined> {
    const row = await this.#db.one<{
      state: PairState;
      trouble: Trouble | null;
      load: { readonly state: string; readonly number: number };
      level: string | null;
    }>(
      `SELECT state, trouble, load, definition->'config'->>'audit_level' AS level
         FROM terrafusion.sync_pairs WHERE id = $1 AND deleted_at IS NULL FOR UPDATE`,
      [id],
    );
    return (
      row && {
        state: row.state,
        trouble: row.trouble ?? undefined,
        load: row.load,
        auditLevel: row.level ?? undefined,
      }
    );
  }

  /** How much the trail keeps of the pair, deleted ones included. */
  async auditLevel(id: string): Promise<string | undefined> {
    const row = await this.#db.one<{ level: string | null }>(
      `SELECT definition->'config'->>'audit_level' AS level FROM terrafusion.sync_pairs WHERE id = $1`,
      [id],
    );
    return row?.level ?? undefined;
  }

  async setTrouble(id: string, trouble: Trouble | undefined): Promise<void> {
    await this.#db.run('UPDATE terrafusion.sync_pairs SET trouble = $2 WHERE id = $1', [id, trouble ?? null]);
  }

  /**
   * Asks for everything to be loaded anew. What a load under way still says is no longer believed. Returns the new load's number.
   * @throws NOT_FOUND
   */
  async requestResync(id: string): Promise<number> {
    await new TableSyncs(this.#db).overtake(id);
    const row = await this.#db.one<{ number: number }>(
      `UPDATE terrafusion.sync_pairs SET members = NULL,
         load = jsonb_build_object('state', 'requested', 'number', (load->>'number')::int + 1),
         start_offset = NULL, resync_requested_at = clock_timestamp(), runs = runs + 1,
         state = CASE WHEN state = 'failed' THEN 'created' ELSE state END
        WHERE id = $1 AND deleted_at IS NULL
       RETURNING (load->>'number')::int AS number`,
      [id],
    );
    if (!row) throw noSuchPair(id);
    return row.number;
  }

  /**
   * What the sync-service sees. `seen.runs` is what it saw when it began: after a command in between, its word is about the past and
   * is dropped. So is the word of who has lost the lease `seen.under` to somebody else, and whatever work says that is being stopped
   * because the pair has failed: only a command ends "failed". (Promise 9)
   * The error's `since` is kept as long as its code stays. Returns whether the word was taken.
   */
  async recordState(
    id: string,
    state: PairState,
    error?: TerraFusionError,
    seen: Partial<Seen> = {},
  ): Promise<boolean> {
    const problem = error && problemOf(error, new Date());
    const taken = await this.#db.run(
      `UPDATE terrafusion.sync_pairs SET state = $2, error = CASE
           WHEN $3::jsonb IS NULL THEN NULL
           WHEN error->>'code' = $3::jsonb->>'code' THEN $3::jsonb || jsonb_build_object('since', error->'since')
           ELSE $3::jsonb END
        WHERE id = $1 AND deleted_at IS NULL AND ($4::int IS NULL OR runs = $4)
          AND NOT EXISTS (SELECT FROM terrafusion.leases WHERE name = $5 AND token > $6) AND (state <> 'failed' OR $2 = 'failed')`,
      [id, state, problem ?? null, seen.runs ?? null, seen.under?.name ?? null, seen.under?.token ?? null],
    );
    if (taken === 0) return false;
    if (error) await this.#noteError(id, error);
    if (state === 'failed' && problem) await this.#failOperations(id, problem);
    return true;
  }

  /** A pair that catches up in spite of trouble: it is over, as far as who says so can see. `seen` as with {@link recordState}. */
  async endTrouble(id: string, seen: Seen): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_pairs SET error = NULL
        WHERE id = $1 AND deleted_at IS NULL AND runs = $2 AND state = 'catching_up' AND error IS NOT NULL
          AND NOT EXISTS (SELECT FROM terrafusion.leases WHERE name = $3 AND token > $4)`,
      [id, seen.runs, seen.under?.name ?? null, seen.under?.token ?? null],
    );
  }

  /** What was said of the pair last, whoever said it. */
  async stateOf(id: string): Promise<{ readonly state: PairState; readonly code: string | undefined } | undefined> {
    const row = await this.#db.one<{ state: PairState; code: string | null }>(
      `SELECT state, error->>'code' AS code FROM terrafusion.sync_pairs WHERE id = $1 AND deleted_at IS NULL`,
      [id],
    );
    return row && { state: row.state, code: row.code ?? undefined };
  }

  /**
   * How far the load is. A load of an older number than the stored one was overtaken by a resync: its word is dropped. Keeps the
   * operation that people see in step. Returns whether the word was taken.
   */
  async recordLoad(id: string, load: PairLoad): Promise<boolean> {
    const { state, number, startOffset } = load;
    const row = await this.#db.one<{ taken: number }>(
      `WITH taken AS (
         UPDATE terrafusion.sync_pairs SET load = $2, start_offset = $3
          WHERE id = $1 AND deleted_at IS NULL AND (load->>'number')::int <= $4 RETURNING id
       ), moved AS (
         UPDATE terrafusion.sync_operations o SET
           -- Completed it is once the stream has passed what the load has copied: see SyncOperations.completeLoads.
           state = CASE WHEN o.state = 'pending' THEN 'running' ELSE o.state END,
           started_at = coalesce(o.started_at, clock_timestamp()),
           counts = CASE WHEN $5 <> 'done' THEN o.counts ELSE o.counts || (
             SELECT jsonb_build_object('rows_copied', coalesce(sum(rows_copied), 0)) FROM terrafusion.pair_tables
              WHERE pair_id = o.pair_id) END,
           -- What is shown live while it runs is kept at its end.
           progress = CASE WHEN $5 <> 'done' THEN o.progress ELSE o.progress || (
             SELECT jsonb_build_object('tables_total', count(*), 'tables_done', count(*), 'rows_copied', sum(rows_copied))
               FROM terrafusion.pair_tables WHERE pair_id = o.pair_id) END,
           error = NULL
          FROM taken WHERE o.pair_id = taken.id AND $5 IN ('running', 'done')
           AND o.type IN ('full', 'resync') AND o.state IN ('pending', 'running', 'stopping')
         RETURNING o.id
       ), cleared AS (
         -- What an earlier load's stream had reached means nothing to this one's.
         UPDATE terrafusion.pair_progress g SET position = NULL, commit_lsn = NULL, next_offset = NULL, lag_bytes = NULL, lag_seconds = NULL
          FROM taken WHERE g.pair_id = taken.id AND $5 = 'running'
       ), made AS (
         -- Nobody asked for this load by an operation: it is one all the same.
         INSERT INTO terrafusion.sync_operations (pair_id, type, state, requested_by, started_at)
         SELECT id, CASE WHEN $4 = 1 THEN 'full' ELSE 'resync' END, 'running', 'sync-service', clock_timestamp()
           FROM taken WHERE $5 = 'running' AND NOT EXISTS (SELECT FROM moved)
       )
       SELECT count(*)::int AS taken FROM taken`,
      [id, storedLoad(load), startOffset ?? null, number, state],
    );
    return row!.taken > 0;
  }

  /** What keeps a deleted pair's leftovers from being removed; `since` is kept as long as the code stays. */
  async recordRemovalError(id: string, error: TerraFusionError): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_pairs SET removal_error = CASE
           WHEN removal_error->>'code' = $2::jsonb->>'code' THEN $2::jsonb || jsonb_build_object('since', removal_error->'since')
           ELSE $2::jsonb END
        WHERE id = $1 AND deleted_at IS NOT NULL`,
      [id, problemOf(error, new Date())],
    );
  }

  /** What the check before the load found. */
  async recordChecked(id: string, checked: PairChecked): Promise<void> {
    await this.#db.run('UPDATE terrafusion.sync_pairs SET checked = $2 WHERE id = $1 AND deleted_at IS NULL', [
      id,
      checked,
    ]);
  }

  /** Which source tables a load has taken. */
  async recordMembers(id: string, members: readonly string[]): Promise<void> {
    await this.#db.run('UPDATE terrafusion.sync_pairs SET members = $2 WHERE id = $1 AND members IS DISTINCT FROM $2', [
      id,
      JSON.stringify(members),
    ]);
  }

  /** The source publishes the tables of this version of the pair's definition. */
  async recordPublished(id: string, version: number): Promise<void> {
    await this.#db.run(
      'UPDATE terrafusion.sync_pairs SET published_version = $2 WHERE id = $1 AND published_version < $2',
      [id, version],
    );
  }

  async #noteError(id: string, error: TerraFusionError): Promise<void> {
    const { code, message } = problemOf(error, new Date());
    // A pair that is tried again every few seconds says the same each time: once an hour is enough to read.
    await this.#db.run(
      `INSERT INTO terrafusion.errors (component, pair_id, code, message)
       SELECT 'sync-service', $1, $2, $3 WHERE NOT EXISTS (
         SELECT FROM terrafusion.errors
          WHERE pair_id = $1 AND code = $2 AND message = $3 AND at > clock_timestamp() - interval '1 hour')`,
      [id, code, message],
    );
  }

  async #failOperations(id: string, problem: object): Promise<void> {
    await this.#db.run(
      `UPDATE terrafusion.sync_operations SET state = 'failed', error = $2, finished_at = clock_timestamp()
        WHERE pair_id = $1 AND state IN ('pending', 'running', 'stopping')
          -- A table sync goes on once the pair does.
          AND NOT EXISTS (SELECT FROM terrafusion.table_syncs s WHERE s.operation_id = sync_operations.id
            AND s.state IN ('requested', 'loading', 'catching_up', 'rejoining'))`,
      [id, problem],
    );
  }
}
