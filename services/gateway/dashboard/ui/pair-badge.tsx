import type { PairSummary } from '#schemas/http/pairs.ts';
import { Badge } from './badge.tsx';

/** The state of a pair; of one that nobody works on, that it is an old one. */
export function PairBadge({ pair: { state, stale, desired, error } }: { readonly pair: PairSummary }) {
  if (stale) return <Badge state="unknown" label="no news" title={`Nobody works on it; last told: ${state}`} />;
  if (error !== null && state !== 'failed') return <Badge state={state} tone="busy" title={error.message} />;
  // It is told to rest and still finishes what is in hand.
  if (desired === 'paused' && state !== 'paused' && state !== 'created' && state !== 'failed')
    return <Badge state="pausing" />;
  return <Badge state={state} />;
}
