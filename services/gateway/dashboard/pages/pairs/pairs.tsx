import type { PairState } from '#schemas/pairs.ts';
import { pairs, pairsById } from '../../app/live.ts';
import { place, setQuery } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { words } from '../../format.ts';
import { Card, PageHead } from '../../ui/page.tsx';
import { PairTable } from './pair-table.tsx';

const states: readonly PairState[] = ['created', 'loading', 'catching_up', 'streaming', 'paused', 'failed'];

/** All pairs, live, by part of a name and by state; the filter is in the address. */
export function Pairs() {
  const { query } = place.value;
  const text = query.get('text') ?? '';
  const state = query.get('state') ?? '';
  const wanted = text.toLowerCase();
  const shown = pairs.value.filter(
    (pair) =>
      (state === '' || pair.state === state) &&
      [pair.name, pair.source.name, pair.target.name].some((name) => name.toLowerCase().includes(wanted)),
  );
  return (
    <>
      <PageHead title="Pairs">
        {may('editor') ? (
          <a class="button main" href="/dashboard/pairs/new/step/systems">
            New pair
          </a>
        ) : undefined}
      </PageHead>
      <Card flush>
        <div class="filters" role="search">
          <label>
            <span class="sr-only">Search pairs</span>
            <input
              type="search"
              placeholder="Name of a pair or system"
              value={text}
              onInput={(event) => {
                setQuery({ text: event.currentTarget.value });
              }}
            />
          </label>
          <label>
            <span class="sr-only">State</span>
            <select
              value={state}
              onChange={(event) => {
                setQuery({ state: event.currentTarget.value });
              }}
            >
              <option value="">Every state</option>
              {states.map((each) => (
                <option key={each} value={each}>
                  {words(each)}
                </option>
              ))}
            </select>
          </label>
          <span class="soft">
            {shown.length} of {pairs.value.length}
          </span>
        </div>
        <PairTable pairs={pairsById.value === undefined ? undefined : shown} filtered={text !== '' || state !== ''} />
      </Card>
    </>
  );
}
