import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { formatPosition, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import { LOOK_TIMEOUT, look, type EndTools } from '../ends.ts';

/** How often the target is asked, in ms. */
const POLL = 20;
/** How often it is looked whether the pair still runs, in ms. */
const STATE_POLL = 500;

export interface FenceRequest {
  readonly pairId: string;
  /** Of the source's slot: an older position is of another history, whatever its LSN. */
  readonly generation: number;
  readonly source: Source;
  readonly target: Target;
  readonly timeoutMs: number;
  /** Why waiting is of no use any more; undefined while the pair runs. */
  readonly obstacle: () => Promise<TerraFusionError | undefined>;
  readonly tools: EndTools;
}

/**
 * Resolves once everything committed at the source before the call is applied at the target: a message of our own is written into
 * the source's WAL, and the target's position watched until it has passed it. Everything committed before lies before the message.
 * @throws FENCE_TIMEOUT, or what `obstacle` says
 */
export async function fence(request: FenceRequest): Promise<{ position: Position; waitedMs: number }> {
  const { pairId, generation, source, target, timeoutMs, tools } = request;
  const { clock } = tools;
  const begun = clock.monotonic();
  const left = (): number => timeoutMs - (clock.monotonic() - begun);

  const lsn = await look(
    'source',
    tools,
    (context) => source.emitMessage('terrafusion.fence', pairId, context),
    Math.min(LOOK_TIMEOUT, timeoutMs),
  );
  // The monitor keeps one connection; without it every question opens its own.
  const monitor = await look(
    'target',
    tools,
    async (context) => (await target.openMonitor?.(context)) ?? undefined,
    Math.min(LOOK_TIMEOUT, Math.max(1, left())),
  );
  try {
    let looked = clock.monotonic();
    for (;;) {
      const applied = await look(
        'target',
        tools,
        (context) => (monitor ? monitor.applied(pairId) : target.applied(pairId, context)),
        Math.max(1, Math.min(LOOK_TIMEOUT, left())),
      ).catch((error: unknown) => {
        // At the end of the time the fence has run out, whatever the last question met.
        if (left() <= 0) return undefined;
        throw error;
      });
      if (applied !== undefined && reaches(applied.position, generation, lsn)) {
        return { position: applied.position, waitedMs: Math.round(clock.monotonic() - begun) };
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
        const obstacle = await request.obstacle();
        if (obstacle) throw obstacle;
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
