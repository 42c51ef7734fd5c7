import { statfs } from 'node:fs/promises';
import { cpus, freemem, loadavg, totalmem } from 'node:os';
import type { SystemMetrics } from '#schemas/http/metrics.ts';

let last = cpuTimes();
let percent = 0;

/** What the machine and this process use now; CPU since the last look that is at least a second old. */
export async function systemMetrics(dataFolder: string): Promise<SystemMetrics> {
  const now = cpuTimes();
  const total = now.total - last.total;
  if (total > 0) percent = (100 * (total - (now.idle - last.idle))) / total;
  if (now.at - last.at > 1000) last = now;
  const disk = await statfs(dataFolder).catch(() => undefined);
  return {
    cpu_percent: Math.round(percent * 10) / 10,
    load_average_1m: loadavg()[0]!,
    memory_used_bytes: totalmem() - freemem(),
    memory_total_bytes: totalmem(),
    disk_used_bytes: disk ? (disk.blocks - disk.bfree) * disk.bsize : null,
    disk_total_bytes: disk ? disk.blocks * disk.bsize : null,
    process_rss_bytes: process.memoryUsage.rss(),
    process_uptime_s: Math.round(process.uptime()),
  };
}

function cpuTimes(): { readonly at: number; readonly idle: number; readonly total: number } {
  let idle = 0;
  let total = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    total += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { at: performance.now(), idle, total };
}
