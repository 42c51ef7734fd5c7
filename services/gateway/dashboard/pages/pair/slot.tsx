import type { SlotView } from '#schemas/http/pairs.ts';
import { bytes, duration } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { Card, Figure } from '../../ui/page.tsx';
import { Problem } from '../../ui/problem.tsx';
import { Time } from '../../ui/time.tsx';
import type { PairTabProps } from './pair.tsx';

/** What the source keeps for us, and for how long its budget lasts. */
export function SlotTab({ pair, view }: PairTabProps) {
  if (view === undefined) return <p class="soft loading">Loading …</p>;
  const { slot } = view;
  if (slot === null) {
    return (
      <Card>
        <Empty title="There is no replication slot yet">
          It is made at {pair.source.name} when the pair is started for the first time: from then on the source keeps
          every change until it is in the topic.
        </Empty>
      </Card>
    );
  }
  return (
    <>
      {slot.problem === null ? null : <Problem {...slot.problem} tone={slot.level === 'near' ? 'busy' : 'bad'} />}
      <Budget slot={slot} />
      <Card title="The slot" actions={slot.state === null ? null : <SlotBadge slot={slot} />}>
        <dl class="figures">
          <Figure label="Name" value={<code>{slot.name}</code>} />
          <Figure label="Read at the moment" value={yes(slot.active)} />
          <Figure label="Confirmed" value={<code>{slot.confirmed_lsn ?? '–'}</code>} />
          <Figure
            label="Keeps WAL from"
            value={<code>{slot.restart_lsn ?? '–'}</code>}
            title="Behind what is confirmed by transactions that are still open at the source"
          />
          <Figure label="Generation" value={slot.generation} title="Grows when the slot has to be made anew" />
          <Figure label="Outlives a failover" value={yes(slot.failover)} />
          {slot.inactive_since === null ? null : (
            <Figure label="Nobody has read for" value={<Time at={slot.inactive_since} span />} />
          )}
          {slot.invalidation_reason === null ? null : <Figure label="Given up for" value={slot.invalidation_reason} />}
          <Figure label="Looked at" value={<Time at={slot.looked_at} />} />
        </dl>
      </Card>
      <p class="soft">All pairs of {pair.source.name} share this slot.</p>
    </>
  );
}

const yes = (value: boolean | null): string => (value === null ? '–' : value ? 'yes' : 'no');

function SlotBadge({ slot }: { readonly slot: SlotView }) {
  const tone = { reserved: 'good', extended: 'busy', unreserved: 'bad', lost: 'bad', missing: 'bad' } as const;
  const state = slot.state ?? 'unknown';
  return <Badge state={state} tone={state in tone ? tone[state as keyof typeof tone] : 'calm'} />;
}

function Budget({ slot }: { readonly slot: SlotView }) {
  const { retained_bytes: kept, budget_bytes: budget, level } = slot;
  const part = kept === null || budget === null || budget === 0 ? null : Math.min(1, kept / budget);
  const growth = slot.bytes_per_second;
  return (
    <Card title="WAL that the source keeps for us">
      {part === null ? null : (
        <div
          class={`track meter ${level ?? 'ok'}`}
          role="meter"
          aria-label="Part of the budget that is used"
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(part * 100)}
          aria-valuetext={`${bytes(kept)} of ${bytes(budget)}`}
        >
          <div class="fill" style={{ width: `${part * 100}%` }} />
        </div>
      )}
      <dl class="figures spaced">
        <Figure label="Kept" value={bytes(kept)} />
        <Figure label="Budget" value={bytes(budget)} />
        <Figure label="Grows by" value={growth === null ? '–' : `${bytes(Math.max(0, growth))}/s`} />
        <Figure
          label="Budget lasts for"
          value={
            slot.seconds_left === null ? (growth === null ? '–' : 'it does not grow') : duration(slot.seconds_left)
          }
        />
        <Figure
          label="Until the source gives up"
          value={slot.safe_bytes === null ? 'no limit there' : bytes(slot.safe_bytes)}
        />
      </dl>
    </Card>
  );
}
