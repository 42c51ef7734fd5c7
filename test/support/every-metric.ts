import type { GatewayDeps } from '#services/gateway/gateway.ts';
import { AlertMetrics } from '#services/gateway/alerts/alert-metrics.ts';
import { controlMetrics } from '#services/gateway/control-metrics.ts';
import { EVENT_STREAMS } from '#services/gateway/routes/events.ts';
import { healingCounter } from '#services/control/self-healing.ts';
import { httpMetrics } from '#services/kernel/http-metrics.ts';
import { machineMetrics } from '#services/kernel/machine-metrics.ts';
import { createMetrics, type Metrics } from '#services/kernel/metrics.ts';
import { busMetrics } from '#services/sync-service/bus-metrics.ts';
import { PipelineMetrics } from '#services/sync-service/pipeline-metrics.ts';

/** One metric as it is registered. */
export interface KnownMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

interface Registered {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly type?: string;
}

/** Everything that the registries of the processes hold, by who tells it. */
export async function everyMetric(): Promise<ReadonlyMap<string, readonly KnownMetric[]>> {
  const processes = createMetrics({ component: 'any' });
  machineMetrics(processes, '/');
  httpMetrics(processes);
  const pipeline = createMetrics({ component: 'any', processMetrics: false });
  new PipelineMetrics(pipeline, () => new Map());
  busMetrics(pipeline, {});
  const gateway = createMetrics({ component: 'any', processMetrics: false });
  // Registered, and never asked.
  controlMetrics(gateway, {} as GatewayDeps);
  new AlertMetrics(gateway);
  gateway.gauge(EVENT_STREAMS);
  healingCounter(gateway);
  return new Map([
    ['The pipeline: sync-service, or the stages as processes of their own', known(pipeline)],
    ['The gateway', known(gateway)],
    ['Every process', known(processes)],
  ]);
}

function known({ registry }: Metrics): KnownMetric[] {
  return (registry.getMetricsAsArray() as unknown as Registered[]).map(({ name, help, labelNames, ...metric }) => ({
    name,
    help,
    labels: labelNames,
    type: metric.type ?? metric.constructor.name.toLowerCase(),
  }));
}
