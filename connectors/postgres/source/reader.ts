import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ReaderRequest, ReaderStatus, SourceBlock, SourceReader } from '#connectors/contract/source.ts';
import type { CellFormat } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import type { PostgresSettings } from '../settings.ts';
import { Gathering } from './gathering.ts';
import { Heartbeat } from './heartbeat.ts';
import { inspectSource, type SourceFacts } from './inspect.ts';
import type { SourceOptions } from './options.ts';
import { PgoutputDecoder } from './pgoutput.ts';
import { OnlyAsText } from './relations.ts';
import { acknowledgementOf, idleAcknowledgement, resumePoint, type ResumePoint } from './resume.ts';
import { type ReadingHost, SlotReading } from './slot-reading.ts';

/**
 * Opens the stream after `request.after`.
 * @throws {TerraFusionError} SOURCE_SLOT_MISSING, SOURCE_HISTORY_LOST, SOURCE_SLOT_IN_USE, SOURCE_UNREACHABLE …
 */
export async function openReader(
  settings: PostgresSettings,
  options: SourceOptions,
  request: ReaderRequest,
  context: ConnectorContext,
): Promise<SourceReader> {
  const facts = await inspectSource(settings, request, context);
  const point = resumePoint({ generation: request.generation, after: request.after, confirmed: facts.confirmed });
  const reader = new PostgresReader(settings, options, request, context, facts, point);
  await reader.start();
  return reader;
}

/** Turns the stream into blocks and hands them over one by one; what waits is bounded by pausing the socket. (Promise 6) */
class PostgresReader implements SourceReader, ReadingHost {
  readonly #settings: PostgresSettings;
  readonly #options: SourceOptions;
  readonly #request: ReaderRequest;
  readonly #context: ConnectorContext;
  readonly #facts: SourceFacts;
  #decoder: PgoutputDecoder;
  readonly #heartbeat: Heartbeat;
  /** In which values are sent. */
  #format: CellFormat;
  #reading: SlotReading | undefined;
  /** While the stream is begun anew. */
  #reopening: Promise<void> | undefined;
  #closed = false;

  readonly #queue: SourceBlock[] = [];
  #queuedBytes = 0;
  /** Set while the consumer waits for a block. */
  #wake: (() => void) | undefined;
  readonly #gathering: Gathering;
  #ended = false;
  #failure: TerraFusionError | undefined;

  /** Promise 1: what the topic holds. */
  #acknowledged: Position;
  #durable: Lsn;
  #handedOut: Position;
  #currentLsn: Lsn;

  constructor(
    settings: PostgresSettings,
    options: SourceOptions,
    request: ReaderRequest,
    context: ConnectorContext,
    facts: SourceFacts,
    point: ResumePoint,
  ) {
    this.#settings = settings;
    this.#options = options;
    this.#request = request;
    this.#context = context;
    this.#facts = facts;
    this.#durable = point.start;
    this.#acknowledged = point.from;
    this.#handedOut = point.from;
    this.#currentLsn = facts.currentLsn;
    const binary = request.cells === 'binary' && facts.binary && settings.binary !== false;
    this.#format = binary ? 'binary' : 'text';
    this.#decoder = this.#newDecoder(point.from);
    this.#gathering = new Gathering({
      sliceBytes: options.sliceBytes,
      decoder: () => this.#decoder,
      isAwaited: () => this.#wake !== undefined && !this.#ended,
      isStoring: () => comparePositions(this.#handedOut, this.#acknowledged) > 0,
    });
    this.#heartbeat = new Heartbeat(
      settings,
      context,
      {
        publication: request.stream.publication,
        publicationOid: facts.publicationOid,
        everyMs: options.heartbeatMs,
        writes: facts.mayWriteMessages,
      },
      {
        acknowledged: () => this.#durable,
        onCurrentLsn: (lsn) => {
          this.#currentLsn = lsn;
        },
        onHistoryLost: (error) => {
          this.#leave(error);
        },
        onShutdown: (error) => {
          // Promise 7: the server waits for its streams to take what it has sent, and a paused one takes nothing.
          if (this.#reading?.isPaused === true) this.#leave(error);
        },
      },
    );
  }

  async start(): Promise<void> {
    await this.#read();
    this.#heartbeat.start();
  }

  async #read(): Promise<void> {
    const { stream, after } = this.#request;
    const { senderTimeoutMs } = this.#facts;
    const request = { stream, after, start: this.#durable, format: this.#format, senderTimeoutMs };
    this.#reading = await SlotReading.open(this.#settings, this.#options, request, this.#context, this);
  }

  #newDecoder(from: Position): PgoutputDecoder {
    const { sourceId, generation } = this.#request;
    return new PgoutputDecoder({
      sourceId,
      generation,
      from,
      builtinTypes: this.#facts.builtinTypes,
      format: this.#format,
      blockBytes: this.#options.blockBytes,
      onBlock: (block) => {
        this.#enqueue(block);
      },
    });
  }

  /** The stream is begun anew, for values as text; what has come already is passed over. */
  async #readAsText(): Promise<void> {
    await this.#reading?.close();
    this.#format = 'text';
    this.#decoder = this.#newDecoder(this.#decoder.position);
    if (this.#closed) return;
    this.#ended = false;
    this.#failure = undefined;
    await this.#read();
  }

  get timeline(): number {
    return this.#reading?.timeline ?? this.#request.stream.timeline;
  }

  get currentLsn(): Lsn {
    return this.#currentLsn;
  }

  get receivedLsn(): Lsn {
    return this.#decoder.receivedLsn;
  }

  /** Leaving the loop leaves the stream open: what is stored now is still acknowledged until the reader is disposed of. */
  async *blocks(): AsyncGenerator<SourceBlock, void, undefined> {
    const { signal } = this.#context;
    const aborted = (): void => {
      this.#wake?.();
    };
    signal.addEventListener('abort', aborted);
    try {
      while (!signal.aborted) {
        const block = this.#take();
        if (block !== undefined) {
          this.#handedOut = block.last;
          yield block;
        } else if (this.#ended) {
          if (!(this.#failure instanceof OnlyAsText)) {
            if (this.#failure !== undefined) throw this.#failure;
            return;
          }
          this.#context.log.info({ reason: this.#failure.message }, 'The source is read on as text.');
          this.#reopening = this.#readAsText();
          await this.#reopening;
        } else {
          const more = new Promise<void>((resolve) => (this.#wake = resolve));
          this.#gathering.lookSoon();
          await more;
          this.#wake = undefined;
        }
      }
    } finally {
      signal.removeEventListener('abort', aborted);
    }
  }

  acknowledge(position: Position): void {
    // Promise 1: a position that was never handed out cannot be durable.
    if (comparePositions(position, this.#handedOut) > 0) {
      throw new TerraFusionError(
        'INTERNAL',
        `${formatPosition(position)} was acknowledged, but only ${formatPosition(this.#handedOut)} was handed out`,
      );
    }
    if (comparePositions(position, this.#acknowledged) <= 0) return;
    this.#acknowledged = position;
    this.#raiseDurable(acknowledgementOf(position));
    this.#gathering.lookSoon();
  }

  status(): ReaderStatus {
    const { received } = this.progress();
    return {
      sourceLsn: received > this.#currentLsn ? received : this.#currentLsn,
      receivedLsn: received,
      acknowledgedLsn: this.#durable,
      bufferedBytes: this.#queuedBytes + this.#decoder.openBytes,
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  onMessage(buf: Buffer, start: number, end: number): void {
    this.#decoder.message(buf, start, end);
  }

  onWalEnd(lsn: Lsn): void {
    if (lsn > this.#currentLsn) this.#currentLsn = lsn;
    // Where heartbeats come through the stream, they move the slot, and it never stands beyond what the topic tells. Elsewhere
    // (a standby, a role that may not) WAL without anything for us is acknowledged as such once nothing is in flight.
    if (this.#facts.mayWriteMessages && this.#options.heartbeatMs > 0) return;
    const { position, openBytes, betweenTransactions } = this.#decoder;
    if (!betweenTransactions || openBytes > 0 || comparePositions(position, this.#acknowledged) > 0) return;
    this.#raiseDurable(idleAcknowledgement(lsn));
  }

  onChunkEnd(): void {
    this.#gathering.lookSoon();
  }

  progress(): { readonly received: Lsn; readonly durable: Lsn } {
    const { receivedLsn } = this.#decoder;
    const walEnd = this.#reading?.walEnd ?? 0n;
    return { received: walEnd > receivedLsn ? walEnd : receivedLsn, durable: this.#durable };
  }

  onEnd(error: TerraFusionError | undefined): void {
    this.#end(error);
  }

  #raiseDurable(lsn: Lsn): void {
    if (lsn > this.#durable) this.#durable = lsn;
  }

  #enqueue(block: SourceBlock): void {
    this.#queue.push(block);
    this.#gathering.closed(block.bytes.length);
    this.#queuedBytes += block.bytes.length;
    if (this.#queuedBytes >= this.#options.bufferBytes) this.#reading?.pause();
    this.#wake?.();
  }

  #take(): SourceBlock | undefined {
    const block = this.#queue.shift();
    if (block === undefined) return undefined;
    this.#queuedBytes -= block.bytes.length;
    if (this.#queuedBytes <= this.#options.bufferBytes / 2) this.#reading?.resume();
    return block;
  }

  #end(error: TerraFusionError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = error;
    this.#wake?.();
  }

  /** Lets go of the slot now, whenever the consumer comes to hear of it. */
  #leave(error: TerraFusionError): void {
    this.#end(error);
    void this.#reading?.close();
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#ended = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#gathering.stop();
    this.#wake?.();
    await this.#reopening?.catch(() => undefined);
    await Promise.all([this.#heartbeat.stop(), this.#reading?.close()]);
  }
}
