import { continuesFrom, withoutTransactions } from '#schemas/block/index.ts';
import { parseSnapshot } from '#schemas/visibility.ts';
import type { Processor } from '#services/stream-processor/compile.ts';
import type { LoadedSnapshot } from './ports.ts';

/**
 * The chain for a stream that begins before its snapshot: transactions that the snapshot shows have gone through the chain with the load,
 * and do not go through it again (a row that it refused would be two dead letters).
 */
export function laidOver(processor: Processor, snapshot: LoadedSnapshot | undefined): Processor {
  if (snapshot?.shown === undefined) return processor;
  const { until } = snapshot;
  const visibility = parseSnapshot(snapshot.shown);
  return {
    process: (bytes, inputOffset) => {
      // Commit LSNs only grow: what continues from behind the snapshot holds nothing of it.
      if ((continuesFrom(bytes)?.commitLsn ?? 0n) >= until) return processor.process(bytes, inputOffset);
      const rest = withoutTransactions(bytes, ({ xid, commitLsn }) => commitLsn < until && visibility.shows(xid));
      return processor.process(rest, inputOffset);
    },
  };
}
