import { computed, signal } from '@preact/signals';
import type { ServerEvent } from '#schemas/http/events.ts';
import type { PairSummary } from '#schemas/http/pairs.ts';
import type { AlertView, ComponentState, ComponentView, StatusView } from '#schemas/http/status.ts';
import { ApiError, ask, get, pause } from './client.ts';
import { EventParser } from './event-parser.ts';
import { Series } from './series.ts';

/** Waits between two tries to reach the gateway, in ms. */
const RECONNECT_FIRST = 500;
const RECONNECT_MAX = 10_000;
/** The gateway says every 15 s that it lives; a connection that is silent for longer than this is dead, in ms. */
const SILENCE = 40_000;
const TICK = 1000;

/** Whether what is shown is live. */
export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  | { readonly state: 'lost'; readonly since: number; readonly reason: string };

export const connection = signal<Connection>({ state: 'connecting' });
/** All pairs by id; undefined until the gateway has told. */
export const pairsById = signal<ReadonlyMap<string, PairSummary> | undefined>(undefined);
export const components = signal<readonly ComponentView[]>([]);
export const alerts = signal<readonly AlertView[]>([]);
const tick = signal(0);
/** Called by a component that shows a series: it is drawn again once a second, with the new points. */
export const useTick = (): number => tick.value;

export const pairs = computed<readonly PairSummary[]>(() =>
  [...(pairsById.value?.values() ?? [])].sort((a, b) => a.name.localeCompare(b.name)),
);
export const openDeadLetters = computed(() => pairs.value.reduce((sum, pair) => sum + pair.dead_letters, 0));
/** The worst of what is known of the components. */
export const health = computed<ComponentState>(() => {
  if (connection.value.state === 'lost') return 'unknown';
  const states = components.value.map(({ state }) => state);
  return (['down', 'degraded', 'unknown'] as const).find((state) => states.includes(state)) ?? 'up';
});

const seriesById = new Map<string, Series>();
let whole = new Series();

/** Rate and lag of a pair over the last minutes. See `useTick`. */
export function seriesOf(id: string): Series {
  let series = seriesById.get(id);
  if (!series) seriesById.set(id, (series = new Series()));
  return series;
}
/** The same of all pairs together: sum of the rates, worst lag. */
export const seriesOfAll = (): Series => whole;

/** The pair of this id or name, as last told. */
export const findPair = (wanted: string): PairSummary | undefined =>
  pairsById.value?.get(wanted) ?? pairs.value.find(({ name }) => name === wanted);

/** Keeps everything above up to date until the signal says that nobody looks any more. */
export async function followEvents(signal: AbortSignal): Promise<void> {
  const timer = setInterval(sample, TICK);
  try {
    await follow(signal);
  } finally {
    clearInterval(timer);
    forget();
  }
}

async function follow(signal: AbortSignal): Promise<void> {
  const ended = (): boolean => signal.aborted;
  let wait = RECONNECT_FIRST;
  while (!ended()) {
    try {
      for await (const event of readEvents('/api/events', signal)) {
        wait = RECONNECT_FIRST;
        connection.value = { state: 'live' };
        take(event);
      }
      lost('The gateway has closed the stream.');
    } catch (error) {
      if (ended()) return;
      // The browser's own words ("network error") tell nobody anything.
      lost(error instanceof ApiError ? error.message : 'The connection to the gateway broke.');
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
    }
    // Also without a stream (there may be too many) the figures should not stand still.
    await get<StatusView>('/api/status', { signal }).then(takeStatus, () => undefined);
    await pause(wait, signal).catch(() => undefined);
    wait = Math.min(wait * 2, RECONNECT_MAX);
  }
}

function lost(reason: string): void {
  const { value } = connection;
  connection.value = { state: 'lost', since: value.state === 'lost' ? value.since : Date.now(), reason };
}

/** The stream is read by hand: EventSource does not tell why it was refused, and nothing of a connection that has gone silent. */
async function* readEvents(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
  const silence = new AbortController();
  const reply = await ask('GET', path, undefined, {
    accept: 'text/event-stream',
    signal: AbortSignal.any([signal, silence.signal]),
    within: 0,
  });
  const parser = new EventParser();
  let timer = 0;
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      silence.abort(new Error('The gateway has been silent for too long.'));
    }, SILENCE);
  };
  heard();
  try {
    const decoder = new TextDecoder();
    const reader = reply.body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      for (const { type, data } of parser.push(decoder.decode(value, { stream: true })))
        yield { type, data: JSON.parse(data) as unknown } as ServerEvent;
    }
  } finally {
    clearTimeout(timer);
  }
}

function take(event: ServerEvent): void {
  switch (event.type) {
    case 'pairs':
      takePairs(event.data.items);
      return;
    case 'pair':
      takePairs([...(pairsById.value?.values() ?? []), event.data]);
      return;
    case 'pair_deleted':
      takePairs([...(pairsById.value?.values() ?? [])].filter(({ id }) => id !== event.data.id));
      return;
    case 'components':
      components.value = event.data.items;
      return;
    case 'alerts':
      alerts.value = event.data.items;
      return;
    default:
      // A newer gateway may tell more.
      event satisfies never;
  }
}

function takeStatus(status: StatusView): void {
  components.value = status.components;
  alerts.value = status.alerts;
  // Without its control database the gateway knows no pairs: those that were told last are shown on, with their age.
  const knows = status.components.some(({ name, state }) => name === 'control-database' && state !== 'down');
  if (knows) takePairs(status.pairs);
}

function takePairs(items: readonly PairSummary[]): void {
  pairsById.value = new Map(items.map((pair) => [pair.id, pair]));
  for (const id of seriesById.keys()) if (!pairsById.value.has(id)) seriesById.delete(id);
}

/** A pair that rests sends no events: its rate falls to nothing all the same. */
function sample(): void {
  if (connection.value.state !== 'live') return;
  const at = Date.now();
  // Rates are added and not counters: a pair that is made or deleted is no burst of changes.
  let rate: number | undefined;
  let lag: number | null = null;
  for (const pair of pairs.value) {
    const series = seriesOf(pair.id);
    series.add(pair.changes_applied, pair.lag_seconds, at);
    const point = series.points.at(-1);
    if (point !== undefined) rate = (rate ?? 0) + point.rate;
    if (pair.lag_seconds !== null) lag = Math.max(lag ?? 0, pair.lag_seconds);
  }
  // Before any pair was looked at twice nothing is known, which is not 0.
  if (rate !== undefined || pairs.value.length === 0) whole.push({ at: at / 1000, rate: rate ?? 0, lag });
  tick.value += 1;
}

function forget(): void {
  pairsById.value = undefined;
  components.value = [];
  alerts.value = [];
  seriesById.clear();
  whole = new Series();
  connection.value = { state: 'connecting' };
}
