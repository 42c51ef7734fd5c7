import autocannon from 'autocannon';
import type { GatewayProduct } from './product.ts';

/** What a dashboard, a terminal and a script ask for: the status one time in four, and lists. */
const paths = [
  '/api/status',
  '/api/sync-pairs',
  '/api/systems',
  '/api/sync-operations',
  '/api/status',
  '/api/sync-pairs/busy/tables',
  '/api/dead-letters',
  '/api/audit',
];
const CONNECTIONS = 10;

export interface Answers {
  readonly requests: number;
  /** Requests a second that were answered. */
  readonly rate: number;
  /** Answered with anything but 200, or not at all. */
  readonly failures: number;
  /** Milliseconds from when a request was due, not from when it was sent: a slow answer delays those behind it. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Asks at a steady rate, with the given keys in turn. */
export async function ask(
  { url }: GatewayProduct,
  keys: readonly string[],
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
): Promise<Answers> {
  const requests = paths.flatMap((path) => keys.map((key) => ({ path, headers: { 'x-api-key': key } })));
  const {
    latency,
    non2xx,
    errors,
    timeouts,
    '2xx': good,
  } = await autocannon({
    url,
    connections: CONNECTIONS,
    overallRate: rate,
    duration: seconds,
    requests,
  });
  return {
    requests: good + non2xx,
    rate: good / seconds,
    failures: non2xx + errors + timeouts,
    p50: latency.p50,
    p99: latency.p99,
    max: latency.max,
  };
}
