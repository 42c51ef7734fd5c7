import { pairConfig, type DesiredState, type PairDefinition, type PairState, type TableInput } from '#schemas/pairs.ts';
import type { PairWarning } from '#schemas/http/pairs.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import type { SlotReading } from '#schemas/slots.ts';
import { storedLoaded, toLoaded, type StoredLoaded } from './loaded.ts';
import type { Problem } from './problem.ts';
import { openSyncs, toTableSync, type StoredTableSync, type TableSyncRecord } from './table-syncs.ts';

export { problemOf, type Problem } from './problem.ts';

/** How far a pair's first load, or its latest resync, is. */
export interface PairLoad {
  /**
   * requested: the target may still hold an older position, which is to be forgotten first. running: a position at the target can
   * only come from this load. done: stream.
   */
  readonly state: 'requested' | 'running' | 'done';
  /** From 1; each resync is the next one. */
  readonly number: number;
  /** Offset in the source's topic that retention keeps for the load. */
  readonly startOffset: bigint | undefined;
  /** Position at that offset, as text. */
  readonly startPosition: string | undefined;
  /** What was read, and when. */
  readonly loaded?: LoadedTables | undefined;
}

/** What the check before a pair's first start found that did not stop it. */
export interface PairChecked {
  /** Version of the definition, and number of the load, that it was made for. */
  readonly version: number;
  readonly load: number;
  readonly warnings: readonly PairWarning[];
}

/** One end of a pair, for showing. */
export interface PairEnd {
  readonly id: string;
  readonly name: string;
  readonly connector: string;
}

/** A pair as the control database holds it. */
export interface PairRecord {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly source: PairEnd;
  readonly target: PairEnd;
  readonly definition: PairDefinition;
  readonly desired: DesiredState;
  readonly state: PairState;
  readonly error: Problem | undefined;
  readonly load: PairLoad;
  /** Grows with every start, resume and resync. */
  readonly runs: number;
  /** undefined: not checked yet. */
  readonly checked: PairChecked | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** What it left at source, target and bus is still to be removed. */
  readonly deleted: boolean;
  /** Once deleted: an operator has said that what cannot be reached is to be left where it is. */
  readonly removalForced: boolean;
  /** Source tables that a pair without a list of tables has taken; undefined before its first load. */
  readonly members: readonly string[] | undefined;
  /** The version of the definition whose tables the source publishes. */
  readonly publishedVersion: number;
  /** Indexes and constraints at the target are still to be made: see `pair-schemas.ts`. */
  readonly schemaPending: boolean;
  /** Table syncs that are under way or have left tables out, read together with the definition. */
  readonly syncs: readonly TableSyncRecord[];
}

/** How far a pair is, as last copied from the target. */
export interface PairProgressRecord {
  readonly position: string | undefined;
  readonly commitLsn: string | undefined;
  readonly nextOffset: bigint | undefined;
  readonly lagBytes: number | undefined;
  /** 0 when nothing waits. */
  readonly lagSeconds: number | undefined;
  readonly changesApplied: number;
  readonly appliedAt: Date | undefined;
  readonly updatedAt: Date;
}

/** A pair with what people want to see of it at a glance. */
export interface PairOverview extends PairRecord {
  readonly progress: PairProgressRecord | undefined;
  /** Open ones, counted up to {@link DEAD_LETTERS_COUNTED}. */
  readonly deadLetters: number;
  /** What its source's slot needs somebody to look at. */
  readonly slotProblem: SlotReading['problem'] | undefined;
  /** A process works on it now: its load or its stream holds the lease. */
  readonly isWorkedOn: boolean;
}

/** Counting a million letters at every look would cost more than anybody learns from it. */
export const DEAD_LETTERS_COUNTED = 10_000;

interface StoredLoad {
  readonly state: PairLoad['state'];
  readonly number: number;
  readonly start_position?: string;
  readonly loaded?: StoredLoaded;
  /** As it was before loads went in chunks: all of it in one. */
  readonly snapshot?: StoredSnapshot;
}

interface StoredSnapshot {
  readonly until: string;
  readonly shown?: string;
}

/** In the form in which it is kept. */
export function storedLoad({ state, number, startPosition, loaded }: PairLoad): object {
  return {
    state,
    number,
    ...(startPosition === undefined ? {} : { start_position: startPosition }),
    ...(loaded && { loaded: storedLoaded(loaded) }),
  };
}

function loadedOf({ loaded, snapshot }: StoredLoad): LoadedTables | undefined {
  const stored = loaded ?? (snapshot && { snapshots: [snapshot], tables: {}, rest: [0, 0] as const });
  return stored && toLoaded(stored);
}

export interface PairRow {
  readonly id: string;
  readonly name: string;
  readonly source_id: string;
  readonly target_id: string;
  readonly source_name: string;
  readonly source_connector: string;
  readonly target_name: string;
  readonly target_connector: string;
  readonly definition: { readonly tables: readonly TableInput[] | null; readonly config: unknown };
  readonly version: number;
  readonly desired: DesiredState;
  readonly state: PairState;
  readonly error: Problem | null;
  readonly start_offset: bigint | null;
  readonly load: StoredLoad;
  readonly runs: number;
  readonly checked: PairChecked | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
  readonly removal_forced: boolean;
  readonly members: readonly string[] | null;
  readonly published_version: number;
  readonly schema_pending: boolean;
  readonly syncs: readonly StoredTableSync[];
}

export interface OverviewRow extends PairRow {
  readonly position: string | null;
  readonly commit_lsn: string | null;
  readonly next_offset: bigint | null;
  readonly lag_bytes: bigint | null;
  readonly lag_seconds: number | null;
  readonly changes_applied: bigint | null;
  readonly applied_at: Date | null;
  readonly progress_at: Date | null;
  readonly dead_letters: number;
  readonly slot_problem: SlotReading['problem'] | null;
  readonly is_worked_on: boolean;
}

/** What every query of pairs selects, and from where. */
export const pairColumns = `p.id, p.name, p.source_id, p.target_id, s.name AS source_name, s.connector AS source_connector,
  t.name AS target_name, t.connector AS target_connector, p.definition, p.version, p.desired, p.state, p.error, p.start_offset,
  p.load, p.runs, p.checked, p.created_at, p.updated_at, p.deleted_at, p.removal_forced, p.members, p.published_version,
  EXISTS (SELECT FROM terrafusion.pair_schemas s WHERE s.pair_id = p.id AND s.completed IS NULL) AS schema_pending, ${openSyncs}`;
export const pairTables = `terrafusion.sync_pairs p
  JOIN terrafusion.systems s ON s.id = p.source_id
  JOIN terrafusion.systems t ON t.id = p.target_id`;
export const overviewColumns = `${pairColumns}, g.position, g.commit_lsn::text, g.next_offset, g.lag_bytes, g.lag_seconds,
  g.changes_applied, g.applied_at, g.updated_at AS progress_at,
  (SELECT count(*)::int FROM (
     SELECT FROM terrafusion.dead_letters d WHERE d.pair_id = p.id AND d.state = 'open' LIMIT ${DEAD_LETTERS_COUNTED}) counted
  ) AS dead_letters,
  CASE WHEN l.reading->>'level' <> 'ok' THEN l.reading->'problem' END AS slot_problem,
  EXISTS (SELECT FROM terrafusion.leases e WHERE e.name = 'pair:' || p.id AND e.expires_at > clock_timestamp()) AS is_worked_on`;
export const overviewTables = `${pairTables} LEFT JOIN terrafusion.pair_progress g ON g.pair_id = p.id
  LEFT JOIN terrafusion.source_slots l ON l.source_id = p.source_id`;

export function toPair(row: PairRow): PairRecord {
  return {
    id: row.id,
    name: row.name,
    sourceId: row.source_id,
    targetId: row.target_id,
    source: { id: row.source_id, name: row.source_name, connector: row.source_connector },
    target: { id: row.target_id, name: row.target_name, connector: row.target_connector },
    // An older version may have stored fewer settings: parsing adds their defaults.
    definition: {
      version: row.version,
      tables: row.definition.tables ?? undefined,
      config: pairConfig.parse(row.definition.config),
    },
    desired: row.desired,
    state: row.state,
    error: row.error ?? undefined,
    load: {
      state: row.load.state,
      number: row.load.number,
      startOffset: row.start_offset ?? undefined,
      startPosition: row.load.start_position,
      loaded: loadedOf(row.load),
    },
    runs: row.runs,
    checked: row.checked ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deleted: row.deleted_at !== null,
    removalForced: row.removal_forced,
    members: row.members ?? undefined,
    schemaPending: row.schema_pending,
    publishedVersion: row.published_version,
    syncs: row.syncs.map(toTableSync),
  };
}

export function toOverview(row: OverviewRow): PairOverview {
  return {
    ...toPair(row),
    deadLetters: row.dead_letters,
    slotProblem: row.slot_problem ?? undefined,
    isWorkedOn: row.is_worked_on,
    progress:
      row.progress_at === null
        ? undefined
        : {
            position: row.position ?? undefined,
            commitLsn: row.commit_lsn ?? undefined,
            nextOffset: row.next_offset ?? undefined,
            lagBytes: row.lag_bytes === null ? undefined : Number(row.lag_bytes),
            lagSeconds: row.lag_seconds ?? undefined,
            changesApplied: Number(row.changes_applied ?? 0n),
            appliedAt: row.applied_at ?? undefined,
            updatedAt: row.progress_at,
          },
  };
}
