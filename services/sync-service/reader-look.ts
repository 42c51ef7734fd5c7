import type { ReaderStatus } from '#connectors/contract/source.ts';
import { contextOf, type WorkEnvironment } from './environment.ts';
import type { WatchedStage } from './stuck.ts';

/** WAL that moves on its own at a source where nothing happens, in bytes: no work for a reader. */
const QUIET_BYTES = 65_536n;

export interface ReaderLookOptions extends Pick<WorkEnvironment, 'control' | 'clock' | 'log' | 'healing'> {
  readonly sourceId: string;
  readonly sourceName: string;
}

/** A source's reader, looked at from outside. */
export class ReaderLook implements WatchedStage {
  readonly name = 'reader';
  readonly subject: string;
  /** Blocks that have come from the source, and that the topic has stored, since it connected. */
  read = 0;
  stored = 0;
  /** Connections that were tried, and appends that were. */
  tries = 0;
  #storedBefore = 0;
  /** Where the source was when our end of it moved last. */
  #still: { readonly received: bigint; readonly source: bigint } | undefined;
  readonly #options: ReaderLookOptions;
  readonly #status: () => ReaderStatus | undefined;

  constructor(options: ReaderLookOptions, status: () => ReaderStatus | undefined) {
    this.#options = options;
    this.#status = status;
    this.subject = options.sourceName;
  }

  connected(): void {
    this.#storedBefore += this.stored;
    this.read = this.stored = 0;
    this.tries += 1;
  }

  work(): string | undefined {
    const status = this.#status();
    if (!status) return 'the source is to be connected to';
    if (this.read > this.stored) return `${this.read - this.stored} blocks are to be stored`;
    const { receivedLsn: received, sourceLsn: source } = status;
    if (this.#still?.received !== received) this.#still = { received, source };
    // Bytes must flow there: an idle source's end may lie a little beyond what it ever sends.
    if (source - this.#still.source < QUIET_BYTES) return undefined;
    return `${source - received} bytes of WAL are to be read`;
  }

  signs(): string {
    const { receivedLsn = 0n, acknowledgedLsn = 0n, bufferedBytes = 0 } = this.#status() ?? {};
    return [this.read, this.stored, this.tries, receivedLsn, acknowledgedLsn, bufferedBytes].join(' ');
  }

  done(): string {
    return String(this.#storedBefore + this.stored);
  }

  async isAtWork(signal: AbortSignal): Promise<boolean> {
    const source = await this.#options.control.openSource(this.#options.sourceId);
    return (await source.isAtWork?.('reader', contextOf(this.#options, this.subject, signal))) ?? false;
  }
}
