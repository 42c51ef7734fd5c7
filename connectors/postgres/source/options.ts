/** What a source does when. All times in milliseconds, sizes in bytes. */
export interface SourceOptions {
  /** A reader with nothing to do looks this often whether the slot should be moved along by a message of ours; 0: never. */
  readonly heartbeatMs: number;
  /** A block is closed before the first change beyond this size. */
  readonly blockBytes: number;
  /** A slice of a transaction is handed over early, with the source silent and the consumer waiting, from this size on. */
  readonly sliceBytes: number;
  /** The socket is paused while more than this waits for the consumer. (Promise 6) */
  readonly bufferBytes: number;
  /** So far behind, a reader leaves the stream and reads in portions; see `SlotReading`. */
  readonly catchUpBytes: bigint;
  /** So many bytes of changes tell whether transactions are small enough for it. */
  readonly catchUpWindowBytes: number;
  /** A portion that nobody takes for so long is given back. */
  readonly catchUpPauseMs: number;
  /** After so long without a word while a portion is waited for, the server is asked what has become of it. */
  readonly catchUpSilenceMs: number;
  /** Longest wait for the transactions that keep a slot from being made. */
  readonly slotWaitMs: number;
  /** Whether standbys keep a copy of our slot, where the source can have that. (CHECKLIST 12) */
  readonly failoverSlot: boolean;
  /** Longest wait for the transactions that keep a snapshot from being taken. */
  readonly snapshotWaitMs: number;
  /** Longest wait for a lock when the publication changes: the source's own work must not queue up behind us. (Promise 7) */
  readonly lockWaitMs: number;
  /** Longest wait for a reader before us to let go of the slot. */
  readonly takeOverMs: number;
}

export const defaultSourceOptions: SourceOptions = {
  heartbeatMs: 10_000,
  blockBytes: 256 * 1024,
  sliceBytes: 64 * 1024,
  bufferBytes: 4 * 1024 * 1024,
  catchUpBytes: 16n * 1024n * 1024n,
  catchUpWindowBytes: 256 * 1024,
  catchUpPauseMs: 30_000,
  catchUpSilenceMs: 60_000,
  slotWaitMs: 60_000,
  failoverSlot: true,
  snapshotWaitMs: 60_000,
  lockWaitMs: 5_000,
  takeOverMs: 3_000,
};
