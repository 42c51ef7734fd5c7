import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ReaderStatus, Source, SourceBlock, SourceReader, StreamIdentity } from '#connectors/contract/source.ts';
import { BlockReader, type CellFormat } from '#schemas/block/index.ts';
import { asTerraFusionError, type TerraFusionError } from '#schemas/errors.ts';
import { LAST_ORDINAL, type Position } from '#schemas/position.ts';
import type { Bus } from '#services/kernel/bus/port.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import { Backoff, reconnectPolicy } from '#services/kernel/retry.ts';
import { BlockQueue } from '#services/kernel/block-queue.ts';

/** Bytes of blocks that may wait for the topic; with the block being decoded and the one being stored, the stage's memory. (Promise 6) */
const QUEUE_BYTES = 2 * 1024 * 1024;

export interface ReaderOptions {
  readonly sourceId: string;
  readonly topic: string;
  readonly generation: number;
  readonly stream: StreamIdentity;
  /** How values are wanted; text when left out. */
  readonly cells?: CellFormat;
  readonly source: Pick<Source, 'openReader'>;
  readonly bus: Bus;
  readonly observer: ReaderObserver;
  /** Whether it connects again by itself after an error that heals; left out: it does. Else the error is thrown, for whoever runs the stage. */
  readonly goesOn?: (error: TerraFusionError) => boolean;
}

/** What the supervisor and the metrics want to know. */
export interface ReaderObserver {
  /** The source has failed over, and the stream goes on there: to be kept before anything is read from it. */
  failedOver(stream: StreamIdentity): Promise<void>;
  connected(after: Position | undefined): void;
  /** A block has come from the source; it is not stored yet. */
  read?(block: SourceBlock): void;
  stored(blocks: readonly SourceBlock[]): void;
  /** The stage tries again by itself. */
  interrupted(error: TerraFusionError, waitMs: number): void;
  /** The topic takes nothing more; the source waits until there is room. */
  paused(error: TerraFusionError): void;
}

/**
 * Reads one source's committed changes into its topic, shared by all its pairs: the WAL is decoded once.
 * The topic is the checkpoint: at each start its last block tells where to go on, and no second store can disagree.
 */
export class ReaderStage {
  readonly #options: ReaderOptions;
  #stream: StreamIdentity;
  #reader: SourceReader | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#stream = options.stream;
  }

  /** Live numbers while connected. */
  status(): ReaderStatus | undefined {
    return this.#reader?.status();
  }

  /**
   * Runs until the signal is aborted, then drains. What heals is tried again with back-off.
   * @throws {TerraFusionError} what does not heal: SOURCE_SLOT_MISSING, SOURCE_HISTORY_LOST, SOURCE_LOGIN_FAILED …
   */
  async run(context: ConnectorContext): Promise<void> {
    const backoff = new Backoff(reconnectPolicy);
    await this.#options.bus.createTopic(this.#options.topic);
    const stopping = () => context.signal.aborted;
    while (!stopping()) {
      try {
        await this.#connectedRun(context, () => {
          backoff.reset();
        });
      } catch (thrown) {
        const error = asTerraFusionError(thrown);
        if (stopping()) {
          context.log.warn(
            { code: error.code, error },
            'The reader was interrupted while it stopped; it goes on from its topic at the next start.',
          );
          return;
        }
        if (!error.heals || this.#options.goesOn?.(error) === false) throw error;
        const waitMs = backoff.next();
        this.#options.observer.interrupted(error, waitMs);
        await context.clock.sleep(waitMs, context.signal).catch(() => undefined);
      }
    }
  }

  async #connectedRun(context: ConnectorContext, progressed: () => void): Promise<void> {
    const { bus, topic, source, sourceId, generation, cells = 'text', observer } = this.#options;
    const stream = this.#stream;
    const tail = await bus.tail(topic);
    const held = tail && BlockReader.summary(tail.bytes).last;
    // A slot of a later generation starts its own history: what the topic holds of an earlier one is no place to go on from.
    const after = held?.generation === generation ? held : undefined;

    await using reader = await source.openReader({ sourceId, generation, stream, after, cells }, context);
    if (reader.timeline !== stream.timeline) {
      // Before a block of the new timeline is stored: where the old one ended says nothing about positions that were read on the new.
      const moved = { ...stream, timeline: reader.timeline };
      await observer.failedOver(moved);
      this.#stream = moved;
    }
    this.#reader = reader;
    observer.connected(after);
    const queue = new BlockQueue<SourceBlock>(QUEUE_BYTES);
    const pumping = pump(reader, queue, observer);
    try {
      for (let blocks = await queue.take(); blocks.length > 0; blocks = await queue.take()) {
        crashPoint(crashPoints.READER_RECEIVED_NOT_STORED);
        await this.#store(blocks, context);
        crashPoint(crashPoints.READER_STORED_NOT_ACKNOWLEDGED);
        const last = blocks.at(-1)!;
        if (last.last.ordinal !== LAST_ORDINAL) crashPoint(crashPoints.READER_MID_TRANSACTION);
        // Promise 1: the source forgets only what the topic holds durably.
        reader.acknowledge(last.last);
        observer.stored(blocks);
        progressed();
      }
    } finally {
      this.#reader = undefined;
      queue.end();
    }
    await pumping;
  }

  /** One append under way at a time: were a later one stored after an earlier one failed, the topic would have a hole. */
  async #store(blocks: readonly SourceBlock[], context: ConnectorContext): Promise<void> {
    const { bus, topic, observer } = this.#options;
    const backoff = new Backoff({ firstMs: 500, maxMs: 5000 });
    for (;;) {
      try {
        await bus.append(
          topic,
          blocks.map((block) => block.bytes),
        );
        return;
      } catch (thrown) {
        const error = asTerraFusionError(thrown);
        // A full bus has stored nothing. The blocks stay in hand, the source waits behind them, its connection lives on.
        if (error.code !== 'BUS_FULL' || context.signal.aborted) throw error;
        observer.paused(error);
        await context.clock.sleep(backoff.next(), context.signal);
      }
    }
  }
}

async function pump(
  reader: SourceReader,
  queue: BlockQueue<SourceBlock>,
  observer: Pick<ReaderObserver, 'read'>,
): Promise<void> {
  try {
    for await (const block of reader.blocks()) {
      observer.read?.(block);
      await queue.put(block);
    }
    queue.end();
  } catch (error) {
    queue.end(error);
  }
}
