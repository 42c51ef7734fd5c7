import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { cancelBackend, connect, describeAddress, endClient } from '../connection.ts';
import { translateError } from '../errors.ts';
import { resolveAddress, type PostgresSettings } from '../settings.ts';
import {
  askServer,
  identifyBackend,
  watchSilence,
  type Backend as BackendSession,
  type Patience,
  type WatchedSession,
} from '../silence.ts';
import { readServerError, type ServerError } from '../wire/backend.ts';
import { FrontendWriter } from '../wire/frontend.ts';
import { Backend } from '../wire/protocol.ts';
import { RawConnection } from '../wire/raw-connection.ts';
import type { ChangeHandlers, ChangeRequest, ChangeStream } from './change-stream.ts';
import { CopiedMessages } from './copied-messages.ts';
import { advanceCommand, copySlot, dropCopyCommand, portionCommand } from './slot-copy.ts';
import { within } from './within.ts';

export interface CatchUpRequest extends ChangeRequest {
  /** A portion that nobody takes holds a snapshot at the source, and with it vacuum: after so many milliseconds it is given back. (Promise 7) */
  readonly pauseMs: number;
  /** How long a portion is waited for in silence. */
  readonly patience: Patience;
}

export interface CatchUpHandlers extends Pick<ChangeHandlers, 'onMessage' | 'onChunkEnd' | 'progress' | 'onEnd'> {
  /**
   * Everything that was committed when the last portion was asked for has been handed over, or the rest is better read otherwise: the
   * stream takes over from here. Called once, after which nothing else is.
   */
  onCaughtUp(): void;
}

const WHAT = 'Catching up with the source broke off';
/** What one portion should weigh: enough that asking for it costs nothing, and little for the source to keep meanwhile. */
const PORTION_BYTES = 16 * 1024 * 1024;
const FIRST_MESSAGES = 50_000;
const FEWEST_MESSAGES = 5_000;
const MOST_MESSAGES = 500_000;
/** Times as many messages as were asked for. */
const LARGE = 4;
/** Asked for ahead, so that the server decodes while we still read. */
const AHEAD = 2;
/** The slot is moved along this often: the source may forget what the topic holds. */
const ADVANCE_EVERY_MS = 2000;
const CLOSE_WITHIN_MS = 3000;

type Command = { readonly kind: 'changes'; readonly most: number } | { readonly kind: 'advance' | 'last' };

/**
 * Reads a backlog of a slot in portions, by `pg_logical_slot_get_binary_changes` on a temporary copy of the slot. The messages are those
 * of the stream, but the server sends them 8 KiB at a time, where a walsender makes a system call of each: half the work for
 * many small changes, at both ends. (Decision record 0042)
 *
 * Promise 1: what is read moves the copy alone. The slot itself is moved on to what is durable, and to nothing else; the copy ends with
 * the session, whatever ends it.
 */
export class CatchUpClient implements ChangeStream {
  readonly #settings: PostgresSettings;
  readonly #context: ConnectorContext;
  readonly #request: CatchUpRequest;
  readonly #handlers: CatchUpHandlers;
  readonly #session: pg.Client;
  readonly #raw: RawConnection;
  readonly #copied: CopiedMessages;
  /** Sent, in this order, and not yet answered. */
  readonly #underWay: Command[] = [];
  #state: 'reading' | 'finishing' | 'closing' | 'ended' = 'reading';
  #idle = Promise.withResolvers<undefined>();
  #most = FIRST_MESSAGES;
  #bytesBefore = 0;
  #advanced: Lsn;
  #advancedAt: number;
  #pausedSince: NodeJS.Timeout | undefined;
  readonly #watch: Disposable;

  private constructor(
    settings: PostgresSettings,
    context: ConnectorContext,
    request: CatchUpRequest,
    handlers: CatchUpHandlers,
    session: pg.Client,
    backend: BackendSession,
  ) {
    this.#settings = settings;
    this.#context = context;
    this.#request = request;
    this.#handlers = handlers;
    this.#session = session;
    this.#advanced = request.start;
    this.#advancedAt = context.clock.monotonic();
    this.#copied = new CopiedMessages((buf, start, end) => {
      handlers.onMessage(buf, start, end);
    });
    this.#raw = RawConnection.takeOver(session, 'source', {
      onMessage: this.#onMessage,
      onChunkEnd: () => {
        if (this.#state === 'reading' || this.#state === 'finishing') handlers.onChunkEnd();
      },
      onClose: (error) => {
        this.#onClose(error);
      },
    });
    // A server may decode for long without a word. (CHECKLIST 4)
    this.#watch = watchSilence(this.#watched, () => askServer(settings, 'source', backend), request.patience, {
      role: 'source',
      address: describeAddress(resolveAddress(settings)),
      healing: context.healing,
    });
  }

  /**
   * Opens the session, lets `accept` look at the server, and begins.
   * @returns undefined where the server does not let a backlog be read this way: no room for one more slot, no right to a function …
   * @throws {TerraFusionError} SOURCE_SLOT_IN_USE, SOURCE_UNREACHABLE …, and what `accept` throws
   */
  static async start(
    settings: PostgresSettings,
    context: ConnectorContext,
    request: CatchUpRequest,
    handlers: CatchUpHandlers,
    accept: (session: pg.Client) => Promise<void>,
  ): Promise<CatchUpClient | undefined> {
    const session = await connect(settings, context, { role: 'source', replication: true, purpose: 'reader' });
    let backend: BackendSession;
    try {
      await accept(session);
      backend = await identifyBackend(session);
      if (!(await copySlot(session, request, context))) {
        await endClient(session);
        return undefined;
      }
    } catch (cause) {
      await endClient(session);
      throw translateError(cause, 'source', `Could not catch up with slot ${request.slot}`);
    }
    const client = new CatchUpClient(settings, context, request, handlers, session, backend);
    client.#ask();
    return client;
  }

  get #watched(): WatchedSession {
    const raw = this.#raw;
    const waits = (): boolean => this.#underWay.length > 0 && !raw.isPaused;
    return {
      get waits() {
        return waits();
      },
      get bytesMoved() {
        return raw.bytesRead;
      },
      lose: (error) => {
        raw.destroy(error);
      },
    };
  }

  get walEnd(): Lsn {
    return 0n;
  }

  get isPaused(): boolean {
    return this.#raw.isPaused;
  }

  pause(): void {
    this.#raw.pause();
    this.#pausedSince ??= setTimeout(() => {
      this.#fail(
        new TerraFusionError(
          'SOURCE_DISCONNECTED',
          `${WHAT}: nothing could be stored, and the source is not kept busy`,
        ),
      );
    }, this.#request.pauseMs);
  }

  resume(): void {
    clearTimeout(this.#pausedSince);
    this.#pausedSince = undefined;
    this.#raw.resume();
  }

  /** Ends the session, and with it the copy of the slot. What is durable by now is told to the slot. */
  async close(): Promise<void> {
    if (this.#state === 'reading' || this.#state === 'finishing') {
      this.#state = 'closing';
      this.resume();
      await within(CLOSE_WITHIN_MS, this.#settle());
    }
    clearTimeout(this.#pausedSince);
    await this.#raw.end();
  }

  /** Portions are asked for until there are enough under way. */
  #ask(): void {
    const { durable } = this.#handlers.progress();
    const now = this.#context.clock.monotonic();
    if (durable > this.#advanced && now - this.#advancedAt >= ADVANCE_EVERY_MS) this.#advance(durable, now);
    while (this.#underWay.filter(({ kind }) => kind === 'changes').length < AHEAD) {
      this.#send({ kind: 'changes', most: this.#most }, portionCommand(this.#request, this.#most));
    }
  }

  #advance(to: Lsn, now: number): void {
    this.#advanced = to;
    this.#advancedAt = now;
    this.#send({ kind: 'advance' }, advanceCommand(this.#request.slot, to));
  }

  #send(command: Command, sql: string): void {
    this.#underWay.push(command);
    this.#raw.write(new FrontendWriter(512).query(sql).take());
  }

  readonly #onMessage = (type: number, buf: Buffer, start: number, end: number): void => {
    switch (type) {
      case Backend.copyData:
        if (this.#state !== 'closing') this.#copied.data(buf, start, end);
        return;
      case Backend.errorResponse:
        this.#onError(readServerError(buf, start, end));
        return;
      case Backend.readyForQuery:
        this.#onReady();
        return;
      default:
      // Row descriptions, rows of what an advance answers, tags, notices: nothing that depends on them.
    }
  };

  #onReady(): void {
    const done = this.#underWay.shift();
    if (done?.kind === 'changes') this.#onPortion(done.most);
    if (this.#state === 'reading') this.#ask();
    if (this.#underWay.length > 0) {
      // The one behind it has begun by now.
      if (this.#state === 'closing') this.#cancel();
      return;
    }
    if (this.#state === 'closing') this.#idle.resolve(undefined);
    else if (done?.kind === 'last') this.#finish();
    else this.#letGo();
  }

  #onPortion(most: number): void {
    const { messages } = this.#copied;
    const bytes = this.#raw.bytesRead - this.#bytesBefore;
    this.#bytesBefore = this.#raw.bytesRead;
    this.#copied.next();
    if (this.#state !== 'reading') return;
    // Fewer than we would have taken: that was all there is. Far more: a large transaction, which is made whole at the source before the
    // first of it comes, and is better streamed; more like it may follow.
    if (messages < most || messages > most * LARGE) this.#state = 'finishing';
    else {
      const fitting = messages * (PORTION_BYTES / bytes);
      this.#most = Math.round(Math.min(Math.max(fitting, FEWEST_MESSAGES, most / 4), MOST_MESSAGES, most * 4));
    }
  }

  #onError(error: ServerError): void {
    // Cancelled by us.
    if (this.#state === 'closing') return;
    // A source that has no room for a portion still can stream: nothing of this portion has been sent yet, since it is made whole first.
    if (error.code.startsWith('53') && this.#copied.messages === 0 && this.#underWay[0]?.kind === 'changes') {
      this.#context.log.warn({ error }, 'The source has no room for a portion of its backlog; the rest is streamed.');
      this.#state = 'finishing';
      return;
    }
    this.#fail(error);
  }

  /** Moves the slot on to what is durable by now, and drops the copy: from then on the slot can be streamed. */
  #letGo(): void {
    const { slot } = this.#request;
    const { durable } = this.#handlers.progress();
    const to = durable > this.#advanced ? durable : this.#advanced;
    this.#send({ kind: 'last' }, `${advanceCommand(slot, to)}; ${dropCopyCommand(slot)}`);
  }

  #finish(): void {
    this.#state = 'ended';
    this.#watch[Symbol.dispose]();
    clearTimeout(this.#pausedSince);
    void this.#raw.end();
    this.#handlers.onCaughtUp();
  }

  /** Leaves what is under way, and moves the slot on to what is durable. */
  async #settle(): Promise<void> {
    if (this.#underWay.length > 0) {
      this.#cancel();
      await this.#idle.promise;
    }
    const { durable } = this.#handlers.progress();
    if (durable <= this.#advanced || this.#raw.isClosed) return;
    this.#idle = Promise.withResolvers();
    this.#advance(durable, this.#context.clock.monotonic());
    await this.#idle.promise;
  }

  #cancel(): void {
    void cancelBackend(this.#settings, this.#session, 'source');
  }

  #fail(error: Error): void {
    this.#raw.destroy(error);
  }

  #onClose(error: Error | undefined): void {
    clearTimeout(this.#pausedSince);
    this.#watch[Symbol.dispose]();
    this.#idle.resolve(undefined);
    const before = this.#state;
    this.#state = 'ended';
    if (before === 'ended') return;
    this.#handlers.onEnd(
      before === 'closing' || error === undefined ? undefined : translateError(error, 'source', WHAT),
    );
  }
}
