/**
 * The blocks that were stored last, as they were given: whoever reads a topic's end, as all do that keep up, needs no look at the files,
 * no copy, and maps no pages of them. Bounded by bytes over all topics. (Promise 6)
 */
export class RecentBlocks {
  readonly #maxBytes: number;
  readonly #byTopic = new Map<string, Map<number, Buffer>>();
  /** In the order in which they came, the oldest at `#oldest`. */
  #order: { readonly topic: string; readonly offset: number; readonly bytes: number }[] = [];
  #oldest = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Only for blocks that are durable: nobody may see one that could still vanish. (Promise 1) */
  add(topic: string, offset: number, block: Buffer): void {
    if (block.length > this.#maxBytes) return;
    let blocks = this.#byTopic.get(topic);
    if (blocks === undefined) this.#byTopic.set(topic, (blocks = new Map<number, Buffer>()));
    blocks.set(offset, block);
    this.#order.push({ topic, offset, bytes: block.length });
    this.#bytes += block.length;
    while (this.#bytes > this.#maxBytes) this.#dropOldest();
  }

  get(topic: string, offset: number): Buffer | undefined {
    return this.#byTopic.get(topic)?.get(offset);
  }

  /** Lets go of a topic's blocks: it is gone, or its files are not what they were. Their places in the order go with time. */
  forget(topic: string): void {
    this.#byTopic.delete(topic);
  }

  #dropOldest(): void {
    const { topic, offset, bytes } = this.#order[this.#oldest++]!;
    this.#bytes -= bytes;
    const blocks = this.#byTopic.get(topic);
    blocks?.delete(offset);
    if (blocks?.size === 0) this.#byTopic.delete(topic);
    if (this.#oldest < 1024) return;
    this.#order = this.#order.slice(this.#oldest);
    this.#oldest = 0;
  }
}
