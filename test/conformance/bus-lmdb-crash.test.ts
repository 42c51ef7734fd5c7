import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import { take } from './bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const child = fileURLToPath(new URL('bus-lmdb-crash.child.ts', import.meta.url));
const KILLS = 12;

// Promise 1: what append returned is there after any end of the process.
test(
  'killed at any moment, the bus has every acknowledged block, in order and without a gap',
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-bus-'));
    try {
      for (let round = 0; round < KILLS; round++) {
        const acknowledged = await appendUntilKilled(folder, round);
        await using bus = await LmdbBus.open({ folder, maxBytes: 2 ** 30 }, silent);
        for (const [topic, offset] of acknowledged) {
          const { first, next } = await bus.range(topic);
          expect(next).toBeGreaterThan(offset);
          const blocks = await take(bus, topic, first, Number(next - first));
          expect(blocks.map((block) => block.offset)).toEqual(blocks.map((_, i) => first + BigInt(i)));
          for (const block of blocks) {
            expect(block.bytes.toString().startsWith(`${topic} ${String(block.offset)} `)).toBe(true);
          }
          expect((await bus.tail(topic))?.offset).toBe(next - 1n);
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);

/** Last acknowledged offset by topic, as heard from a child that is killed after some acknowledgements. */
async function appendUntilKilled(folder: string, round: number): Promise<Map<string, bigint>> {
  const process_ = spawn(process.execPath, [child, folder, String(1 + round * 7919)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(process_, 'exit');
  const killAfter = 1 + ((round * 37) % 150);
  const acknowledged = new Map<string, bigint>();
  let heard = 0;
  for await (const line of createInterface({ input: process_.stdout })) {
    const [topic, offset] = line.split(' ');
    acknowledged.set(topic!, BigInt(offset!));
    if (++heard === killAfter) process_.kill('SIGKILL');
  }
  await exited;
  expect(heard).toBeGreaterThanOrEqual(killAfter);
  return acknowledged;
}
