import type { Source } from '#connectors/contract/source.ts';
import { syncKey, type Applied, type Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { LOOK_TIMEOUT, look, type EndTools } from '../ends.ts';

/** How often the target is asked, in ms. */
const POLL = 20;
/** How often it is looked whether the pair still runs, in ms. */
const STATE_POLL = 500;
/** How often it is looked whether the pair is loaded, in ms. */
const LOAD_POLL = 100;

/** How a pair stands, for who waits. */
export interface FencePair {
  /** False while its first load, or a resync, is to come or under way: nothing of the target's position can be relied on yet. */
  readonly loaded: boolean;
  /** Number of the load that it streams from. */
  readonly load: number;
  /** Of the source's slot: an older position is of another history, whatever its LSN. */
  readonly generation: number;
  /** Table syncs under way: the tables that go apart by them are waited for, too. */
  readonly syncs: readonly number[];
}

export interface FenceRequest {
  readonly pairId: string;
  readonly source: Source;
  readonly target: Target;
  readonly timeoutMs: number;
  /** Looks at the pair. @throws why waiting is of no use any more */
  readonly pair: () => Promise<FencePair>;
  readonly tools: EndTools;
}

/**
 * Resolves once everything committed at the source before the call is applied at the target: a message of our own is written into
 * the source's WAL, and the target's position watched until it has passed it. Everything committed before lies before the message.
 * While the pair is being loaded the message waits: a load may begin a new slot, and what was written before that its stream never
 * shows. Written later, the message asks for more, never for less.
 * @throws FENCE_TIMEOUT, or what `pair` throws
 */
export async function fence(request: FenceRequest): Promise<{ position: Position; waitedMs: number }> {
  const { clock } = request.tools;
  const begun = clock.monotonic();
  const left = (): number => request.timeoutMs - (clock.monotonic() - begun);
  for (;;) {
    const loaded = await untilLoaded(request, left);
    const position = await untilReached(request, loaded, left);
    if (position) return { position, waitedMs: Math.round(clock.monotonic() - begun) };
  }
}

async function untilLoaded({ pair, timeoutMs, tools }: FenceRequest, left: () => number): Promise<FencePair> {
  for (;;) {
    const seen = await pair();
    if (seen.loaded) return seen;
    if (left() <= 0) {
      throw new TerraFusionError('FENCE_TIMEOUT', `The pair is still being loaded after ${timeoutMs / 1000} seconds`, {
        details: { loaded: false },
      });
    }
    await tools.clock.sleep(Math.max(1, Math.min(LOAD_POLL, left())), tools.signal);
  }
}

/** @returns undefined when the pair is loaded anew meanwhile: then it is to be waited for, and another message written */
async function untilReached(
  { pairId, source, target, timeoutMs, pair, tools }: FenceRequest,
  { generation, load }: FencePair,
  left: () => number,
): Promise<Position | undefined> {
  const { clock } = tools;
  const stillLoaded = async (): Promise<boolean> => {
    const now = await pair();
    return now.loaded && now.load === load;
  };
  const ask = (key: string): Promise<Applied | undefined> =>
    look('target', tools, (context) => (monitor ? monitor.applied(key) : target.applied(key, context)), within()).catch(
      (error: unknown) => {
        // At the end of the time the fence has run out, whatever the last question met.
        if (left() <= 0) return undefined;
        throw error;
      },
    );
  /** Tables that go apart have a position of their own, once their rows are there. */
  const apartReached = async ({ division }: Applied): Promise<boolean> => {
    const apart = division?.apart.filter(({ until }) => until === undefined) ?? [];
    if (apart.length === 0) return true;
    const { syncs } = await pair();
    for (const { sync } of apart.filter((entry) => syncs.includes(entry.sync))) {
      const own = await ask(syncKey(pairId, sync));
      if (own === undefined || !reaches(own.position, generation, lsn)) return false;
    }
    return true;
  };
  const within = (): number => Math.max(1, Math.min(LOOK_TIMEOUT, left()));
  const lsn = await look(
    'source',
    tools,
    (context) => source.emitMessage('terrafusion.fence', pairId, context),
    within(),
  );
  // The monitor keeps one connection; without it every question opens its own.
  const monitor = await look(
    'target',
    tools,
    async (context) => (await target.openMonitor?.(context)) ?? undefined,
    within(),
  );
  try {
    let looked = clock.monotonic();
    for (;;) {
      const applied = await ask(pairId);
      if (applied !== undefined && reaches(applied.position, generation, lsn) && (await apartReached(applied))) {
        // Read during a load, a position says nothing of the rows.
        return (await stillLoaded()) ? applied.position : undefined;
      }
      if (left() <= 0) {
        const held = applied === undefined ? 'nothing yet' : formatPosition(applied.position);
        throw new TerraFusionError(
          'FENCE_TIMEOUT',
          `The target has not reached ${formatLsn(lsn)} within ${timeoutMs / 1000} seconds; it holds ${held}`,
          { details: { wanted_lsn: formatLsn(lsn), held } },
        );
      }
      if (clock.monotonic() - looked >= STATE_POLL) {
        looked = clock.monotonic();
        if (!(await stillLoaded())) return undefined;
      }
      await clock.sleep(Math.max(1, Math.min(POLL, left())), tools.signal);
    }
  } finally {
    await monitor?.[Symbol.asyncDispose]();
  }
}

/** The message's LSN is at or before its commit's: who holds all of a transaction that committed there or later has the message. */
function reaches(position: Position, generation: number, lsn: bigint): boolean {
  return position.generation >= generation && position.ordinal === LAST_ORDINAL && position.commitLsn >= lsn;
}
