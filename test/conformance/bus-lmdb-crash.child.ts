/**
 * The process that the crash test kills: appends to two topics as fast as it can, several appends under way, truncates now and then,
 * and says on stdout what was acknowledged, one line each: topic and offset. A block tells its own topic and offset.
 */
import { writeSync } from 'node:fs';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const [folder, seed] = process.argv.slice(2) as [string, string];
let random = Number(seed);
const below = (limit: number): number => {
  random = (Math.imul(random, 1103515245) + 12345) & 0x7fffffff;
  return random % limit;
};

const bus = await LmdbBus.open({ folder, maxBytes: 2 ** 30 }, silent);
await Promise.all(['one', 'two'].map(appendForever));

async function appendForever(topic: string): Promise<void> {
  await bus.createTopic(topic);
  let next = Number((await bus.range(topic)).next);
  const underWay: Promise<void>[] = [];
  for (;;) {
    const blocks = Array.from({ length: 1 + below(4) }, () =>
      Buffer.from(`${topic} ${next++} `.padEnd(below(3) === 0 ? 20_000 : 100, '·')),
    );
    const expected = next - 1;
    underWay.push(
      bus.append(topic, blocks).then((offset) => {
        writeSync(1, offset === BigInt(expected) ? `${topic} ${offset}\n` : `${topic} WRONG ${offset}\n`);
      }),
    );
    if (underWay.length >= 4) await underWay.shift();
    if (below(50) === 0) await bus.truncateBefore(topic, BigInt(next - 40));
  }
}
