import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorCode } from '#schemas/errors.ts';
import type { Family, Fault } from '../fault.ts';
import type { EndName, Scene } from '../scene.ts';
import { nameOf } from './names.ts';

/** What is said while connections break; of the control database, which is where it would be said, nothing can be. */
const told: Readonly<Record<EndName, ErrorCode | undefined>> = {
  source: 'SOURCE_DISCONNECTED',
  target: 'TARGET_UNREACHABLE',
  control: undefined,
};

/** Longer than the leases under which the service works, in ms. */
const LONG_MS = 13_000;

async function untilNoticed(scene: Scene, end: EndName): Promise<void> {
  const code = told[end];
  if (code === undefined) await delay(LONG_MS);
  else await scene.untilTold(code);
}

function faultsOf(end: EndName): Fault[] {
  const to = `way to the ${nameOf[end]}`;
  return [
    {
      name: `${to} slow`,
      what: 'Every byte takes 120 ms each way, for eight seconds.',
      outcome: 'recovers',
      strike: async (scene) => {
        scene.end(end).proxy.slow({ latencyMs: 120 });
        await delay(8000);
        scene.end(end).proxy.open();
      },
    },
    {
      name: `${to} narrow`,
      what: '48 KiB a second for each connection, and two seconds until a new one comes through; all connections broken once, for eight seconds.',
      outcome: 'recovers',
      strike: async (scene) => {
        const { proxy } = scene.end(end);
        proxy.slow({ bytesPerSecond: 48 * 1024, slowStartMs: 2000 });
        proxy.reset();
        await delay(8000);
        proxy.open();
      },
    },
    {
      name: `${to} cut`,
      what: 'Every connection breaks and new ones are refused, until that is told (control database: 13 s).',
      outcome: 'recovers',
      ...(end === 'target' && { short: true }),
      strike: async (scene) => {
        scene.end(end).proxy.cut();
        await untilNoticed(scene, end);
        scene.end(end).proxy.open();
      },
    },
    {
      name: `${to} reset`,
      what: 'Every connection ends by RST, five times.',
      outcome: 'recovers',
      ...(end === 'source' && { short: true }),
      strike: async (scene) => {
        for (let time = 0; time < 5; time += 1) {
          scene.end(end).proxy.reset();
          await delay(400);
        }
      },
    },
    {
      name: `${to} frozen`,
      what: 'Eight seconds in which connections stay and nothing comes through; then all of it does.',
      outcome: 'recovers',
      strike: async (scene) => {
        scene.end(end).proxy.freeze();
        await delay(8000);
        scene.end(end).proxy.open();
      },
    },
    {
      name: `${to} half-open`,
      what: 'What either side sends is swallowed and nobody hears of it. New connections go through after five seconds; the old ones never live again.',
      outcome: 'recovers',
      strike: async (scene) => {
        scene.end(end).proxy.swallow();
        await delay(5000);
        scene.end(end).proxy.open();
      },
    },
  ];
}

export const network: Family = {
  name: 'Network',
  faults: [...faultsOf('source'), ...faultsOf('target'), ...faultsOf('control')],
};
