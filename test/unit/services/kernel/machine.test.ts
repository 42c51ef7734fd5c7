import { expect, test } from 'vitest';
import { machineMetrics } from '#services/kernel/machine-metrics.ts';
import { parseNetwork, readMachine } from '#services/kernel/machine.ts';
import { createMetrics } from '#services/kernel/metrics.ts';

test('bytes over the network are those of all interfaces but the loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 999999    1000    0    0    0     0          0         0   999999    1000    0    0    0     0       0          0
  eth0:1000       10      0    0    0     0          0         0      200       3    0    0    0     0       0          0
  eth1:   5        1      0    0    0     0          0         0        6       1    0    0    0     0       0          0
`;
  expect(parseNetwork(text)).toEqual({ received: 1005, sent: 206 });
  expect(parseNetwork('')).toEqual({ received: 0, sent: 0 });
});

test('a folder that cannot be asked leaves the disk out, and nothing else', async () => {
  const machine = await readMachine('/there/is/no/such/folder');
  expect(machine.disk).toBeUndefined();
  expect(machine.memoryTotal).toBeGreaterThan(machine.memoryAvailable);
  expect(machine.cpuSeconds.idle).toBeGreaterThan(0);
});

test('the machine is read at each look, and its counters do not add up over looks', async () => {
  const metrics = createMetrics({ component: 'gateway', processMetrics: false });
  machineMetrics(metrics, '/');
  const figure = async (name: string) =>
    Number(new RegExp(`^terrafusion_${name} (.*)$`, 'm').exec((await metrics.render()).text)?.[1]);
  const idle = 'system_cpu_seconds_total\\{mode="idle",component="gateway"\\}';
  const [first, second] = [await figure(idle), await figure(idle)];
  expect(first).toBeGreaterThan(0);
  expect(second / first).toBeLessThan(1.5);
  expect(await figure('system_disk_total_bytes\\{component="gateway"\\}')).toBeGreaterThan(
    await figure('system_disk_available_bytes\\{component="gateway"\\}'),
  );
});
