import { describe, expect, test } from 'vitest';
import type { Source } from '#connectors/contract/source.ts';
import type { Applied, Target } from '#connectors/contract/target.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { endOf, type Position } from '#schemas/position.ts';
import { look } from '#services/gateway/ends.ts';
import { fence } from '#services/gateway/pairs/fence.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';

const lsn = 0x200n;

/** A fence whose target shows one position after the other. */
function start(
  positions: readonly (Position | undefined | Error)[],
  options: { monitor?: boolean; obstacle?: () => Promise<TerraFusionError | undefined>; generation?: number } = {},
) {
  const clock = new ManualClock();
  const calls = { asked: 0, opened: 0, closed: 0 };
  const applied = (): Promise<Applied | undefined> => {
    const position = positions[Math.min(calls.asked, positions.length - 1)];
    calls.asked += 1;
    if (position instanceof Error) return Promise.reject(position);
    return Promise.resolve(position && { position, topic: 't', nextOffset: 1n, overlayUntil: 0n });
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
  const source = { emitMessage: () => Promise.resolve(lsn) } as unknown as Source;
  const result = fence({
    pairId: 'p',
    generation: options.generation ?? 1,
    source,
    target,
    timeoutMs: 1000,
    obstacle: options.obstacle ?? (() => Promise.resolve(undefined)),
    tools: { clock, log: silentLog },
  });
  result.catch(() => undefined);
  return { clock, calls, result };
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
    expect(calls).toEqual({ asked: 4, opened: 1, closed: 1 });
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

  test('gives up when the pair stops or the target fails', async () => {
    const stopped = new TerraFusionError('CONFLICTING_STATE', 'The pair is paused');
    const first = start([endOf(1, 0x100n)], { obstacle: () => Promise.resolve(stopped) });
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
