import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { BusBlock } from '#services/kernel/bus/port.ts';
import { crashPoint, crashPoints } from '#services/kernel/crash-points.ts';
import type { ProcessedBlock, Processor } from './compile.ts';

/** A processed block on its way to the writer. */
export interface InlineBlock {
  readonly bytes: Buffer;
  /** Where to go on reading the input topic once this block is applied. */
  readonly nextOffset: bigint;
  readonly counts: ProcessedBlock['counts'];
}

/**
 * The stream processor of the embedded bus: blocks go straight on to the writer. Nothing is kept here; after a crash the writer asks
 * for the same blocks again, and they come out the same.
 */
export async function* processed(
  source: AsyncIterable<BusBlock>,
  processor: Processor,
  storeDeadLetters: (letters: readonly DeadLetter[]) => Promise<void>,
  onProcessed?: (given: Buffer, made: ProcessedBlock) => void,
): AsyncGenerator<InlineBlock, void, undefined> {
  for await (const { offset, bytes } of source) {
    const block = processor.process(bytes, offset);
    onProcessed?.(bytes, block);
    crashPoint(crashPoints.PROCESSOR_PROCESSED_NOT_APPENDED);
    if (block.deadLetters.length > 0) {
      // Promise 2: dead letters are stored before the position that covers them can be.
      await storeDeadLetters(block.deadLetters);
      crashPoint(crashPoints.PROCESSOR_DEAD_LETTERS_STORED_NOT_APPENDED);
    }
    yield {
      bytes: block.bytes,
      nextOffset: offset + 1n,
      get counts() {
        return block.counts;
      },
    };
  }
}
