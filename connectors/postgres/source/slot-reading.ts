import type pg from 'pg';
import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { CellFormat } from '#schemas/block/index.ts';
import type { Lsn } from '#schemas/lsn.ts';
import type { Position } from '#schemas/position.ts';
import type { PostgresSettings } from '../settings.ts';
import { Patience } from '../silence.ts';
import { CatchUpClient } from './catch-up-client.ts';
import type { ChangeHandlers, ChangeStream } from './change-stream.ts';
import { checkHistory } from './history.ts';
import type { SourceOptions } from './options.ts';
import { ReplicationClient } from './replication-client.ts';
import { expectNoCopy } from './slot-copy.ts';
import { slotInUse } from './slot-holder.ts';
import { TransactionSizes } from './transaction-sizes.ts';

type ReadingOptions = Pick<
  SourceOptions,
  'catchUpBytes' | 'catchUpWindowBytes' | 'catchUpPauseMs' | 'catchUpSilenceMs' | 'takeOverMs'
>;

export interface ReadingRequest {
  readonly stream: StreamIdentity;
  /** What is stored durably; undefined: nothing. */
  readonly after: Position | undefined;
  /** Where to have the source begin. */
  readonly start: Lsn;
  /** How values are sent. */
  readonly format: CellFormat;
  /** See `ReplicationRequest`. */
  readonly senderTimeoutMs: number;
}

/** Who gets the messages, and knows where they have led. */
export interface ReadingHost extends ChangeHandlers {
  /** The source's WAL end as last heard of. */
  readonly currentLsn: Lsn;
  /** The WAL location after the last commit that came in. */
  readonly receivedLsn: Lsn;
}

/**
 * Reads a slot: as a stream, and while it is far behind with many small transactions before it, in portions. Each way begins between two
 * transactions, so that the messages are one sequence whatever way they came.
 */
export class SlotReading implements ChangeStream {
  readonly #settings: PostgresSettings;
  readonly #options: ReadingOptions;
  readonly #request: ReadingRequest;
  readonly #context: ConnectorContext;
  readonly #host: ReadingHost;
  readonly #sizes: TransactionSizes;
  readonly #patience: Patience;
  #session: ChangeStream | undefined;
  /** From one way to the other. */
  #changing: Promise<void> | undefined;
  #portionsRefused = false;
  #paused = false;
  #over = false;
  #walEnd: Lsn = 0n;
  #timeline: number;

  private constructor(
    settings: PostgresSettings,
    options: ReadingOptions,
    request: ReadingRequest,
    context: ConnectorContext,
    host: ReadingHost,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#request = request;
    this.#context = context;
    this.#host = host;
    this.#timeline = request.stream.timeline;
    this.#sizes = new TransactionSizes(options.catchUpWindowBytes);
    this.#patience = new Patience(options.catchUpSilenceMs);
  }

  /** @throws {TerraFusionError} SOURCE_SLOT_IN_USE, SOURCE_HISTORY_LOST, SOURCE_UNREACHABLE … */
  static async open(
    settings: PostgresSettings,
    options: ReadingOptions,
    request: ReadingRequest,
    context: ConnectorContext,
    host: ReadingHost,
  ): Promise<SlotReading> {
    const reading = new SlotReading(settings, options, request, context, host);
    await reading.#stream();
    return reading;
  }

  /** Of the server that is read from. */
  get timeline(): number {
    return this.#timeline;
  }

  get walEnd(): Lsn {
    return this.#walEnd;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
    this.#session?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#session?.resume();
  }

  /** Calling again waits for the same. */
  async close(): Promise<void> {
    this.#over = true;
    await this.#session?.close();
    await this.#changing;
  }

  readonly #streamHandlers: ChangeHandlers = {
    onMessage: (buf, start, end) => {
      const isCommit = buf[start] === 0x43;
      this.#host.onMessage(buf, start, end);
      if (this.#sizes.saw(end - start, isCommit) && this.#isFarBehind())
        this.#change((stream) => this.#catchUp(stream));
    },
    onWalEnd: (lsn) => {
      this.#walEnd = lsn;
      this.#host.onWalEnd(lsn);
    },
    onChunkEnd: () => {
      this.#host.onChunkEnd();
    },
    progress: () => this.#host.progress(),
    onEnd: (error) => {
      this.#onEnd(error);
    },
  };

  #isFarBehind(): boolean {
    // Messages may come before their session is in our hands: without it, it could not be ended.
    if (this.#portionsRefused || this.#session === undefined) return false;
    return this.#host.currentLsn - this.#host.receivedLsn >= this.#options.catchUpBytes;
  }

  #change(work: (left: ChangeStream | undefined) => Promise<void>): void {
    const left = this.#session;
    this.#session = undefined;
    const changing = work(left)
      .catch((error: unknown) => {
        this.#onEnd(asTerraFusionError(error));
      })
      .finally(() => {
        if (this.#changing === changing) this.#changing = undefined;
      });
    this.#changing = changing;
  }

  /** From the stream to portions. */
  async #catchUp(stream: ChangeStream | undefined): Promise<void> {
    const { slot, publication } = this.#request.stream;
    await stream?.close();
    const portions = await this.#patiently(() =>
      CatchUpClient.start(
        this.#settings,
        this.#context,
        {
          slot,
          publication,
          format: this.#request.format,
          start: this.#host.progress().durable,
          pauseMs: this.#options.catchUpPauseMs,
          patience: this.#patience,
        },
        {
          ...this.#streamHandlers,
          onMessage: (buf, start, end) => {
            this.#host.onMessage(buf, start, end);
          },
          onCaughtUp: () => {
            this.#change(() => this.#stream());
          },
        },
        (session) => this.#accept(session),
      ),
    );
    this.#portionsRefused = portions === undefined;
    if (portions === undefined) await this.#stream();
    else await this.#take(portions);
  }

  async #stream(): Promise<void> {
    const { stream, start, format, senderTimeoutMs } = this.#request;
    const { receivedLsn } = this.#host;
    const { slot, publication } = stream;
    const request = { slot, publication, format, start: receivedLsn > start ? receivedLsn : start, senderTimeoutMs };
    const client = await this.#patiently(() =>
      ReplicationClient.start(this.#settings, this.#context, request, this.#streamHandlers, async (session) => {
        await this.#accept(session);
        await expectNoCopy(session, slot);
      }),
    );
    await this.#take(client);
  }

  async #take(session: ChangeStream): Promise<void> {
    this.#session = session;
    if (this.#over) await session.close();
    else if (this.#paused) session.pause();
  }

  /** A reader before us that was killed a moment ago: the server has not noticed yet. (CHECKLIST 6) */
  async #patiently<T>(start: () => Promise<T>): Promise<T> {
    const { clock, signal } = this.#context;
    const deadline = clock.monotonic() + this.#options.takeOverMs;
    for (;;) {
      try {
        return await start();
      } catch (error) {
        const inUse = error instanceof TerraFusionError && error.code === 'SOURCE_SLOT_IN_USE';
        if (!inUse || this.#over) throw error;
        const { slot } = this.#request.stream;
        if (clock.monotonic() >= deadline) throw await slotInUse(this.#settings, this.#context, slot, error);
        await clock.sleep(100, signal);
      }
    }
  }

  async #accept(session: pg.Client): Promise<void> {
    const { stream, after } = this.#request;
    this.#timeline = (await checkHistory(session, stream, after)).timeline;
  }

  #onEnd(error: TerraFusionError | undefined): void {
    // The session that is left for the other way ends as it should.
    if (error === undefined && this.#changing !== undefined && !this.#over) return;
    this.#over = true;
    this.#host.onEnd(error);
  }
}
