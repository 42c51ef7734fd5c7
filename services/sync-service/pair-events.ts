import type { TerraFusionError } from '#schemas/errors.ts';
import type { PairState } from '#schemas/pairs.ts';
import type { AuditEventName } from '#services/control/audit-events.ts';
import type { HeldRun, Trouble } from '#services/control/pair-runs.ts';

/** What the word about a pair means for the trail. */
export interface StateEvents {
  readonly events: readonly {
    readonly name: AuditEventName;
    readonly details: Readonly<Record<string, unknown>>;
    readonly distinct?: string;
  }[];
  readonly trouble: Trouble | undefined;
}

/**
 * What is new in a word about a pair. An interruption is told with its first word, and again only when it becomes another one; it is over
 * once the pair streams, or its load is complete: whoever tries again says that it runs, and may fail again. (Promise 9)
 * @param now ISO 8601
 */
export function stateEvents(
  before: Pick<HeldRun, 'state' | 'trouble'>,
  state: PairState,
  error: TerraFusionError | undefined,
  now: string,
): StateEvents {
  const { trouble } = before;
  const events: StateEvents['events'][number][] = [];
  const runs = state === 'loading' || state === 'catching_up' || state === 'streaming';
  if (runs && (before.state === 'created' || before.state === 'paused')) {
    events.push({ name: 'pair.started', details: { state } });
  }
  if (error) {
    const details = { state: before.state, code: error.code, message: error.message };
    const name = state === 'failed' ? 'pair.halted' : 'pair.interrupted';
    const isNew = state === 'failed' ? before.state !== 'failed' : trouble?.code !== error.code;
    if (isNew || trouble?.code !== error.code) events.push({ name, details, distinct: error.code });
    return { events, trouble: { code: error.code, since: trouble?.since ?? now } };
  }
  const isOver = state === 'streaming' || (before.state === 'loading' && state === 'catching_up');
  if (trouble && isOver) events.push({ name: 'pair.recovered', details: { state, ...trouble } });
  if (state !== before.state && state === 'streaming') events.push({ name: 'pair.streaming', details: {} });
  if (state !== before.state && state === 'paused') events.push({ name: 'pair.paused', details: {} });
  return { events, trouble: isOver ? undefined : trouble };
}
