import { TerraFusionError } from '#schemas/errors.ts';
import type { Bus, BusBlock } from '#services/kernel/bus/port.ts';

/** How an append fails: before anything is stored, with a part stored, or with all stored and the answer lost. */
export type AppendFailure = 'nothing-stored' | 'part-stored' | 'all-stored';

/** The bus of the tests: topics in memory, appends that can be held up or fail as a broker's may. */
export class MemoryBus implements Bus {
  readonly kind = 'kafka';
  readonly #topics = new Map<string, { first: bigint; blocks: Buffer[] }>();
  #changed = Promise.withResolvers<undefined>();
  /** Consumed by the next appends, one each. */
  readonly failures: (AppendFailure | undefined)[] = [];
  /** Awaited by every append before it stores anything. */
  hold: Promise<unknown> | undefined;
  /** Sizes of the appends that were stored. */
  readonly appends: number[] = [];

  blocks(topic: string): readonly Buffer[] {
    return this.#topics.get(topic)?.blocks ?? [];
  }

  createTopic(topic: string): Promise<void> {
    if (!this.#topics.has(topic)) this.#topics.set(topic, { first: 0n, blocks: [] });
    return Promise.resolve();
  }

  deleteTopic(topic: string): Promise<void> {
    this.#topics.delete(topic);
    return Promise.resolve();
  }

  listTopics(): Promise<string[]> {
    return Promise.resolve([...this.#topics.keys()]);
  }

  async append(topic: string, blocks: readonly Buffer[]): Promise<bigint> {
    await this.hold;
    const held = this.#topic(topic);
    const failure = this.failures.shift();
    const stored =
      failure === 'nothing-stored'
        ? []
        : failure === 'part-stored'
          ? blocks.slice(0, Math.ceil(blocks.length / 2))
          : blocks;
    held.blocks.push(...stored.map((block) => Buffer.from(block)));
    this.#wake();
    if (failure) throw new TerraFusionError('BUS_UNREACHABLE', `the broker is gone: ${failure}`);
    this.appends.push(blocks.length);
    return held.first + BigInt(held.blocks.length - 1);
  }

  tail(topic: string): Promise<BusBlock | undefined> {
    const { first, blocks } = this.#topic(topic);
    const bytes = blocks.at(-1);
    return Promise.resolve(bytes && { offset: first + BigInt(blocks.length - 1), bytes });
  }

  range(topic: string): Promise<{ first: bigint; next: bigint }> {
    const { first, blocks } = this.#topic(topic);
    return Promise.resolve({ first, next: first + BigInt(blocks.length) });
  }

  async *read(topic: string, from: bigint, signal: AbortSignal): AsyncGenerator<BusBlock> {
    let offset = from;
    const aborted = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => {
      aborted.resolve(undefined);
    });
    while (!signal.aborted) {
      const { first, blocks } = this.#topic(topic);
      if (offset < first) offset = first;
      const bytes = blocks[Number(offset - first)];
      if (bytes) yield { offset: offset++, bytes };
      else await Promise.race([this.#changed.promise, aborted.promise]);
    }
  }

  truncateBefore(topic: string, offset: bigint): Promise<void> {
    const held = this.#topic(topic);
    held.blocks.splice(0, Number(offset - held.first));
    held.first = offset;
    return Promise.resolve();
  }

  bytesHeld(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #topic(topic: string): { first: bigint; blocks: Buffer[] } {
    const held = this.#topics.get(topic);
    if (!held) throw new TerraFusionError('BUS_TOPIC_MISSING', `no topic ${topic}`);
    return held;
  }

  #wake(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers<undefined>();
  }
}
