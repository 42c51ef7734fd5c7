import type { Duplex } from 'node:stream';
import type pg from 'pg';
import type { Role } from '../errors.ts';
import { Framer } from './framer.ts';
import { FrontendWriter } from './frontend.ts';
import type { ReadingPace } from './reading-pace.ts';
import { isReadingSocket, receiveInto } from './reading-socket.ts';

export interface RawHandlers {
  /** See `OnMessage`. What it throws breaks the connection and is told by `onClose`. */
  onMessage(type: number, buf: Buffer, start: number, end: number): void;
  /** After the messages of a chunk: what follows has to come from the socket first. */
  onChunkEnd?(): void;
  /** Called once. Without an error it was we who ended the connection. */
  onClose(error: Error | undefined): void;
}

export interface RawOptions {
  /** When reading rests, under a load of many small messages. Without it: never. */
  readonly pace?: Pick<ReadingPace, 'restAfter'>;
}

/**
 * A session's socket after `pg` has done TLS, login and start-up: messages are framed in place on the socket's chunks, without an
 * event or an object each. The `pg.Client` must not be used any more.
 */
export class RawConnection {
  readonly #socket: Duplex;
  readonly #handlers: RawHandlers;
  readonly #framer: Framer;
  #paused = false;
  #closed = false;
  #ending = false;
  #closeError: Error | undefined;
  readonly #closing = Promise.withResolvers<undefined>();
  #draining: PromiseWithResolvers<void> | undefined;
  #bytesRead = 0;
  readonly #pace: RawOptions['pace'];
  #rest: NodeJS.Timeout | undefined;

  private constructor(socket: Duplex, role: Role, handlers: RawHandlers, options: RawOptions) {
    this.#socket = socket;
    // TLS hands over one record after the other whatever we do: a rest would come after each of them.
    if (isReadingSocket(socket)) this.#pace = options.pace;
    this.#handlers = handlers;
    this.#framer = new Framer(role);
    receiveInto(socket, (chunk) => {
      this.#read(chunk);
    });
    socket.on('drain', () => {
      this.#settleDrain();
    });
    socket.on('error', (error) => {
      this.#closeError ??= error;
    });
    socket.on('close', () => {
      this.#close();
    });
    // A pg socket that nobody had written to for the moment may have been paused by nobody: flowing is the state we start in.
    socket.resume();
  }

  /** Takes the socket over. To be called between two queries. */
  static takeOver(client: pg.Client, role: Role, handlers: RawHandlers, options: RawOptions = {}): RawConnection {
    const { connection } = client as pg.Client & { readonly connection: { readonly stream: Duplex } };
    const socket = connection.stream;
    for (const event of ['data', 'drain', 'error', 'close', 'end']) socket.removeAllListeners(event);
    return new RawConnection(socket, role, handlers, options);
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes handed to the socket that the kernel has not taken yet. */
  get bytesToWrite(): number {
    return this.#socket.writableLength;
  }

  /** Bytes that came in since the take-over: a sign of life. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that the kernel has taken: a sign that the way is not blocked. */
  get bytesTaken(): number {
    const { bytesWritten } = this.#socket as Duplex & { readonly bytesWritten?: number };
    return (bytesWritten ?? 0) - this.#socket.writableLength;
  }

  /** Stops reading: the kernel's buffers fill and the server waits. At most the chunk in hand still comes through. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#readOn();
  }

  /**
   * The bytes must not be changed afterwards. Works while reading is paused.
   * @returns false when the socket would rather have us wait for `drained`. Once the connection is closed nothing is written.
   */
  write(bytes: Uint8Array): boolean {
    if (this.#closed || this.#socket.destroyed || this.#ending) return false;
    return this.#socket.write(bytes);
  }

  /** Resolves once the socket takes more; at once when it does already, or when the connection is closed. */
  drained(): Promise<void> {
    if (this.#closed || !this.#socket.writableNeedDrain) return Promise.resolve();
    this.#draining ??= Promise.withResolvers();
    return this.#draining.promise;
  }

  /** Says goodbye and closes once what was written is sent. Resolves when closed, at the latest after `withinMs`. */
  async end(withinMs = 2000): Promise<void> {
    if (!this.#closed && !this.#ending) {
      this.#ending = true;
      this.#paused = false;
      // What still comes must be read, or the end of the stream is never seen.
      this.#readOn();
      this.#socket.end(new FrontendWriter(8).terminate().take());
    }
    const timer = setTimeout(() => this.#socket.destroy(), withinMs);
    await this.#closing.promise;
    clearTimeout(timer);
  }

  /** Closes without a word. `onClose` gets the error. */
  destroy(error?: Error): void {
    this.#closeError ??= error;
    this.#ending ||= error === undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#bytesRead += chunk.length;
    if (this.#ending || this.#closed || this.#closeError !== undefined) return;
    try {
      this.#framer.push(chunk, this.#onMessage);
      this.#handlers.onChunkEnd?.();
      if (this.#pace !== undefined) this.#restFor(this.#pace.restAfter(chunk.length));
    } catch (error) {
      this.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #restFor(ms: number): void {
    if (ms === 0 || this.#paused || this.#rest !== undefined) return;
    this.#socket.pause();
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      if (!this.#paused && !this.#closed) this.#socket.resume();
    }, ms);
  }

  #readOn(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#socket.resume();
  }

  readonly #onMessage = (type: number, buf: Buffer, start: number, end: number): void => {
    this.#handlers.onMessage(type, buf, start, end);
  };

  #settleDrain(): void {
    this.#draining?.resolve();
    this.#draining = undefined;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#settleDrain();
    this.#closing.resolve(undefined);
    this.#handlers.onClose(this.#ending ? undefined : (this.#closeError ?? new ConnectionLost()));
  }
}

/** The other side closed the connection without a word. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
  /** As the socket itself would say it. */
  readonly code = 'ECONNRESET';

  constructor() {
    super('the connection was closed by the other side');
  }
}
