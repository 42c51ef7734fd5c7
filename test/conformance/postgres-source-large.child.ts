import { BlockReader } from '#schemas/block/index.ts';
import type { StreamIdentity } from '#connectors/contract/source.ts';
import { LAST_ORDINAL } from '#schemas/position.ts';
import { contextOf, sourceOf } from './postgres-source-fixture.ts';

/*
 * A process of its own, so that its memory is the reader's alone: reads the stream until a transaction with so many changes is complete,
 * and prints what it took.
 */
const [url, identity, wanted] = process.argv.slice(2) as [string, string, string];
const parsed = JSON.parse(identity) as Omit<StreamIdentity, 'consistentPoint'> & { readonly consistentPoint: string };
const stream = { ...parsed, consistentPoint: BigInt(parsed.consistentPoint) };
await using reader = await sourceOf(url).openReader(
  { sourceId: 'large', generation: 1, stream, after: undefined },
  contextOf(),
);
let changes = 0;
let sum = 0n;
let largest = 0;
const begun = process.cpuUsage();
for await (const block of reader.blocks()) {
  const opened = BlockReader.open(block.bytes);
  largest = Math.max(largest, block.bytes.length);
  while (opened.nextTransaction()) while (opened.nextChange()) sum += BigInt(opened.ordinal);
  changes += block.changes;
  reader.acknowledge(block.last);
  if (changes >= Number(wanted) && block.last.ordinal === LAST_ORDINAL) break;
}
const { user, system } = process.cpuUsage(begun);
const { maxRSS } = process.resourceUsage();
console.log(
  JSON.stringify({ changes, sum: String(sum), largest, maxRssMib: maxRSS / 1024, cpuSeconds: (user + system) / 1e6 }),
);
