import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, loadavg, totalmem } from 'node:os';

/** What the machine uses, in the raw: counters since it was started, and what there is now. */
export interface MachineReading {
  /** Seconds of all cores by what they did. */
  readonly cpuSeconds: Readonly<Record<'user' | 'nice' | 'system' | 'idle' | 'irq', number>>;
  readonly cores: number;
  readonly load1: number;
  readonly memoryTotal: number;
  /** That programs could still get. */
  readonly memoryAvailable: number;
  /** Of the file system that holds the folder; undefined when it cannot be asked. */
  readonly disk: { readonly total: number; readonly available: number } | undefined;
  /** Bytes over all interfaces but the loopback; undefined where the system does not tell. */
  readonly network: { readonly received: number; readonly sent: number } | undefined;
}

export async function readMachine(folder: string): Promise<MachineReading> {
  const times = { user: 0, nice: 0, system: 0, idle: 0, irq: 0 };
  const cores = cpus();
  for (const { times: each } of cores) {
    times.user += each.user / 1000;
    times.nice += each.nice / 1000;
    times.system += each.sys / 1000;
    times.idle += each.idle / 1000;
    times.irq += each.irq / 1000;
  }
  const [disk, network] = await Promise.all([
    statfs(folder).then(
      ({ blocks, bfree, bavail, bsize }) => ({ total: (blocks - bfree + bavail) * bsize, available: bavail * bsize }),
      () => undefined,
    ),
    readFile('/proc/net/dev', 'utf8').then(parseNetwork, () => undefined),
  ]);
  return {
    cpuSeconds: times,
    cores: cores.length,
    load1: loadavg()[0]!,
    memoryTotal: totalmem(),
    memoryAvailable: freemem(),
    disk,
    network,
  };
}

/** `/proc/net/dev`: two lines of headings, then "name: received … (8 figures) sent …". */
export function parseNetwork(text: string): { readonly received: number; readonly sent: number } {
  let received = 0;
  let sent = 0;
  for (const line of text.split('\n').slice(2)) {
    const [name, figures] = line.split(':');
    if (figures === undefined || name!.trim() === 'lo') continue;
    const numbers = figures.trim().split(/\s+/).map(Number);
    received += numbers[0] ?? 0;
    sent += numbers[8] ?? 0;
  }
  return { received, sent };
}
