import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Family, Fault } from '../fault.ts';
import { Scene } from '../scene.ts';

/** libfaketime, where Debian puts it: what a process asks the kernel for, it answers. */
const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path));

/** Puts the clock of the scene's service: "+1d" is a day before the machine's. */
const clocks = new WeakMap<Scene, (offset: string) => Promise<void>>();

/** Longer than a lease lasts, so that every wait and every age has been looked at with the wrong time. */
const WRONG_MS = 12_000;

const jump = (name: string, offset: string): Fault => ({
  name,
  what: `The service’s clock on the wall jumps by ${offset}, and back after twelve seconds; time that has passed is measured as ever.`,
  outcome: 'recovers',
  strike: async (scene) => {
    const put = clocks.get(scene)!;
    await put(offset);
    await delay(WRONG_MS);
    await scene.untilInStep();
    await put('+0');
  },
});

export const clockJumps: Family = {
  name: 'Clocks',
  faults: [jump('clock put forward by a day', '+1d'), jump('clock put back by a day', '-1d')],
  missing: () => Promise.resolve(LIBRARY === undefined ? 'libfaketime is not on this machine' : undefined),
  stage: async (options, work) => {
    const folder = await mkdtemp(join(tmpdir(), 'terrafusion-clock-'));
    const file = join(folder, 'offset');
    const put = (offset: string): Promise<void> => writeFile(file, offset);
    try {
      await put('+0');
      await using scene = await Scene.open({
        ...options,
        environment: {
          LD_PRELOAD: LIBRARY!,
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: '1',
          FAKETIME_DONT_FAKE_MONOTONIC: '1',
        },
      });
      clocks.set(scene, put);
      await work(scene);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
