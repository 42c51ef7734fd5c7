import { describe, expect, test } from 'vitest';
import type { Source } from '#connectors/contract/source.ts';
import type { Applied, Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { endOf, type Position } from '#schemas/position.ts';
import { look } from '#services/gateway/ends.ts';
import { fence, type FencePair } from '#services/gateway/pairs/fence.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';

const lsn = 0x200n;

interface FenceOptions {
  readonly monitor?: boolean;
  readonly pair?: () => Promise<FencePair>;
  readonly generation?: number;
  /** Tables apart by table sync 3, and where that is, look after look. */
  readonly apart?: readonly (Position | undefined)[];
}

/** A fence whose target shows one position after the other. */
function start(positions: readonly (Position | undefined | Error)[], options: FenceOptions = {}) {
  const clock = new ManualClock();
  const calls = { asked: 0, opened: 0, closed: 0, emitted: 0 };
  let looksApart = 0;
  const applied = (key: string): Promise<Applied | undefined> => {
    if (key === 'p/3') {
      const at = options.apart?.[Math.min(looksApart++, options.apart.length - 1)];
      return Promise.resolve(at && { position: at, topic: 't', nextOffset: 1n, overlayUntil: 0n });
    }
    const position = positions[Math.min(calls.asked, positions.length - 1)];
    calls.asked += 1;
    if (position instanceof Error) return Promise.reject(position);
    return Promise.resolve(
      position && {
        position,
        topic: 't',
        nextOffset: 1n,
        overlayUntil: 0n,
        ...(options.apart && {
          division: {
            epoch: 1,
            version: 1,
            apart: [{ sync: 3, tables: [], from: { position, topic: 't', nextOffset: 1n } }],
          },
        }),
      },
    );
  };
  const target = {
    applied,
    ...(options.monitor === false
      ? {}
      : {
          openMonitor: () => {
            calls.opened += 1;
            return Promise.resolve({
              applied,
              [Symbol.asyncDispose]: () => {
                calls.closed += 1;
                return Promise.resolve();
              },
            });
          },
        }),
  } as unknown as Target;
  const source = {
    emitMessage: () => {
      calls.emitted += 1;
      return Promise.resolve(lsn);
    },
  } as unknown as Source;
  const result = fence({
    pairId: 'p',
    source,
    target,
    timeoutMs: 1000,
    pair:
      options.pair ??
      (() => Promise.resolve({ loaded: true, load: 1, generation: options.generation ?? 1, syncs: [] })),
    tools: { clock, log: silentLog },
  });
  result.catch(() => undefined);
  return { clock, calls, result };
}

/** A pair that is as it should be at the first look, and not at the second. */
function runsOnce(obstacle: TerraFusionError, first: FencePair = { loaded: true, load: 1, generation: 1, syncs: [] }) {
  let looks = 0;
  return () => (looks++ === 0 ? Promise.resolve(first) : Promise.reject(obstacle));
}

describe('a fence', () => {
  test('answers once the target holds all of a transaction at or after the message', async () => {
    const { clock, calls, result } = start([
      undefined,
      endOf(1, 0x1ffn),
      { ...endOf(1, 0x300n), ordinal: 4 },
      endOf(1, 0x200n),
    ]);
    await clock.elapse(100);
    expect(await result).toEqual({ position: endOf(1, 0x200n), waitedMs: 60 });
    expect(calls).toEqual({ asked: 4, opened: 1, closed: 1, emitted: 1 });
  });

  test('waits for tables that go apart, by the position of their sync', async () => {
    const pair = () => Promise.resolve({ loaded: true, load: 1, generation: 1, syncs: [3] });
    const apart = [undefined, endOf(1, 0x1ffn), endOf(1, 0x200n)];
    const { clock, result } = start([endOf(1, 0x300n)], { pair, apart });
    await clock.elapse(100);
    expect(await result).toEqual({ position: endOf(1, 0x300n), waitedMs: 40 });
  });

  test('does not wait for tables that were left out once and are no part of the pair any more', async () => {
    const { clock, result } = start([endOf(1, 0x300n)], { apart: [undefined] });
    await clock.elapse(100);
    expect(await result).toMatchObject({ waitedMs: 0 });
  });

  test('works with a target that keeps no connection', async () => {
    const { clock, calls, result } = start([undefined, endOf(1, 0x200n)], { monitor: false });
    await clock.elapse(100);
    expect(await result).toMatchObject({ waitedMs: 20 });
    expect(calls.opened).toBe(0);
  });

  test('is not deceived by a position of an earlier slot', async () => {
    const { clock, result } = start([endOf(1, 0xfff0n), endOf(2, 0x200n)], { generation: 2 });
    await clock.elapse(100);
    expect(await result).toMatchObject({ position: endOf(2, 0x200n) });
  });

  test('runs out, and says what the target holds', async () => {
    const { clock, calls, result } = start([endOf(1, 0x100n)]);
    await clock.elapse(2000);
    await expect(result).rejects.toMatchObject({
      code: 'FENCE_TIMEOUT',
      details: { wanted_lsn: '0/200', held: '1:0/100' },
    });
    expect(calls.closed).toBe(1);
  });

  test('waits for a load under way, and writes its message only then', async () => {
    let load: FencePair = { loaded: false, load: 1, generation: 1, syncs: [] };
    const { clock, calls, result } = start([endOf(1, 0xfff0n), endOf(2, 0x1ffn), endOf(2, 0x200n)], {
      pair: () => Promise.resolve(load),
    });
    await clock.elapse(350);
    expect(calls).toMatchObject({ emitted: 0, asked: 0 });
    // The load has made a new slot.
    load = { loaded: true, load: 1, generation: 2, syncs: [] };
    await clock.elapse(200);
    expect(await result).toMatchObject({ position: endOf(2, 0x200n) });
    expect(calls.emitted).toBe(1);
  });

  test('runs out while the load goes on', async () => {
    const { clock, calls, result } = start([endOf(1, 0xfff0n)], {
      pair: () => Promise.resolve({ loaded: false, load: 1, generation: 1, syncs: [] }),
    });
    await clock.elapse(1100);
    await expect(result).rejects.toMatchObject({
      code: 'FENCE_TIMEOUT',
      message: 'The pair is still being loaded after 1 seconds',
    });
    expect(calls.emitted).toBe(0);
  });

  test('begins anew when the pair is loaded anew meanwhile, whatever a position said during the load', async () => {
    const seen: FencePair[] = [
      { loaded: true, load: 1, generation: 1, syncs: [] },
      // The position was reached, and then it turns out that it may have been another load's.
      { loaded: false, load: 2, generation: 1, syncs: [] },
      { loaded: false, load: 2, generation: 1, syncs: [] },
    ];
    const { clock, calls, result } = start([endOf(1, 0x200n)], {
      pair: () => Promise.resolve(seen.shift() ?? { loaded: true, load: 2, generation: 1, syncs: [] }),
    });
    await clock.elapse(400);
    expect(await result).toMatchObject({ position: endOf(1, 0x200n) });
    expect(calls).toMatchObject({ emitted: 2, opened: 2, closed: 2 });
  });

  test('gives up when the pair fails during its load', async () => {
    const failed = new TerraFusionError('CONFLICTING_STATE', 'The pair has failed');
    const { clock, result } = start([endOf(1, 0x200n)], {
      pair: runsOnce(failed, { loaded: false, load: 1, generation: 1, syncs: [] }),
    });
    await clock.elapse(200);
    await expect(result).rejects.toBe(failed);
  });

  test('gives up when the pair stops or the target fails', async () => {
    const stopped = new TerraFusionError('CONFLICTING_STATE', 'The pair is paused');
    const first = start([endOf(1, 0x100n)], { pair: runsOnce(stopped) });
    await first.clock.elapse(600);
    await expect(first.result).rejects.toBe(stopped);
    const away = new TerraFusionError('TARGET_UNREACHABLE', 'away');
    const second = start([away]);
    await second.clock.elapse(100);
    await expect(second.result).rejects.toBe(away);
    expect(second.calls.closed).toBe(1);
  });
});

describe('a look at an end', () => {
  test('has a limit, also when the connector does not stop', async () => {
    const clock = new ManualClock();
    let aborted = false;
    const looking = look('source', { clock, log: silentLog }, ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      return new Promise(() => undefined);
    });
    looking.catch(() => undefined);
    await clock.elapse(5000);
    await expect(looking).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: 'The source did not answer within 5 seconds',
    });
    expect(aborted).toBe(true);
    expect(clock.sleeping).toBe(0);
  });

  test('leaves no timer behind, and hands on what the end says', async () => {
    const clock = new ManualClock();
    expect(await look('target', { clock, log: silentLog }, () => Promise.resolve(7))).toBe(7);
    await expect(look('target', { clock, log: silentLog }, () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    );
    await clock.elapse(1);
    expect(clock.sleeping).toBe(0);
  });
});
