import type { PairSummary } from './pairs.ts';
import type { AlertView, ComponentView } from './status.ts';

/**
 * What `GET /api/events` sends, one server-sent event each: the type as `event:`, the rest as JSON in `data:`.
 * `pairs` comes first and after every reconnect; from then on only what has changed. A reader that is too slow is cut off and
 * starts again with `pairs`, so nothing has to be numbered or kept for it.
 */
export type ServerEvent =
  | { readonly type: 'pairs'; readonly data: { readonly items: readonly PairSummary[] } }
  | { readonly type: 'pair'; readonly data: PairSummary }
  | { readonly type: 'pair_deleted'; readonly data: { readonly id: string } }
  | { readonly type: 'components'; readonly data: { readonly items: readonly ComponentView[] } }
  | { readonly type: 'alerts'; readonly data: { readonly items: readonly AlertView[] } };
