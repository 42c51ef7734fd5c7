import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { ReaderRequest, Source, SourceBlock, SourceReader } from '#connectors/contract/source.ts';
import type { TerraFusionError } from '#schemas/errors.ts';
import { BlockReader } from '#schemas/block/index.ts';
import { comparePositions, type Position } from '#schemas/position.ts';

/** A source in memory, with the promises of the contract: blocks after what was asked for, then nothing more until it is stopped. */
export class FakeSource {
  /** What it has to give. */
  readonly blocks: SourceBlock[] = [];
  /** Each opening of a reader. */
  readonly requests: ReaderRequest[] = [];
  readonly acknowledged: Position[] = [];
  /** Called with each acknowledgement. */
  onAcknowledge: ((position: Position) => void) | undefined;
  /** Blocks that were asked for. */
  given = 0;
  timeline = 1;
  /** Consumed by the next openings, one each. */
  readonly failures: (TerraFusionError | undefined)[] = [];

  add(bytes: Buffer, last = BlockReader.summary(bytes).last): void {
    this.blocks.push({ bytes, last, changes: 1, transactions: 1, lastCommitTime: 0 });
  }

  get source(): Pick<Source, 'openReader'> {
    return { openReader: (request, context) => this.#open(request, context) };
  }

  #open(request: ReaderRequest, { signal }: ConnectorContext): Promise<SourceReader> {
    this.requests.push(request);
    const failure = this.failures.shift();
    if (failure) return Promise.reject(failure);
    const closed = new AbortController();
    const ended = AbortSignal.any([signal, closed.signal]);
    return Promise.resolve({
      timeline: this.timeline,
      blocks: () => this.#blocksAfter(request.after, ended),
      acknowledge: (position) => {
        this.acknowledged.push(position);
        this.onAcknowledge?.(position);
      },
      status: () => ({ sourceLsn: 0n, receivedLsn: 0n, acknowledgedLsn: 0n, bufferedBytes: 0 }),
      [Symbol.asyncDispose]: () => {
        closed.abort();
        return Promise.resolve();
      },
    });
  }

  async *#blocksAfter(after: Position | undefined, ended: AbortSignal): AsyncGenerator<SourceBlock, void, undefined> {
    for (const block of this.blocks) {
      if (ended.aborted) return;
      if (after !== undefined && comparePositions(block.last, after) <= 0) continue;
      this.given++;
      yield block;
    }
    if (ended.aborted) return;
    await new Promise((resolve) => {
      ended.addEventListener('abort', resolve, { once: true });
    });
  }
}
