/**
 * The places where a crash hurts most, by name. The chaos suite kills exactly there instead of guessing with sleeps, and this
 * list doubles as the table of what recovery must handle. (Promises 1, 2, 3 and 5)
 */
export const crashPoints = {
  /** Changes were read from the source, the topic does not have them: the source must send them again. */
  READER_RECEIVED_NOT_STORED: 'reader.received-not-stored',
  /** Some slices of a transaction are in the topic, not its end: it is sent again whole and skipped up to the ordinal held. */
  READER_MID_TRANSACTION: 'reader.mid-transaction',
  /** The block is in the topic, the source has not heard of it: it is sent again and skipped by position. */
  READER_STORED_NOT_ACKNOWLEDGED: 'reader.stored-not-acknowledged',
  /** The slot exists at the source, the control database does not know its generation: the slot is found or dropped, never left behind. */
  READER_SLOT_CREATED_NOT_RECORDED: 'reader.slot-created-not-recorded',

  /** A block went through the chain, nothing of it is kept: it is read and processed again. */
  PROCESSOR_PROCESSED_NOT_APPENDED: 'processor.processed-not-appended',
  /** Dead letters of a block are stored, its position is not: they are stored again under the same key and not doubled. */
  PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED: 'processor.dead-letters-stored-not-appended',
  /** The block is in the ready topic, the processor has not gone on: its own topic's tail tells it to skip. */
  PROCESSOR_APPENDED_NOT_NOTED: 'processor.appended-not-noted',

  /** Rows and position are written in an open target transaction: the target forgets both, the batch is applied again. */
  WRITER_BEFORE_COMMIT: 'writer.before-commit',
  /** The target has rows and position, the writer never heard the answer: after the restart it reads the position and goes on after it. */
  WRITER_COMMITTED_NOT_NOTED: 'writer.committed-not-noted',
  /** Some slices of a large source transaction are in an open target transaction: the target forgets them, all slices come again. */
  WRITER_MID_LARGE_TRANSACTION: 'writer.mid-large-transaction',
  /** A batch failed on a constraint and is being applied change by change: nothing is committed, it comes again. */
  WRITER_MID_ORDERED_REPLAY: 'writer.mid-ordered-replay',
  /** The target's tables are altered in an open target transaction: the target forgets it, and is altered again in the same place. */
  WRITER_SCHEMA_ALTERED_NOT_COMMITTED: 'writer.schema-altered-not-committed',
  /** Dead letters are stored, the target transaction that skips their rows is not committed: they are stored again and not doubled. */
  WRITER_DEAD_LETTERS_STORED_NOT_COMMITTED: 'writer.dead-letters-stored-not-committed',

  /** The snapshot is open, nothing is planned: the load begins again. */
  LOADER_SNAPSHOT_TAKEN: 'loader.snapshot-taken',
  /** The plan is at the target, no chunk is: the plan is gone on with, in another snapshot. */
  LOADER_PLANNED_NOT_COPIED: 'loader.planned-not-copied',
  /** A chunk is half copied in an open target transaction: the target forgets it, the next try reads it again. */
  LOADER_MID_COPY: 'loader.mid-copy',
  /** Dead letters of a chunk are stored, its rows are not: the letters are forgotten, and those of the next try are stored. */
  LOADER_DEAD_LETTERS_STORED_NOT_COMMITTED: 'loader.dead-letters-stored-not-committed',
  /** A chunk's rows and its note are in an open target transaction: the target forgets both. */
  LOADER_CHUNK_COPIED_NOT_COMMITTED: 'loader.chunk-copied-not-committed',
  /** The target has a chunk and its note, we never heard: the next try finds the note. */
  LOADER_CHUNK_COMMITTED_NOT_NOTED: 'loader.chunk-committed-not-noted',
  /** A table is complete, others are not: the next try goes on with those. */
  LOADER_BETWEEN_TABLES: 'loader.between-tables',
  /** Chunks and primary keys are there, the load is not noted as complete: the next try finds nothing to do. */
  LOADER_KEYS_MADE: 'loader.keys-made',
  /** All chunks are there, the position to stream from is not: the next try has nothing to read. */
  LOADER_BEFORE_COMMIT: 'loader.before-commit',
  /** The target holds the load and the position to stream from, the control database still says loading: the target is believed. */
  LOADER_AFTER_COMMIT: 'loader.after-commit',

  /** Tables have left the pair's stream at the target, their sync is not noted as begun: they have left already, and are loaded. */
  SUPERVISOR_TABLE_SYNC_APART_NOT_NOTED: 'supervisor.table-sync-apart-not-noted',
  /** Their rows are replaced, the sync is not noted as catching up: the target is believed. */
  SUPERVISOR_TABLE_SYNC_LOADED_NOT_NOTED: 'supervisor.table-sync-loaded-not-noted',
  /** They have joined the pair's stream, the sync is not noted as done: the target is believed. */
  SUPERVISOR_TABLE_SYNC_JOINED_NOT_NOTED: 'supervisor.table-sync-joined-not-noted',
  /** A cancelled sync holds the position at which its tables left, that is not noted: the target is believed. */
  SUPERVISOR_TABLE_SYNC_TAKEN_BACK_NOT_NOTED: 'supervisor.table-sync-taken-back-not-noted',

  /** The pair is in the control database, nothing has been started for it: reconciliation starts it. */
  SUPERVISOR_PAIR_CREATED_NOT_STARTED: 'supervisor.pair-created-not-started',
  /** The pair is marked as deleted, slot, publication and topics still exist: reconciliation removes them, then the row. */
  SUPERVISOR_PAIR_DELETED_NOT_CLEANED: 'supervisor.pair-deleted-not-cleaned',
  /** The target's tables exist, the operation is not noted as begun: creating them again changes nothing. */
  SUPERVISOR_TABLES_CREATED_NOT_LOADED: 'supervisor.tables-created-not-loaded',
  /** All rows and the position are at the target, its indexes and constraints are not: they are made before the pair counts as loaded. */
  SUPERVISOR_LOADED_NOT_COMPLETED: 'supervisor.loaded-not-completed',
  /** The target's schema is complete, nobody has noted it: what is there is recognised and left. */
  SUPERVISOR_COMPLETED_NOT_NOTED: 'supervisor.completed-not-noted',
} as const;

export type CrashPoint = (typeof crashPoints)[keyof typeof crashPoints];

/** The variable that arms one point: `name` or `name:nth`, the passage at which the process dies, from 1. */
export const CRASH_POINT_VARIABLE = 'TERRAFUSION_CRASH_POINT';

interface Armed {
  readonly name: CrashPoint;
  left: number;
}

/**
 * Reads `name[:nth]`.
 * @throws {RangeError} when there is no such point: a chaos test with a misspelt name would pass without having killed anything.
 */
export function parseCrashPoint(text: string): { readonly name: CrashPoint; readonly nth: number } {
  const [, name, nth] = /^([^:]*)(?::([1-9]\d{0,8}))?$/.exec(text) ?? [];
  const known = Object.values(crashPoints).find((point) => point === name);
  if (known === undefined) {
    throw new RangeError(
      `${CRASH_POINT_VARIABLE}=${text} names no crash point; there are ${Object.values(crashPoints).join(', ')}`,
    );
  }
  return { name: known, nth: nth === undefined ? 1 : Number(nth) };
}

const armed = arm(process.env[CRASH_POINT_VARIABLE]);

function arm(text: string | undefined): Armed | undefined {
  if (text === undefined || text === '') return undefined;
  const { name, nth } = parseCrashPoint(text);
  return { name, left: nth };
}

/** Passes a named point. Costs one comparison unless armed; then the process ends here, at the nth passage, without a chance to tidy up. */
export function crashPoint(name: CrashPoint): void {
  if (armed !== undefined) pass(armed, name);
}

function pass(point: Armed, name: CrashPoint): void {
  if (point.name !== name) return;
  point.left -= 1;
  if (point.left > 0) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal may be taken by another thread of this process a moment later; not one statement more runs here meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
