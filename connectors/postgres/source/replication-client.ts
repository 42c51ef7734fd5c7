import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn, type Lsn } from '#schemas/lsn.ts';
import { connect, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { quoteIdentifier, quoteReplicationLiteral } from '../identifiers.ts';
import type { PostgresSettings } from '../settings.ts';
import { readServerError } from '../wire/backend.ts';
import { FrontendWriter } from '../wire/frontend.ts';
import { Backend, POSTGRES_EPOCH_S } from '../wire/protocol.ts';
import { RawConnection } from '../wire/raw-connection.ts';
import { ReadingPace } from '../wire/reading-pace.ts';
import { type ChangeHandlers, type ChangeRequest, type ChangeStream, pluginOptions } from './change-stream.ts';
import { within } from './within.ts';

export interface ReplicationRequest extends ChangeRequest {
  /** The server's `wal_sender_timeout` in milliseconds; 0: it waits for ever. */
  readonly senderTimeoutMs: number;
}

/** Identity of the server as IDENTIFY_SYSTEM tells it. */
export interface SystemIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

const WHAT = 'The replication stream broke off';
/** Between two status updates at most; less when the server's patience is short. */
const STATUS_EVERY_MS = 1000;
/** How long a clean end may take before the socket is closed under the server. */
const CLOSE_WITHIN_MS = 3000;

/**
 * A walsender session that streams a logical slot. Decision record 0001 tells why it is our own.
 *
 * Status updates leave on a timer that does not depend on the data: also while reading is paused, when keep-alives of the server lie
 * unread in the socket (CHECKLIST 1, 2). A keep-alive that asks for an answer gets it at once.
 */
export class ReplicationClient implements ChangeStream {
  readonly #context: ConnectorContext;
  readonly #request: ReplicationRequest;
  readonly #handlers: ChangeHandlers;
  readonly #raw: RawConnection;
  readonly #started = Promise.withResolvers<undefined>();
  readonly #stopTimer = new AbortController();
  #state: 'starting' | 'streaming' | 'closing' | 'ended' = 'starting';
  readonly #drained = Promise.withResolvers<undefined>();
  #walEnd: Lsn = 0n;

  private constructor(
    raw: (client: ReplicationClient) => RawConnection,
    context: ConnectorContext,
    request: ReplicationRequest,
    handlers: ChangeHandlers,
  ) {
    this.#context = context;
    this.#request = request;
    this.#handlers = handlers;
    this.#raw = raw(this);
  }

  /**
   * Opens the session, lets `accept` look at the server, and starts the stream.
   * @throws {TerraFusionError} SOURCE_SLOT_IN_USE, SOURCE_HISTORY_LOST, SOURCE_NO_PRIVILEGE, SOURCE_UNREACHABLE …, and what `accept` throws
   */
  static async start(
    settings: PostgresSettings,
    context: ConnectorContext,
    request: ReplicationRequest,
    handlers: ChangeHandlers,
    accept: (session: pg.Client) => Promise<void>,
  ): Promise<ReplicationClient> {
    const pgClient = await connect(settings, context, { role: 'source', replication: true, purpose: 'reader' });
    try {
      await accept(pgClient);
    } catch (cause) {
      await endClient(pgClient);
      throw translateError(cause, 'source', 'Could not identify the source');
    }
    const client = new ReplicationClient(
      (self) =>
        RawConnection.takeOver(
          pgClient,
          'source',
          {
            onMessage: self.#onMessage,
            onChunkEnd: () => {
              if (self.#state === 'streaming') handlers.onChunkEnd();
            },
            onClose: (error) => {
              self.#onClose(error);
            },
          },
          { pace: new ReadingPace(() => performance.now()) },
        ),
      context,
      request,
      handlers,
    );
    await client.#begin();
    return client;
  }

  get walEnd(): Lsn {
    return this.#walEnd;
  }

  get isPaused(): boolean {
    return this.#raw.isPaused;
  }

  pause(): void {
    this.#raw.pause();
  }

  resume(): void {
    this.#raw.resume();
  }

  /** Ends the stream so that the slot is free at once. What still comes in is thrown away. Calling again waits for the same. */
  async close(): Promise<void> {
    if (this.#state === 'streaming') {
      this.#sendStatus(false);
      this.#state = 'closing';
      this.#raw.write(new FrontendWriter(8).copyDone().take());
      this.#raw.resume();
      await within(CLOSE_WITHIN_MS, this.#drained.promise);
    }
    this.#stopTimer.abort();
    if (this.#state === 'starting') this.#state = 'closing';
    await this.#raw.end();
  }

  async #begin(): Promise<void> {
    const { slot, start } = this.#request;
    const options = pluginOptions(this.#request).map(([name, value]) => `${name} ${quoteReplicationLiteral(value)}`);
    const command = `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${formatLsn(start)} (${options.join(', ')})`;
    const { signal } = this.#context;
    const abort = (): void => {
      this.#raw.destroy();
    };
    signal.addEventListener('abort', abort, { once: true });
    try {
      this.#raw.write(new FrontendWriter().query(command).take());
      await this.#started.promise;
    } catch (cause) {
      this.#raw.destroy();
      signal.throwIfAborted();
      throw translateError(cause, 'source', `Could not start the replication stream of slot ${slot}`);
    } finally {
      signal.removeEventListener('abort', abort);
    }
    void this.#keepInTouch();
  }

  readonly #onMessage = (type: number, buf: Buffer, start: number, end: number): void => {
    switch (type) {
      case Backend.copyData:
        if (this.#state === 'streaming') this.#copyData(buf, start, end);
        return;
      case Backend.copyBothResponse:
        if (this.#state === 'starting') {
          this.#state = 'streaming';
          this.#started.resolve(undefined);
        }
        return;
      case Backend.errorResponse:
        this.#fail(readServerError(buf, start, end));
        return;
      case Backend.copyDone:
        // While we stream, it is the server that goes: it shuts down.
        if (this.#state === 'streaming') this.#fail(new ServerLeft());
        return;
      case Backend.readyForQuery:
        if (this.#state === 'closing') this.#drained.resolve(undefined);
        return;
      default:
      // Notices, parameters, command tags: nothing that the stream depends on.
    }
  };

  #copyData(buf: Buffer, start: number, end: number): void {
    const kind = buf[start];
    if (kind === 0x77 && end - start > 25) {
      // XLogData: start, WAL end and time (8 bytes each), then the plugin's message. For a logical stream both locations are
      // that of the change itself, which says nothing about how far the WAL goes.
      this.#handlers.onMessage(buf, start + 25, end);
    } else if (kind === 0x6b && end - start === 18) {
      this.#walEnd = buf.readBigUInt64BE(start + 1);
      this.#handlers.onWalEnd(this.#walEnd);
      if (buf[start + 17] === 1) this.#answer();
    } else {
      throw new TerraFusionError(
        'SOURCE_PROTOCOL',
        `The source sent replication data of the unknown kind ${kind ?? 'none'}`,
      );
    }
  }

  /**
   * The server asks whether we are there, or wants to shut down and waits until all of its WAL has arrived.
   *
   * Promise 7: a shutdown of the source must not wait for us. It counts the written location when the flushed one is left out (0), as
   * receivers do that never flush; and with the flushed one left out the slot stays where it is. So the answer says how far we have
   * read and nothing about what is durable: that is told by the next timed update, for good WAL only.
   */
  #answer(): void {
    const { received } = this.#handlers.progress();
    this.#writeStatus(received > this.#walEnd ? received : this.#walEnd, 0n, false);
  }

  /** Promise 1: the slot moves by the durable number, never by what was only received. */
  #sendStatus(askForAnswer: boolean): void {
    const { received, durable } = this.#handlers.progress();
    this.#writeStatus(received > durable ? received : durable, durable, askForAnswer);
  }

  #writeStatus(written: Lsn, flushed: Lsn, askForAnswer: boolean): void {
    const body = Buffer.allocUnsafe(34);
    body[0] = 0x72; // r
    body.writeBigUInt64BE(written, 1);
    body.writeBigUInt64BE(flushed, 9);
    body.writeBigUInt64BE(flushed, 17);
    body.writeBigInt64BE(BigInt(Math.round(this.#context.clock.now()) - POSTGRES_EPOCH_S * 1000) * 1000n, 25);
    body[33] = askForAnswer ? 1 : 0;
    this.#raw.write(new FrontendWriter(64).copyData(body).take());
  }

  /** Status updates, and watching for a peer that is gone without a word (CHECKLIST 4). */
  async #keepInTouch(): Promise<void> {
    const { clock } = this.#context;
    const { senderTimeoutMs } = this.#request;
    const every = senderTimeoutMs === 0 ? STATUS_EVERY_MS : Math.min(STATUS_EVERY_MS, senderTimeoutMs / 4);
    const patience = Math.max(senderTimeoutMs === 0 ? 60_000 : senderTimeoutMs, 30_000) * 2;
    let seen = this.#raw.bytesRead;
    let heardAt = clock.monotonic();
    try {
      for (;;) {
        await clock.sleep(every, this.#stopTimer.signal);
        const now = clock.monotonic();
        // A paused socket tells nothing; there the kernel finds out, since our updates are not taken any more.
        if (this.#raw.isPaused || this.#raw.bytesRead !== seen) {
          seen = this.#raw.bytesRead;
          heardAt = now;
        }
        const silence = now - heardAt;
        if (silence > patience) {
          const seconds = Math.round(silence / 1000);
          this.#fail(
            new TerraFusionError('SOURCE_DISCONNECTED', `${WHAT}: the source was silent for ${seconds} seconds`),
          );
          return;
        }
        // A server with nothing to do says nothing of its own accord, so that silence means something only once it was asked.
        this.#sendStatus(silence > patience / 4);
      }
    } catch {
      // Stopped: the stream has ended.
    }
  }

  #fail(error: Error): void {
    if (this.#state === 'starting') this.#started.reject(error);
    this.#raw.destroy(error);
  }

  #onClose(error: Error | undefined): void {
    this.#stopTimer.abort();
    this.#drained.resolve(undefined);
    const before = this.#state;
    this.#state = 'ended';
    const cause = error ?? (before === 'closing' ? undefined : new ServerLeft());
    this.#started.reject(cause ?? new ServerLeft());
    if (before === 'starting') return;
    this.#handlers.onEnd(
      before === 'closing' || cause === undefined ? undefined : translateError(cause, 'source', WHAT),
    );
  }
}

export async function identifySystem(client: {
  query(text: string): Promise<{ readonly rows: unknown[] }>;
}): Promise<SystemIdentity> {
  const { rows } = await client.query('IDENTIFY_SYSTEM');
  const row = rows[0] as { readonly systemid: string; readonly timeline: number | string };
  return { systemIdentifier: row.systemid, timeline: Number(row.timeline) };
}

/** The server ended the stream in good order: it shuts down, or somebody ended our session. */
class ServerLeft extends Error {
  override readonly name = 'ServerLeft';
  readonly code = 'ECONNRESET';

  constructor() {
    super('the source ended the stream');
  }
}
