import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import { describeBus } from './bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

// From memory, as whoever keeps up reads it, and from the files, as after a restart.
for (const [from, recentBytes] of [
  ['as it is', undefined],
  ['everything read from its files', 0],
] as const) {
  describeBus(`embedded, on LMDB, ${from}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-bus-'));
    return {
      runs: 60,
      open: () => LmdbBus.open({ folder, maxBytes: 2 ** 30, ...(recentBytes === 0 && { recentBytes }) }, silent),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    };
  });
}
