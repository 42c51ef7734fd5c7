import type { PgoutputDecoder } from './pgoutput.ts';

/** How long changes gather at most, in milliseconds. */
const GATHER_MS = 8;
/** A block of this size tells of a load at which fewer, larger blocks serve everybody better than the soonest one. */
const BUSY_BYTES = 64 * 1024;

export interface GatheringHost {
  /** A slice of a transaction is worth closing from this size on. */
  readonly sliceBytes: number;
  readonly decoder: () => Pick<PgoutputDecoder, 'openBytes' | 'betweenTransactions' | 'flush'>;
  /** Somebody waits for a block. */
  readonly isAwaited: () => boolean;
  /** The consumer is still storing what it got. */
  readonly isStoring: () => boolean;
}

/** Decides when a block that is not full is closed. */
export class Gathering {
  readonly #host: GatheringHost;
  #looking = false;
  #timer: NodeJS.Timeout | undefined;
  #lastBlockBytes = 0;

  constructor(host: GatheringHost) {
    this.#host = host;
  }

  /** A block of this size has been closed. */
  closed(bytes: number): void {
    this.#lastBlockBytes = bytes;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /**
   * Looks, for a waiting consumer, whether the source has nothing more to give, and closes the open block then. The event loop reads what
   * the socket has, then comes here: what has come by now is all there is. While the consumer is still storing what it got, one more small
   * block is of no use to it: changes gather until it has acknowledged that, so blocks grow with the load by themselves. And under a load
   * that fills blocks anyway they gather a while longer: every block costs a commit in the log and at the target, whatever its size.
   */
  lookSoon(): void {
    const { decoder, isAwaited, isStoring } = this.#host;
    if (this.#looking || !isAwaited() || decoder().openBytes === 0) return;
    // Nobody is bound to acknowledge before asking for more: hence the timer.
    if (this.#lastBlockBytes >= BUSY_BYTES || isStoring()) {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        this.#look();
      }, GATHER_MS);
      return;
    }
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      this.#look();
    });
  }

  /**
   * A few changes of a transaction that has not ended yet are of no use to anybody and wait for more, whatever whole transactions stand
   * before them: the rest is on its way.
   */
  #look(): void {
    if (!this.#host.isAwaited()) return;
    const decoder = this.#host.decoder();
    const { openBytes, betweenTransactions } = decoder;
    if (openBytes > 0 && (betweenTransactions || openBytes >= this.#host.sliceBytes)) decoder.flush();
  }
}
