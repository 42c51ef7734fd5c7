import type { Bus } from '#services/kernel/bus/port.ts';
import type { Metrics } from '#services/kernel/metrics.ts';

/** What the embedded bus uses of its disk budget; a broker tells that of itself. */
export function busMetrics(metrics: Metrics, bus: Pick<Bus, 'usage'>): void {
  metrics.gauge({ name: 'bus_used_bytes', help: 'Disk that all topics of the embedded bus use.' }, (gauge) => {
    const used = bus.usage?.().usedBytes;
    if (used !== undefined) gauge.set(used);
    else gauge.remove();
  });
  metrics.gauge({ name: 'bus_max_bytes', help: 'Disk that they may use (BUS_MAX_BYTES).' }, (gauge) => {
    const most = bus.usage?.().maxBytes;
    if (most !== undefined) gauge.set(most);
    else gauge.remove();
  });
}
