/**
 * Hands blocks from who makes them to who is busy with the ones before: the next batch gathers here meanwhile, so batches grow by
 * themselves under load, and at an idle moment a single block leaves at once. Bounded by bytes. (Promise 6)
 */
export class BlockQueue<Block extends { readonly bytes: Buffer }> {
  readonly #limit: number;
  #blocks: Block[] = [];
  #bytes = 0;
  #ended = false;
  #failure: unknown;
  #wakeTaker: (() => void) | undefined;
  #wakePutter: (() => void) | undefined;

  /** @param limit bytes; one block larger than it passes alone */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves once the queue has room again; the block is in it at once. */
  async put(block: Block): Promise<void> {
    this.#blocks.push(block);
    this.#bytes += block.bytes.length;
    this.#wakeTaker?.();
    while (this.#bytes >= this.#limit && !this.#ended) {
      await new Promise<void>((resolve) => (this.#wakePutter = resolve));
      this.#wakePutter = undefined;
    }
  }

  /** No more blocks will come; with a failure, `take` throws it once the blocks before it are taken. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wakeTaker?.();
    this.#wakePutter?.();
  }

  /**
   * The blocks that wait, at least one; empty at the end.
   * @param most bytes; at least one block is given however large it is
   */
  async take(most = Infinity): Promise<Block[]> {
    while (this.#blocks.length === 0) {
      if (this.#ended) {
        if (this.#failure !== undefined) throw this.#failure as Error;
        return [];
      }
      await new Promise<void>((resolve) => (this.#wakeTaker = resolve));
      this.#wakeTaker = undefined;
    }
    let count = 0;
    let bytes = 0;
    while (count < this.#blocks.length && (count === 0 || bytes + this.#blocks[count]!.bytes.length <= most)) {
      bytes += this.#blocks[count]!.bytes.length;
      count++;
    }
    this.#bytes -= bytes;
    this.#wakePutter?.();
    return this.#blocks.splice(0, count);
  }
}
