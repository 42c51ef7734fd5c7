/**
 * Imported by a process before everything else: its metrics are there, but nothing is counted, measured or sampled. For the benchmark only, which tells
 * from it what metrics cost.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const nothing = (): void => undefined;
Counter.prototype.inc = nothing;
Gauge.prototype.inc = nothing;
Gauge.prototype.dec = nothing;
Gauge.prototype.set = nothing;
Histogram.prototype.observe = nothing;
Registry.prototype.getMetricsAsJSON = () => Promise.resolve([]);
