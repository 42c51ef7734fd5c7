import { describe, expect, test } from 'vitest';
import { TerraFusionError } from '#schemas/errors.ts';
import { ManualClock } from '#services/kernel/clock.ts';
import type { Database } from '#services/kernel/database/index.ts';
import {
  acquireLease,
  assertLease,
  holdLease,
  releaseLease,
  renewLease,
  tryHoldLease,
} from '#services/kernel/leases.ts';
import { silentLog } from '#services/kernel/log.ts';
import { withControlDatabase } from './control-database.ts';

const control = withControlDatabase();
const minute = 60_000;

/** Lets the lease run out, as if its time were over. */
async function expire(name: string): Promise<void> {
  await control.database.run(
    `UPDATE terrafusion.leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE name = $1`,
    [name],
  );
}

describe('a lease', () => {
  test('has one holder at a time, and a token that grows with each', async () => {
    const { database } = control;
    const taken = await Promise.all(
      ['a', 'b', 'c', 'd'].map((holder) => acquireLease(database, 'one', holder, minute)),
    );
    const first = taken.find((lease) => lease !== undefined)!;
    expect(taken.filter((lease) => lease !== undefined)).toHaveLength(1);
    expect(first.token).toBe(1n);
    expect(await renewLease(database, first, minute)).toBe(true);
    await releaseLease(database, first);
    const second = await acquireLease(database, 'one', 'e', minute);
    expect(second?.token).toBe(2n);
    expect(await renewLease(database, first, minute)).toBe(false);
    await releaseLease(database, first);
    expect(await acquireLease(database, 'one', 'f', minute)).toBeUndefined();
  });

  test('that has run out may be taken by others, or renewed when nobody did', async () => {
    const { database } = control;
    const first = (await acquireLease(database, 'expiring', 'a', minute))!;
    await expire('expiring');
    expect(await renewLease(database, first, minute)).toBe(true);
    await expire('expiring');
    expect(await acquireLease(database, 'expiring', 'b', minute)).toMatchObject({ token: 2n });
    expect(await renewLease(database, first, minute)).toBe(false);
  });

  test('fences what is written under it', async () => {
    const { database } = control;
    const first = (await acquireLease(database, 'fence', 'a', minute))!;
    await database.transaction((tx) => assertLease(tx, first));
    await expire('fence');
    await expect(database.transaction((tx) => assertLease(tx, first))).rejects.toMatchObject({ code: 'LEASE_LOST' });
    await acquireLease(database, 'fence', 'b', minute);
    await expect(database.transaction((tx) => assertLease(tx, first))).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });
});

describe('a held lease', () => {
  const options = { holder: 'a', ttlMs: minute, log: silentLog };

  test('is renewed while it is held, and free afterwards', async () => {
    const { database } = control;
    const clock = new ManualClock();
    const held = (await tryHoldLease(database, { ...options, name: 'held', clock }))!;
    expect(await tryHoldLease(database, { ...options, holder: 'b', name: 'held', clock })).toBeUndefined();
    const expiry = async () =>
      (await database.one<{ expires_at: Date }>(
        `SELECT expires_at FROM terrafusion.leases WHERE name = 'held'`,
      ))!.expires_at.getTime();
    for (let round = 0; round < 4; round += 1) {
      const before = await expiry();
      await clock.untilSleeping();
      clock.advance(minute / 3);
      await expect.poll(expiry).toBeGreaterThan(before);
    }
    expect(held.signal.aborted).toBe(false);
    await held[Symbol.asyncDispose]();
    expect(await acquireLease(database, 'held', 'b', minute)).toMatchObject({ token: 2n });
  });

  test('tells at once when somebody else has it', async () => {
    const { database } = control;
    const clock = new ManualClock();
    await using held = (await tryHoldLease(database, { ...options, name: 'stolen', clock }))!;
    await expire('stolen');
    await acquireLease(database, 'stolen', 'thief', minute);
    await clock.untilSleeping();
    clock.advance(minute / 3);
    await expect.poll(() => held.signal.aborted).toBe(true);
    expect(held.signal.reason).toMatchObject({ code: 'LEASE_LOST' });
  });

  test.each([
    ['answers with errors', () => Promise.reject(new TerraFusionError('CONTROL_DATABASE_UNREACHABLE', 'away'))],
    ['does not answer', () => new Promise<never>(() => undefined)],
  ])('is given up in time when the database %s', async (_, run) => {
    const clock = new ManualClock();
    const database = { one: async () => ({ token: 1n }), run } as unknown as Database;
    const held = (await tryHoldLease(database, { ...options, name: 'away', clock }))!;
    await clock.elapse(minute - 1);
    expect(held.signal.aborted).toBe(false);
    await clock.elapse(1);
    await expect.poll(() => held.signal.aborted).toBe(true);
    await held[Symbol.asyncDispose]();
  });

  test('is waited for', async () => {
    const { database } = control;
    const clock = new ManualClock();
    const first = (await acquireLease(database, 'wanted', 'b', minute))!;
    const waiting = holdLease(database, { ...options, name: 'wanted', clock });
    await clock.untilSleeping();
    await releaseLease(database, first);
    clock.advance(minute / 3);
    await using held = await waiting;
    expect(held.lease.token).toBe(2n);
    const abort = new AbortController();
    const second = holdLease(database, { ...options, holder: 'c', name: 'wanted', clock, signal: abort.signal });
    await clock.untilSleeping(2);
    abort.abort(new Error('over'));
    await expect(second).rejects.toThrow('over');
  });
});
