import { setTimeout as delay } from 'node:timers/promises';
import type { Family, Fault } from '../fault.ts';
import type { EndName } from '../scene.ts';
import { nameOf } from './names.ts';

function faultsOf(end: EndName): Fault[] {
  const whose = nameOf[end];
  return [
    {
      name: `${whose} restarted`,
      what: 'An orderly restart under load.',
      outcome: 'recovers',
      strike: (scene) => scene.end(end).server.restart(),
    },
    {
      name: `${whose} killed (kill -9)`,
      what: 'The postmaster and all its processes at once; started again it recovers from its WAL.',
      outcome: 'recovers',
      ...(end === 'target' && { short: true }),
      strike: async (scene) => {
        const { server } = scene.end(end);
        await server.kill9();
        await server.start();
      },
    },
    {
      name: `${whose} killed, and away for a while`,
      what: 'Killed likewise, and started again after twelve seconds: longer than leases last.',
      outcome: 'recovers',
      strike: async (scene) => {
        const { server } = scene.end(end);
        await server.kill9();
        await delay(12_000);
        await server.start();
      },
    },
  ];
}

export const servers: Family = {
  name: 'Servers',
  faults: [...faultsOf('source'), ...faultsOf('target'), ...faultsOf('control')],
};
