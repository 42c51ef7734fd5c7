import type { PairSummary } from '#schemas/http/pairs.ts';
import type { PairState } from '#schemas/pairs.ts';
import { withQuery } from '../../app/paths.ts';
import { tone, words } from '../../format.ts';

const order: readonly PairState[] = ['failed', 'loading', 'catching_up', 'streaming', 'paused', 'created'];

/** How many pairs are in which state: each leads to the list of them. */
export function StateBar({ pairs }: { readonly pairs: readonly PairSummary[] }) {
  const by = Map.groupBy(pairs, ({ state }) => state);
  const shown = order.filter((state) => by.has(state));
  if (shown.length === 0) return null;
  return (
    <div class="state-bar">
      <div class="state-bar-track" aria-hidden="true">
        {shown.map((state) => (
          <i key={state} class={tone(state)} style={{ flexGrow: String(by.get(state)!.length) }} />
        ))}
      </div>
      <ul>
        {shown.map((state) => (
          <li key={state}>
            <a href={withQuery('/dashboard/pairs', { state })}>
              <i class={`swatch ${tone(state)}`} aria-hidden="true" /> {by.get(state)!.length} {words(state)}
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
