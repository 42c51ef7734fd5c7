import type { SchemaReport } from '#connectors/contract/schema.ts';
import type { Source, StreamIdentity } from '#connectors/contract/source.ts';
import type { SchemaStep, Target } from '#connectors/contract/target.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import type { LoadedTables } from '#schemas/loaded.ts';
import type { PairWarning } from '#schemas/http/pairs.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { DesiredState, PairDefinition, PairState } from '#schemas/pairs.ts';
import type { SlotReading } from '#schemas/slots.ts';
import type { WalBudgetAction } from '#schemas/systems.ts';
import type { TableName } from '#schemas/tables.ts';
import type { Surroundings } from '#services/pair-check/overlap.ts';

/** A pair as the supervisor sees it. */
export interface SupervisedPair {
  readonly id: string;
  readonly name: string;
  readonly sourceId: string;
  readonly targetId: string;
  readonly definition: PairDefinition;
  /** Grows with every start or resume: a pair that had failed is tried again. */
  readonly runs: number;
  readonly desired: DesiredState;
  readonly state: PairState;
  readonly load: LoadRecord;
  /** What the check before a load found, for which definition and load; undefined before the first. */
  readonly checked: PairChecked | undefined;
  /** Deleted by an operator; what it left at source, target and bus is still to be removed. */
  readonly deleted: boolean;
  /** An operator has said that what cannot be reached is to be left where it is. */
  readonly removalForced: boolean;
}

export interface PairChecked {
  readonly version: number;
  readonly load: number;
  readonly warnings: readonly PairWarning[];
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
  readonly state: 'waiting' | 'loading' | 'loaded' | 'streaming';
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
  /** Every pair, deleted ones until they are purged. */
  pairs(): Promise<readonly SupervisedPair[]>;
  /** Both ends of a system, secrets opened. */
  openSource(systemId: string): Promise<Source>;
  openTarget(systemId: string): Promise<Target>;

  /** The latest generation of the source; undefined before the first slot. */
  generation(sourceId: string): Promise<Generation | undefined>;
  recordGeneration(sourceId: string, generation: Generation): Promise<void>;
  /** Forgets all generations: the source has no pair any more. */
  forgetGenerations(sourceId: string): Promise<void>;
  recordSourceStatus(sourceId: string, status: SourceStatus): Promise<void>;
  /** What keeps the source's reader from reading, by its own fresh word. */
  readerTrouble(sourceId: string): Promise<{ readonly code: string; readonly message: string } | undefined>;

  /** The slot as it was last looked at. */
  slotReading(sourceId: string): Promise<SlotReading | undefined>;
  recordSlot(sourceId: string, reading: SlotReading): Promise<void>;
  /** What the operator allows the source to keep; `budgetBytes` undefined: as the settings say. */
  walPolicy(
    sourceId: string,
  ): Promise<{ readonly budgetBytes: number | undefined; readonly onBudget: WalBudgetAction }>;
  /** Notes, before the slot is dropped, that nothing is to be read from it any more. */
  giveUpGeneration(sourceId: string, generation: number, reason: string): Promise<void>;

  /** Dropped when an operator has given a command since `pair.runs` was read: false. */
  recordState(
    pair: { readonly id: string; readonly runs: number },
    state: PairState,
    error?: TerraFusionError,
  ): Promise<boolean>;
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
  /** Forgets the letters of an earlier load: the next one looks at every row again. */
  forgetLoadLetters(pairId: string): Promise<void>;
  /** Forgets those of one source table with ordinals from `first` to before `end`. */
  forgetChunkLetters(pairId: string, relationId: number, first: number, end: number): Promise<void>;
  /** What keeps a deleted pair's leftovers from being removed. */
  recordRemovalError(pairId: string, error: TerraFusionError): Promise<void>;
  /** Removes the row of a deleted pair, all its leftovers being gone. */
  purge(pairId: string): Promise<void>;
  /** Notes an event in the audit trail; actor is the system itself. */
  audit(action: string, pairId: string, details: Readonly<Record<string, unknown>>): Promise<void>;
  /** The same, of a source system. */
  auditSource(action: string, sourceId: string, details: Readonly<Record<string, unknown>>): Promise<void>;
}
