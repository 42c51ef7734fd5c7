import type { SchemaReport } from '#connectors/contract/schema.ts';
import type { CatalogLooked, Source, StreamIdentity } from '#connectors/contract/source.ts';
import type { SchemaStep, Target } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import type { PairWarning } from '#schemas/http/pairs.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { DesiredState, PairDefinition, PairState } from '#schemas/pairs.ts';
import type { SlotReading } from '#schemas/slots.ts';
import type { WalBudgetAction } from '#schemas/systems.ts';
import type { TableEnds, TableName } from '#schemas/tables.ts';
import type { AuditEventName } from '#services/control/audit-events.ts';
import type { Lease } from '#services/kernel/leases.ts';
import type { Surroundings } from '#services/pair-check/overlap.ts';

/** A pair as the supervisor sees it. */
export interface SupervisedPair {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  /** What people call it. */
  readonly source: { readonly name: string };
  readonly targetId: string;
  readonly definition: PairDefinition;
  /** Grows with every start or resume: a pair that had failed is tried again. */
  readonly runs: number;
  readonly desired: DesiredState;
  readonly state: PairState;
  /** What holds it up, as it was last told. */
  readonly error?: { readonly code: string } | undefined;
  readonly load: LoadRecord;
  /** What the check before a load found, for which definition and load; undefined before the first. */
  readonly checked: PairChecked | undefined;
  /** Deleted by an operator; what it left at source, target and bus is still to be removed. */
  readonly deleted: boolean;
  /** An operator has said that what cannot be reached is to be left where it is. */
  readonly removalForced: boolean;
  /** Source tables that a pair without a list of tables has taken; undefined before its first load. */
  readonly members: readonly string[] | undefined;
  /** The version of the definition whose tables the source publishes. */
  readonly publishedVersion: number;
  /** Indexes and constraints at the target are still to be made. */
  readonly schemaPending: boolean;
  /** Table syncs that are under way or have left tables out: as they were when the definition was read. */
  readonly syncs: readonly TableSync[];
}

export interface PairChecked {
  readonly version: number;
  readonly load: number;
  readonly warnings: readonly PairWarning[];
}

/** Tables of a pair that are loaded beside its stream; see `table-sync-unit.ts` for what its states mean. */
export interface TableSync {
  /** Within the pair. */
  readonly number: number;
  readonly kind: 'resync' | 'add' | 'change';
  readonly state: TableSyncState;
  readonly tables: readonly TableEnds[];
  /** The version of the pair's definition that brings them as this sync does. */
  readonly version: number;
  readonly start: { readonly offset: bigint; readonly position: string } | undefined;
  /** What its load has read, and when. */
  readonly loaded: LoadedTables | undefined;
  readonly cancelRequested: boolean;
  /** Why it was given up, or waits. */
  readonly error: unknown;
}

export type TableSyncState =
  'requested' | 'loading' | 'catching_up' | 'rejoining' | 'done' | 'left_out' | 'overtaken' | 'cancelled';

/** What is to be noted of a table sync; what is left out stays. */
export interface TableSyncChange {
  readonly state?: TableSyncState;
  readonly tables?: readonly TableEnds[];
  readonly neededOffset?: bigint;
  readonly start?: { readonly offset: bigint; readonly position: string };
  readonly loaded?: LoadedTables;
}

/** How far a pair's first load (or its latest resync) is. */
export interface LoadRecord {
  /**
   * requested: the target may still hold an older position, it is to be forgotten first. running: a position at the target can only
   * come from this load. done: stream.
   */
  readonly state: 'requested' | 'running' | 'done';
  /** Number of the load, from 1: its ready topic is its own. */
  readonly number: number;
  /** Offset in the source's topic that retention keeps for a load under way. */
  readonly startOffset: bigint | undefined;
  /** Position at that offset, as text. */
  readonly startPosition: string | undefined;
  /** What was read, and when; undefined before all of it was. */
  readonly loaded?: LoadedTables | undefined;
}

/** A slot's history at a source, with what identifies it. */
export interface Generation {
  readonly generation: number;
  readonly stream: StreamIdentity;
  /** Why the slot is given up, or about to be: nothing is read from it any more. */
  readonly givenUp?: string | undefined;
}

export interface PairProgress {
  readonly position: string;
  readonly commitLsn: Lsn;
  /** From where the pair needs the source's topic; undefined when a stream processor with a topic of its own tells it. */
  readonly nextOffset: bigint | undefined;
  readonly lagBytes: number | undefined;
  /** 0 when nothing waits. */
  readonly lagSeconds: number;
  /** Applied since the last record; undefined: none. */
  readonly changes: AppliedChanges | undefined;
}

/** Changes applied at the target, by operation and by table. */
export interface AppliedChanges {
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly tables: readonly { readonly target: TableName; readonly changes: number; readonly lastChangeAt: Date }[];
}

export interface TableProgress {
  readonly source: TableName;
  readonly target: TableName;
  readonly state: 'waiting' | 'loading' | 'loaded' | 'catching_up' | 'streaming' | 'left_out';
  readonly rowsCopied: number;
  readonly rowsTotal: number;
  readonly bytesCopied: number;
  /** While it is being loaded. */
  readonly rowsPerSecond: number | undefined;
  readonly secondsLeft: number | undefined;
}

export interface SourceStatus {
  readonly state: 'connecting' | 'reading' | 'waiting' | 'halted';
  readonly generation: number;
  readonly sourceLsn: string | undefined;
  readonly receivedLsn: string | undefined;
  readonly acknowledgedLsn: string | undefined;
  readonly error: TerraFusionError | undefined;
}

export interface SchemaChangeNote {
  readonly id: string;
  readonly position: string;
  readonly steps: readonly Pick<SchemaStep, 'kind' | 'what' | 'sql'>[];
}

/** What the supervisor reads from and tells the control database. */
export interface ControlPort {
  /** Id of this installation: what is made at a source carries a part of it. */
  installation(): Promise<string>;
  /** By whose wish the pair's work runs. */
  causeOf(pairId: string): Promise<{ readonly operation: string | undefined; readonly request: string | undefined }>;
  /** Every pair, deleted ones until they are purged. */
  pairs(): Promise<readonly SupervisedPair[]>;
  /** Both ends of a system, secrets opened. */
  openSource(systemId: string): Promise<Source>;
  openTarget(systemId: string): Promise<Target>;

  /** The latest generation of the source; undefined before the first slot. */
  generation(sourceId: string): Promise<Generation | undefined>;
  /** @param failedOver whether the stream has come along to another server of the source */
  recordGeneration(sourceId: string, generation: Generation, failedOver?: boolean): Promise<void>;
  /** Forgets all generations: the source has no pair any more. */
  forgetGenerations(sourceId: string): Promise<void>;
  recordSourceStatus(sourceId: string, status: SourceStatus): Promise<void>;
  /** What keeps the source's reader from reading, by its own fresh word. */
  readerTrouble(sourceId: string): Promise<{ readonly code: string; readonly message: string } | undefined>;

  /** The slot as it was last looked at. */
  slotReading(sourceId: string): Promise<SlotReading | undefined>;
  recordSlot(sourceId: string, reading: SlotReading): Promise<void>;
  /** What the last look at the source's catalog has seen. */
  knownCatalog(sourceId: string): Promise<CatalogLooked['known']>;
  recordCatalog(sourceId: string, known: CatalogLooked['known']): Promise<void>;
  /** What the operator allows the source to keep; `budgetBytes` undefined: as the settings say. */
  walPolicy(
    sourceId: string,
  ): Promise<{ readonly budgetBytes: number | undefined; readonly onBudget: WalBudgetAction }>;
  /** Notes, before the slot is dropped, that nothing is to be read from it any more. */
  giveUpGeneration(sourceId: string, generation: Generation, reason: string): Promise<void>;

  /** Dropped when an operator has given a command since `pair.runs` was read, or another process has taken the lease `under` which it is said: false. */
  recordState(
    pair: { readonly id: string; readonly runs: number },
    state: PairState,
    error?: TerraFusionError,
    under?: Lease,
  ): Promise<boolean>;
  /** The pair is in no trouble any more, as far as its stream processor can see; whoever writes it says the rest. */
  endTrouble(pair: { readonly id: string; readonly runs: number }, under?: Lease): Promise<void>;
  /** What was said of the pair last, whoever said it. */
  stateOf(pairId: string): Promise<{ readonly state: PairState; readonly code: string | undefined } | undefined>;
  /** Keeps the operation that people see in step. False when a later load has been asked for: this one is not wanted any more. */
  recordLoad(pairId: string, load: LoadRecord): Promise<boolean>;
  /** Pairs of which operations wait for {@link stopped}. */
  stoppingPairs(): Promise<ReadonlySet<string>>;
  /** Nothing of the paused pair runs any more: its operations have stopped. */
  stopped(pairId: string): Promise<void>;
  /** What the check before a load found that did not stop it. */
  recordChecked(pairId: string, checked: PairChecked): Promise<void>;
  /** Where the pair reads and writes, and what other pairs do there. */
  surroundings(pair: Pick<SupervisedPair, 'id' | 'sourceId' | 'targetId'>): Promise<Surroundings>;
  recordTables(pairId: string, tables: readonly TableProgress[]): Promise<void>;
  /** Outside of its window the load rests until about then (ms since 1970); undefined: it does not. */
  recordResting(pairId: string, until: number | undefined): Promise<void>;
  /** What was made at the target before the load and after it, and what was not. */
  recordSchema(pairId: string, phase: 'before' | 'after', report: SchemaReport): Promise<void>;
  /** A table has come to a pair that streams: what comes after its load is still to be made. */
  reopenSchema(pairId: string): Promise<void>;
  /** Whether what comes after the load, indexes and constraints, is still to be made. */
  schemaPending(pairId: string): Promise<boolean>;
  recordProgress(pairId: string, progress: PairProgress): Promise<void>;
  /** From where the pair's stream processor needs the source's topic. */
  recordNeeded(pairId: string, nextOffset: bigint): Promise<void>;
  /**
   * One entry a pair of the source that is not purged: the offset from which it needs the source's topic, as last recorded
   * (by progress, or by the load under way); undefined when it needs none yet.
   */
  neededOffsets(sourceId: string): Promise<readonly (bigint | undefined)[]>;
  /** Runs `work` while no other process is in a section of the same source. */
  lockedSource<T>(sourceId: string, work: () => Promise<T>): Promise<T>;
  storeDeadLetters(pairId: string, letters: readonly DeadLetter[]): Promise<void>;
  /** Notes a schema change that a pair's stream stands before. @returns whether it may go on */
  noteSchemaChange(
    pairId: string,
    change: SchemaChangeNote,
    allowed: boolean,
  ): Promise<'waiting' | 'approved' | 'applied'>;
  /** The pair's target has passed this position. @returns the changes that were not known to be applied */
  settleSchemaChanges(
    pairId: string,
    position: string,
  ): Promise<readonly (SchemaChangeNote & { readonly decidedBy: string | undefined })[]>;
  /** Forgets those of one source table with ordinals from `first` to before `end`. */
  forgetChunkLetters(pairId: string, relationId: number, first: number, end: number): Promise<void>;
  /** What keeps a deleted pair's leftovers from being removed. */
  recordRemovalError(pairId: string, error: TerraFusionError): Promise<void>;
  /** Forgets the letters of an earlier load, or of these source tables in it: the next one looks at every row again. */
  forgetLoadLetters(pairId: string, tables?: readonly TableName[]): Promise<void>;
  /** Notes a state alone. */
  setTables(
    pairId: string,
    state: TableProgress['state'],
    tables: readonly TableEnds[],
    error?: TerraFusionError,
  ): Promise<void>;
  /** Tables that were loaded are streamed from now on. */
  noteStreaming(pairId: string): Promise<void>;
  /** Takes a table in that the stream has come upon. @returns whether it is new to the pair */
  addTable(pairId: string, source: TableName, held: readonly TableName[]): Promise<boolean>;
  /** Notes a table that cannot be taken in as it stands. @returns whether that is new */
  noteRefusedTable(pairId: string, source: TableName, error: TerraFusionError): Promise<boolean>;
  /** Notes which tables a pair without a list has, by their names at the source. @param readHeld asks its target */
  noteHeldTables(pairId: string, readHeld: () => Promise<readonly TableName[]>): Promise<void>;
  /** Which source tables the pair's load takes. */
  recordMembers(pairId: string, members: readonly string[]): Promise<void>;
  /** The source publishes the tables of this version of the pair's definition. */
  recordPublished(pairId: string, version: number): Promise<void>;
  /** From which position on the pair's ready topic is written by a version of its definition. */
  recordProcessor(pairId: string, version: number, position: string): Promise<void>;
  processorOf(pairId: string): Promise<{ readonly version: number; readonly position: string } | undefined>;

  /** False when the sync is not under way any more: an operator, or a load of the whole pair, has ended it. */
  recordSync(pairId: string, number: number, change: TableSyncChange): Promise<boolean>;
  /** Tables that a sync has now are not among those that earlier ones have left out any more. */
  releaseSynced(pairId: string, tables: readonly TableEnds[]): Promise<void>;
  /** Why it waits, for people. */
  recordSyncError(pairId: string, number: number, error: TerraFusionError): Promise<void>;
  /** It has failed: its tables are to be brought into a state that can be told, as when an operator cancels it. */
  giveUpSync(pairId: string, number: number, error: TerraFusionError): Promise<void>;
  /** Ends a sync and its operation. */
  finishSync(
    pairId: string,
    number: number,
    state: 'done' | 'left_out' | 'cancelled',
    operation: 'completed' | 'failed' | 'cancelled',
    error?: TerraFusionError,
  ): Promise<void>;
  /** Removes the row of a deleted pair, all its leftovers being gone. */
  purge(pairId: string, details: Readonly<Record<string, unknown>>): Promise<void>;
  /** Notes an event of a pair in the audit trail, if its `audit_level` keeps it. What the other methods tell, they note themselves. */
  audit(event: AuditEventName, pairId: string, details: Readonly<Record<string, unknown>>): Promise<void>;
}
