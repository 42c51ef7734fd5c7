import { crashPoints, type CrashPoint } from '#services/kernel/crash-points.ts';
import type { Special } from './bank.ts';

/** A point that is passed while a pair streams, and what has to happen at the source for it. */
export type StreamPoint = readonly [CrashPoint, Special | undefined];

export const streamPoints: readonly StreamPoint[] = [
  [crashPoints.READER_RECEIVED_NOT_STORED, undefined],
  [crashPoints.READER_MID_TRANSACTION, 'large'],
  [crashPoints.READER_STORED_NOT_ACKNOWLEDGED, undefined],
  [crashPoints.PROCESSOR_PROCESSED_NOT_APPENDED, undefined],
  [crashPoints.PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED, 'rule'],
  [crashPoints.WRITER_BEFORE_COMMIT, undefined],
  [crashPoints.WRITER_COMMITTED_NOT_NOTED, undefined],
  [crashPoints.WRITER_MID_LARGE_TRANSACTION, 'large'],
  [crashPoints.WRITER_MID_ORDERED_REPLAY, 'refused'],
  [crashPoints.WRITER_DEAD_LETTERS_STORED_NOT_COMMITTED, 'refused'],
  [crashPoints.WRITER_SCHEMA_ALTERED_NOT_COMMITTED, 'altered'],
];

/** Only where blocks are stored between processor and writer. */
export const kafkaPoints: readonly StreamPoint[] = [[crashPoints.PROCESSOR_APPENDED_NOT_NOTED, undefined]];

/** Points that are passed once, on the way from a new pair to a streaming one. */
export const startPoints: readonly CrashPoint[] = [
  crashPoints.SUPERVISOR_PAIR_CREATED_NOT_STARTED,
  crashPoints.SUPERVISOR_TABLES_CREATED_NOT_LOADED,
  crashPoints.READER_SLOT_CREATED_NOT_RECORDED,
  crashPoints.LOADER_SNAPSHOT_TAKEN,
  crashPoints.LOADER_PLANNED_NOT_COPIED,
  crashPoints.LOADER_MID_COPY,
  crashPoints.LOADER_CHUNK_COPIED_NOT_COMMITTED,
  // From here on each finds a table less to do: the one with a rule is the last.
  crashPoints.LOADER_CHUNK_COMMITTED_NOT_NOTED,
  crashPoints.LOADER_BETWEEN_TABLES,
  crashPoints.LOADER_DEAD_LETTERS_STORED_NOT_COMMITTED,
  crashPoints.LOADER_KEYS_MADE,
  crashPoints.LOADER_BEFORE_COMMIT,
  crashPoints.LOADER_AFTER_COMMIT,
  crashPoints.SUPERVISOR_LOADED_NOT_COMPLETED,
  crashPoints.SUPERVISOR_COMPLETED_NOT_NOTED,
];

/** Points that a table sync passes on its way, in this order; killed at by `test/integration/table-sync-kills.test.ts`. */
export const tableSyncPoints: readonly CrashPoint[] = [
  crashPoints.SUPERVISOR_TABLE_SYNC_APART_NOT_NOTED,
  crashPoints.LOADER_BEFORE_COMMIT,
  crashPoints.SUPERVISOR_TABLE_SYNC_LOADED_NOT_NOTED,
  crashPoints.SUPERVISOR_TABLE_SYNC_JOINED_NOT_NOTED,
];

/** The point that a table sync passes when it is cancelled before its rows were replaced; killed at there too. */
export const tableSyncCancelPoint: CrashPoint = crashPoints.SUPERVISOR_TABLE_SYNC_TAKEN_BACK_NOT_NOTED;
