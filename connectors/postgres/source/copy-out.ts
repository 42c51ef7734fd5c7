import { TerraFusionError } from '#schemas/errors.ts';
import { translateError } from '../errors.ts';
import { readServerError } from '../wire/backend.ts';
import { FrontendWriter } from '../wire/frontend.ts';
import { Backend } from '../wire/protocol.ts';
import { RawConnection } from '../wire/raw-connection.ts';
import type pg from 'pg';

/** Takes what a COPY TO STDOUT delivers and makes pieces of it for the consumer. */
export interface CopySink<Piece> {
  /** One row, its line end included. The bytes are the callee's only until it returns. */
  row(buf: Buffer, start: number, end: number): void;
  /** What has been gathered; undefined when there is nothing, or too little unless `all`. */
  take(all: boolean): Piece | undefined;
  /** Bytes gathered and not taken. */
  readonly bytes: number;
}

/** Reading is paused while a sink holds more than this, so a slow consumer costs no memory. (Promise 6) */
const HIGH_WATER = 1024 * 1024;
const WHAT = 'Could not copy from the source';

/**
 * Runs COPY … TO STDOUT on a session that is inside a transaction, one after the other. The session cannot be used for anything
 * else any more.
 */
export class CopySession {
  readonly #raw: RawConnection;
  #sink: CopySink<unknown> | undefined;
  /** The server is ready for the next command. */
  #ready = true;
  #error: Error | undefined;
  #closed = false;
  #wake: (() => void) | undefined;
  #lookScheduled = false;

  /** Takes the client's socket over. */
  constructor(client: pg.Client) {
    this.#raw = RawConnection.takeOver(client, 'source', {
      onMessage: this.#onMessage,
      onChunkEnd: () => {
        this.#onChunkEnd();
      },
      onClose: (error) => {
        this.#closed = true;
        this.#error ??= error;
        this.#wake?.();
      },
    });
  }

  /**
   * @param sql a COPY … TO STDOUT
   * @throws {TerraFusionError} SOURCE_NO_PRIVILEGE, SOURCE_DISCONNECTED …; the signal's reason when aborted: the session is of no more use then
   */
  async *copy<Piece>(sql: string, sink: CopySink<Piece>, signal: AbortSignal): AsyncGenerator<Piece, void, undefined> {
    signal.throwIfAborted();
    if (!this.#ready) throw new TerraFusionError('INTERNAL', 'a snapshot copies one table at a time');
    this.#ready = false;
    this.#sink = sink;
    const aborted = (): void => {
      this.#raw.destroy();
      this.#wake?.();
    };
    signal.addEventListener('abort', aborted, { once: true });
    try {
      this.#raw.write(new FrontendWriter().query(sql).take());
      for (;;) {
        signal.throwIfAborted();
        const finished = this.#isReady() || this.#closed;
        const piece = this.#error === undefined ? sink.take(finished) : undefined;
        if (sink.bytes < HIGH_WATER / 2) this.#raw.resume();
        if (piece !== undefined) yield piece;
        else if (finished) break;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
      }
      if (this.#error !== undefined) throw translateError(this.#error, 'source', WHAT);
      if (this.#closed) throw new TerraFusionError('SOURCE_DISCONNECTED', `${WHAT}: the connection was closed`);
    } finally {
      signal.removeEventListener('abort', aborted);
      // Left before the end: the rest would have to be read first, so the session ends instead.
      if (!this.#isReady()) this.#raw.destroy();
    }
  }

  async end(): Promise<void> {
    await this.#raw.end();
  }

  #isReady(): boolean {
    return this.#ready;
  }

  readonly #onMessage = (type: number, buf: Buffer, start: number, end: number): void => {
    if (type === Backend.copyData) {
      this.#sink?.row(buf, start, end);
    } else if (type === Backend.errorResponse) {
      this.#error ??= readServerError(buf, start, end);
    } else if (type === Backend.readyForQuery) {
      this.#ready = true;
      this.#wake?.();
    }
  };

  #onChunkEnd(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    if (sink.bytes >= HIGH_WATER) this.#raw.pause();
    if (this.#wake === undefined || this.#lookScheduled) return;
    this.#lookScheduled = true;
    setImmediate(() => {
      this.#lookScheduled = false;
      this.#wake?.();
    });
  }
}
