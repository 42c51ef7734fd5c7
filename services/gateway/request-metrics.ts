import { httpMetrics } from '#services/kernel/http-metrics.ts';
import type { Metrics } from '#services/kernel/metrics.ts';
import type { App } from './gateway.ts';

/** What was asked of the gateway since it started. */
export interface RequestTotals {
  requests: number;
  /** Answered with 500 or above. */
  errors: number;
  seconds: number;
  /** Of these, of routes that answer as soon as they can: a fence waits on purpose. */
  prompt: number;
  promptSeconds: number;
}

/** Routes that wait for something, or ask other systems. */
const waits = /\/(fence|cutover|check|replay|validate)(\/|$)|^\/api\/sync-pairs$/;

declare module 'fastify' {
  interface FastifyInstance {
    readonly requestTotals: Readonly<RequestTotals>;
  }
}

/** Counts and times requests, by route and not by path: ids would make a series each. */
export function countRequests(app: App, metrics: Metrics): void {
  const durations = httpMetrics(metrics);
  const totals: RequestTotals = { requests: 0, errors: 0, seconds: 0, prompt: 0, promptSeconds: 0 };
  app.decorate('requestTotals', totals);
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    // An event stream lasts as long as somebody looks: that is no response time.
    if (route !== '/api/events') {
      const seconds = reply.elapsedTime / 1000;
      durations.observe({ method: request.method, route, status: reply.statusCode }, seconds);
      totals.requests += 1;
      totals.seconds += seconds;
      if (reply.statusCode >= 500) totals.errors += 1;
      if (!waits.test(route)) {
        totals.prompt += 1;
        totals.promptSeconds += seconds;
      }
    }
    done();
  });
}
