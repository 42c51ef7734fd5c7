import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LmdbBus } from '#services/kernel/bus/lmdb.ts';
import { describeBus } from './bus-contract.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describeBus('embedded, on LMDB', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'terrafusion-bus-'));
  return {
    runs: 60,
    open: () => LmdbBus.open({ folder, maxBytes: 2 ** 30 }, silent),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
});
