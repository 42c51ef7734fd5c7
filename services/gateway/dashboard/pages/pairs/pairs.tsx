import type { PairState } from '#schemas/pairs.ts';
import { pairs, pairsById } from '../../app/live.ts';
import { place } from '../../app/router.ts';
import { may } from '../../app/session.ts';
import { words } from '../../format.ts';
import { Filters, SelectFilter, TextFilter } from '../../ui/filters.tsx';
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
        <Filters names={['text', 'state']} told={`${shown.length} of ${pairs.value.length}`}>
          <TextFilter name="text" label="Search pairs" placeholder="Name of a pair or system" />
          <SelectFilter
            name="state"
            label="State"
            every="Every state"
            options={states.map((value) => ({ value, label: words(value) }))}
          />
        </Filters>
        <PairTable pairs={pairsById.value === undefined ? undefined : shown} filtered={text !== '' || state !== ''} />
      </Card>
    </>
  );
}
