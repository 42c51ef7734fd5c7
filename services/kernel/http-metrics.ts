import type { Histogram } from 'prom-client';
import type { Metrics } from './metrics.ts';

/** How long requests take, by route and not by path: ids would make a series each. */
export function httpMetrics(metrics: Metrics): Histogram<'method' | 'route' | 'status'> {
  return metrics.histogram({
    name: 'http_request_seconds',
    help: 'Time from the request to the last byte of its reply, by route.',
    labels: ['method', 'route', 'status'],
  });
}
