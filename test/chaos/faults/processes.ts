import { setTimeout as delay } from 'node:timers/promises';
import type { Family } from '../fault.ts';
import type { Scene } from '../scene.ts';

/** Longer than the leases under which the service works: somebody else might have taken over meanwhile. */
const LONG_MS = 15_000;

async function stopFor(scene: Scene, ms: number): Promise<void> {
  const { pid } = scene.service;
  process.kill(pid, 'SIGSTOP');
  await delay(ms);
  process.kill(pid, 'SIGCONT');
}

export const processes: Family = {
  name: 'The service',
  faults: [
    {
      name: 'service killed (SIGKILL)',
      what: 'The process is killed under load and started again; see also the kills at each crash point.',
      outcome: 'recovers',
      short: true,
      strike: async (scene) => {
        await scene.service.kill();
        scene.startService();
      },
    },
    {
      name: 'service told to stop under load',
      what: 'SIGTERM while changes are on the way; it drains, ends with 0 and is started again.',
      outcome: 'recovers',
      strike: async (scene) => {
        const { code } = await scene.service.stop();
        if (code !== 0) throw new Error(`It ended with ${code ?? 'a signal'}`);
        scene.startService();
      },
    },
    {
      name: 'service stopped for a moment (SIGSTOP)',
      what: 'Three seconds in which the process does nothing and does not know it.',
      outcome: 'recovers',
      strike: (scene) => stopFor(scene, 3000),
    },
    {
      name: 'service stopped for longer than its leases (SIGSTOP)',
      what: 'Fifteen seconds; its leases of ten have run out when it goes on.',
      outcome: 'recovers',
      strike: (scene) => stopFor(scene, LONG_MS),
    },
  ],
};
