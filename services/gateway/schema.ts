import { z } from 'zod';
import { errorReply } from '#schemas/http/common.ts';

/** Sections of the API reference, in its order. */
export const tags = [
  { name: 'Status', description: 'What runs, how it is doing.' },
  { name: 'Systems', description: 'The registered ends of pairs.' },
  { name: 'Sync pairs', description: 'What is kept in step, and whether it runs.' },
  { name: 'Sync operations', description: 'Runs: first loads, resyncs, catching up.' },
  { name: 'Jobs', description: 'Sync operations for programs written against the older service.' },
  { name: 'Dead letters', description: 'Changes that could not go on.' },
  { name: 'Alerts', description: 'What is wrong, and what was.' },
  { name: 'Self-healing', description: 'What is done without anybody asking for it.' },
  { name: 'Audit', description: 'Who did what.' },
  { name: 'Keys', description: 'Who may do what.' },
  { name: 'Session', description: 'Logging in with a browser.' },
  { name: 'Settings', description: 'What this installation runs with.' },
] as const;
type Tag = (typeof tags)[number]['name'];

export interface RouteWords {
  readonly tags: [Tag];
  readonly summary: string;
  readonly description?: string;
}

/** What every route's schema says beside its bodies. */
export const words = (tag: Tag, summary: string, description?: string): RouteWords => ({
  tags: [tag],
  summary,
  ...(description === undefined ? {} : { description }),
});

/** Replies of a route: its good ones, and the envelope of all others. */
export const replies = <Good extends Readonly<Record<number, z.ZodType>>>(good: Good) => ({
  ...good,
  '4xx': errorReply,
  '5xx': errorReply,
});

/** No body. */
export const nothing = z.undefined().describe('Done; no body.');

/** Takes part in "done once, however often it is sent". */
export const idempotencyHeader = z.looseObject({
  'idempotency-key': z
    .string()
    .max(200)
    .optional()
    .describe(
      'Any text of your own; sent again with the same body within 24 hours, the request is answered as before and not done again.',
    ),
});
