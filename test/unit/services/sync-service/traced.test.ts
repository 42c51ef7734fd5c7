import { describe, expect, test } from 'vitest';
import type { WorkEnvironment } from '#services/sync-service/environment.ts';
import type { SupervisedPair } from '#services/sync-service/ports.ts';
import { traced } from '#services/sync-service/traced.ts';
import type { Lease } from '#services/kernel/leases.ts';
import type { Log } from '#services/kernel/log.ts';

const pair = { id: 'p-1', name: 'owners', definition: { version: 3 } } as unknown as SupervisedPair;

function environment(causeOf: () => Promise<unknown>) {
  const lines: object[] = [];
  const write = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const log: Log = { debug: write, info: write, warn: write, error: write };
  return { env: { control: { causeOf }, log } as unknown as WorkEnvironment, lines };
}
const work = traced.bind(undefined, pair);
const lease: Lease = { name: 'pair:p-1', holder: 'us', token: 7n };

describe("a pair's work", () => {
  test('has lines of its own that say of which pair, operation and request they are, whatever a stage calls the pair', async () => {
    const { env, lines } = environment(() => Promise.resolve({ operation: 'o-1', request: 'r-1' }));
    const run = work(env, 'load', (_pair, own) => {
      own.log.warn({ pair: 'p-1', rows: 5 }, 'Slow.');
      return Promise.resolve();
    });
    await run(new AbortController().signal, lease);
    const of = { pair: 'owners', pair_id: 'p-1', operation: 'o-1', request: 'r-1' };
    expect(lines).toEqual([
      { ...of, version: 3, message: 'The load of a pair begins.' },
      { ...of, rows: 5, message: 'Slow.' },
    ]);
  });

  test('says how the pair is under its lease', async () => {
    const said: unknown[] = [];
    const { env } = environment(() => Promise.resolve(undefined));
    const control = {
      ...env.control,
      recordState: (_pair: unknown, state: string, _error: unknown, under: unknown) =>
        Promise.resolve(void said.push([state, under])),
      endTrouble: (_pair: unknown, under: unknown) => Promise.resolve(void said.push(['well', under])),
    };
    const run = work({ ...env, control } as unknown as WorkEnvironment, 'stream', async (of, own) => {
      await own.control.recordState(of, 'streaming');
      await own.control.endTrouble(of);
    });
    await run(new AbortController().signal, lease);
    expect(said).toEqual([
      ['streaming', lease],
      ['well', lease],
    ]);
  });

  test('runs also when nobody can say whose wish it was', async () => {
    const { env, lines } = environment(() => Promise.reject(new Error('the control database is away')));
    let ran = false;
    await work(env, 'stream', () => Promise.resolve(void (ran = true)))(new AbortController().signal, lease);
    expect(ran).toBe(true);
    expect(lines).toEqual([{ pair: 'owners', pair_id: 'p-1', version: 3, message: 'The stream of a pair begins.' }]);
  });
});
