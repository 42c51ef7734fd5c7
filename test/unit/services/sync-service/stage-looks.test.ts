import { describe, expect, test } from 'vitest';
import { pairConfig } from '#schemas/pairs.ts';
import { silentHealing } from '#schemas/healing.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import { silentLog } from '#services/kernel/log.ts';
import type { WorkEnvironment } from '#services/sync-service/environment.ts';
import { LoadLook } from '#services/sync-service/load-look.ts';
import type { LoadProgress } from '#services/sync-service/load-progress.ts';
import type { Ends } from '#services/sync-service/load-unit.ts';
import type { SupervisedPair } from '#services/sync-service/ports.ts';
import { ProcessorLook } from '#services/sync-service/processor-look.ts';

const recorded: unknown[] = [];
const environment = (next: bigint): WorkEnvironment =>
  ({
    clock: new ManualClock(),
    log: silentLog,
    healing: silentHealing,
    stuck: { afterMs: 1000, history: new Map() },
    bus: { range: () => Promise.resolve({ first: 0n, next }) },
    control: {
      recordState: (_pair: unknown, state: string, error?: { readonly code: string }) => {
        recorded.push([state, error?.code]);
        return Promise.resolve(true);
      },
    },
  }) as unknown as WorkEnvironment;
const pairOf = (config: object = {}): SupervisedPair =>
  ({ id: 'p1', name: 'pacs-to-cama', definition: { config: pairConfig.parse(config) } }) as unknown as SupervisedPair;

describe('a stream processor', () => {
  test('has work as long as its topic holds what it has not read, and before it knows where to begin', async () => {
    const look = new ProcessorLook(pairOf(), 'changes.s1', environment(7n));
    expect(await look.work()).toBe('its own topic is to be read');
    look.next = 4n;
    expect(await look.work()).toBe('3 blocks wait in its topic');
    look.appended(7n);
    expect(await look.work()).toBeUndefined();
  });

  test('gives signs of life when it is told where to go on, and stays ahead only by appends', () => {
    const look = new ProcessorLook(pairOf(), 'changes.s1', environment(7n));
    const before = [look.signs(), look.done()];
    look.next = 4n;
    expect(look.signs()).not.toBe(before[0]);
    expect(look.done()).toBe(before[1]);
    look.appended(5n);
    expect(look.done()).not.toBe(before[1]);
  });
});

describe('a load', () => {
  const progress = { chunksLeft: 3, chunksDone: 1, told: 10 };
  const look = (config: object, working: Partial<Record<'source' | 'target', boolean>> = {}): LoadLook => {
    const end = (role: 'source' | 'target') => ({ isAtWork: () => Promise.resolve(working[role] === true) });
    const ends = { env: environment(0n), source: end('source'), target: end('target'), context: {} };
    return new LoadLook(pairOf(config), progress as unknown as LoadProgress, ends as unknown as Ends);
  };

  test('has work while chunks are left, unless it is held to a rate', () => {
    expect(look({}).work()).toBe('3 chunks are to be copied');
    expect(look({ load_max_rows_per_second: 5 }).work()).toBeUndefined();
    progress.chunksLeft = 0;
    expect(look({}).work()).toBeUndefined();
  });

  test('is at work when either end is', async () => {
    const { signal } = new AbortController();
    expect(await look({}).isAtWork(signal)).toBe(false);
    expect(await look({}, { source: true }).isAtWork(signal)).toBe(true);
    expect(await look({}, { target: true }).isAtWork(signal)).toBe(true);
  });

  test('that is left as it is says so of its pair', () => {
    recorded.length = 0;
    look({}).options.left(undefined);
    expect(recorded).toEqual([['loading', undefined]]);
  });
});
