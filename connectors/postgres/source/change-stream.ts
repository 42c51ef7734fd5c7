import type { TerraFusionError } from '#schemas/errors.ts';
import type { CellFormat } from '#schemas/block/index.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { quoteIdentifier } from '../identifiers.ts';

/** What is to be read. */
export interface ChangeRequest {
  readonly slot: string;
  readonly publication: string;
  /** Commits before this location are not wanted. The server goes on at the slot's confirmed location when that is later. */
  readonly start: Lsn;
  /** How values are sent. */
  readonly format: CellFormat;
}

type Option = readonly [name: string, value: string];

/** pgoutput's options: the same however the slot is read, since ordinals count what the plugin sends. */
export function pluginOptions({ publication, format }: ChangeRequest): readonly Option[] {
  const options: readonly Option[] = [
    ['proto_version', '1'],
    ['publication_names', quoteIdentifier(publication)],
    ['messages', 'true'],
  ];
  // Servers before 14 do not know it.
  return format === 'binary' ? [...options, ['binary', 'true']] : options;
}

/** Who is told what comes. */
export interface ChangeHandlers {
  /** One message of the output plugin. The bytes are the callee's only until it returns. */
  onMessage(buf: Buffer, start: number, end: number): void;
  /** The server has told how far its WAL goes: everything committed before was sent. */
  onWalEnd(lsn: Lsn): void;
  /** All messages of a chunk have been handed over. */
  onChunkEnd(): void;
  /**
   * The two numbers of every status update, kept apart (CHECKLIST 1): what came in, and what is durable elsewhere. The slot moves by
   * the second alone.
   */
  progress(): { readonly received: Lsn; readonly durable: Lsn };
  /** The session has ended: with an error, unless `close` was called. Called once. */
  onEnd(error: TerraFusionError | undefined): void;
}

/** An open session that hands over a slot's changes, in the server's order. */
export interface ChangeStream {
  /** The server's WAL end as it last told; 0n when it has not. */
  readonly walEnd: Lsn;
  readonly isPaused: boolean;
  /** Back-pressure: nothing is read until `resume`. At most the chunk in hand still comes through. */
  pause(): void;
  resume(): void;
  /** Ends the session so that the slot is free at once. What still comes in is thrown away. */
  close(): Promise<void>;
}
