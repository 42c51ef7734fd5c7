import type { Counter } from 'prom-client';
import { readMachine, type MachineReading } from './machine.ts';
import type { Metrics } from './metrics.ts';

/** How old a reading may be, in ms: the metrics of one look are of one reading. */
const SAME_LOOK = 500;

/** CPU, memory, disk and network of the machine that this process runs on. Read when somebody looks, and never otherwise. */
export function machineMetrics(metrics: Metrics, folder: string): void {
  let at = -Infinity;
  let reading: Promise<MachineReading> | undefined;
  const read = (): Promise<MachineReading> => {
    if (reading === undefined || performance.now() - at > SAME_LOOK) {
      at = performance.now();
      reading = readMachine(folder);
    }
    return reading;
  };
  const gauge = (name: string, help: string, of: (machine: MachineReading) => number | undefined): void => {
    metrics.gauge({ name, help }, async (self) => {
      const value = of(await read());
      if (value === undefined) self.remove();
      else self.set(value);
    });
  };
  gauge('system_cpu_cores', 'Cores of the machine.', ({ cores }) => cores);
  gauge('system_load1', 'Processes that ran or wanted to, over a minute.', ({ load1 }) => load1);
  gauge('system_memory_total_bytes', 'Memory of the machine.', ({ memoryTotal }) => memoryTotal);
  gauge('system_memory_available_bytes', 'Memory that programs could still get.', (machine) => machine.memoryAvailable);
  gauge('system_disk_total_bytes', 'Size of the file system that holds the data folder.', ({ disk }) => disk?.total);
  gauge('system_disk_available_bytes', 'What of it is free for us.', ({ disk }) => disk?.available);
  counter(metrics, 'system_cpu_seconds_total', 'Seconds of all cores, by what they did.', ['mode'], async (self) => {
    for (const [mode, seconds] of Object.entries((await read()).cpuSeconds)) self.inc({ mode }, seconds);
  });
  counter(
    metrics,
    'system_network_bytes_total',
    'Bytes over all interfaces but the loopback, by direction: received, sent; absent where the system does not tell.',
    ['direction'],
    async (self) => {
      const { network } = await read();
      if (!network) return;
      self.inc({ direction: 'received' }, network.received);
      self.inc({ direction: 'sent' }, network.sent);
    },
  );
}

/** A counter that the system keeps: it is told anew at each look. */
function counter<Label extends string>(
  metrics: Metrics,
  name: string,
  help: string,
  labels: readonly Label[],
  tell: (counter: Counter<Label>) => Promise<void>,
): void {
  metrics.counter({ name, help, labels }, async (self) => {
    self.reset();
    await tell(self);
  });
}
