import { z } from 'zod';
import { pageQuery } from './common.ts';
import { componentView, healthView } from './status.ts';
import { systemMetrics } from './metrics.ts';

/** How one pair is run by this sync-service. */
export const supervisedPair = z.object({
  id: z.string(),
  name: z.string(),
  desired: z.enum(['running', 'paused']),
  state: z.string(),
  position: z.string().nullable(),
  error: z.string().nullable().describe('Code of what stops it.'),
});

/** What the sync-service tells about itself: GET /health of port 8080. */
export const syncServiceHealth = z.object({
  ...healthView.shape,
  version: z.string(),
  started_at: z.string(),
  components: z.array(componentView).describe('Bus, stages and whatever else it runs.'),
});
export type SyncServiceHealth = z.output<typeof syncServiceHealth>;

export const syncServicePairs = z.object({ items: z.array(supervisedPair) });
export const syncServiceSystems = z.object({
  items: z.array(z.object({ id: z.string(), name: z.string(), kind: z.string(), connector: z.string() })),
});

/** POST /api/sync/full and /api/sync/incremental of the sync-service: on a pair that is there. */
export const syncRequest = z.strictObject({ pair_id: z.string().min(1).max(64).describe('Id or name of the pair.') });
/** GET /api/sync/operations of the sync-service */
export const pageQueryInput = z.strictObject(pageQuery);

/** POST /sync/:pair_id/start */
export const startReply = z.object({ pair_id: z.string(), desired: z.literal('running') });

/** POST /dead-letters/:id/replay of the sync-service: the row as it is to be written, or nothing for the stored one. */
export const replayRequest = z
  .strictObject({ row: z.record(z.string(), z.string().nullable()).optional() })
  .prefault({});
export const replayReply = z.object({ id: z.string(), applied: z.literal(true) });

/** GET /api/metrics/system */
export const systemMetricsReply = systemMetrics;
