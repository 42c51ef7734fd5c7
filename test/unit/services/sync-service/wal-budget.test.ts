import { describe, expect, test } from 'vitest';
import type { SlotStatus } from '#connectors/contract/source.ts';
import { bytesText, describeBudget, WalBudgetWatch } from '#services/sync-service/wal-budget.ts';

const MIB = 2 ** 20;
const BUDGET = 1000 * MIB;

/** A slot that keeps that much; all of it because the reader is behind, unless told. */
function slot(retained: number, more: Partial<SlotStatus> = {}): SlotStatus {
  return {
    exists: true,
    active: true,
    state: 'reserved',
    restart: 0n,
    confirmed: 0n,
    retainedBytes: retained,
    safeBytes: undefined,
    limitBytes: undefined,
    invalidationReason: undefined,
    conflicting: undefined,
    inactiveSince: undefined,
    failover: undefined,
    synced: undefined,
    activePid: undefined,
    currentLsn: BigInt(retained),
    inRecovery: false,
    ...more,
  };
}

describe('Promise 7, CHECKLIST 10: the budget of a slot', () => {
  test('has an alarm at a part of it, which does not come and go, and another at all of it', () => {
    const watch = new WalBudgetWatch();
    const levels = [10, 599, 600, 560, 510, 499, 599, 999, 1000, 2000, 700, 0].map(
      // An hour between looks: growth is slow, and time left is no reason.
      (mib, index) => watch.look(slot(mib * MIB), index * 3_600_000, BUDGET).level,
    );
    expect(levels).toEqual(['ok', 'ok', 'near', 'near', 'near', 'ok', 'ok', 'near', 'over', 'over', 'near', 'ok']);
  });

  test('goes on from what was told before a restart', () => {
    expect(new WalBudgetWatch('near').look(slot(550 * MIB), 0, BUDGET).level).toBe('near');
    expect(new WalBudgetWatch('ok').look(slot(550 * MIB), 0, BUDGET).level).toBe('ok');
  });

  test('tells rate and time left from the looks of the last minutes', () => {
    const watch = new WalBudgetWatch();
    expect(watch.look(slot(0), 0, BUDGET)).toMatchObject({ bytesPerSecond: undefined, secondsLeft: undefined });
    expect(watch.look(slot(100 * MIB), 100_000, BUDGET)).toMatchObject({ bytesPerSecond: MIB, secondsLeft: 900 });
    expect(watch.look(slot(300 * MIB), 200_000, BUDGET)).toMatchObject({ bytesPerSecond: 1.5 * MIB, secondsLeft: 467 });
    // The first look has become too old.
    expect(watch.look(slot(300 * MIB), 400_000, BUDGET).bytesPerSecond).toBeCloseTo((200 / 300) * MIB, 5);
    expect(watch.look(slot(300 * MIB), 800_000, BUDGET)).toMatchObject({ bytesPerSecond: 0, secondsLeft: undefined });
  });

  test('begins anew when the slot has moved', () => {
    const watch = new WalBudgetWatch();
    watch.look(slot(0), 0, BUDGET);
    watch.look(slot(400 * MIB), 100_000, BUDGET);
    expect(watch.look(slot(10 * MIB), 101_000, BUDGET).bytesPerSecond).toBeUndefined();
    expect(watch.look(slot(20 * MIB), 111_000, BUDGET).bytesPerSecond).toBe(MIB);
  });

  test('is near when a good part is used and the rest lasts minutes only', () => {
    const watch = new WalBudgetWatch();
    watch.look(slot(0), 0, BUDGET);
    expect(watch.look(slot(200 * MIB), 20_000, BUDGET)).toMatchObject({ level: 'ok', secondsLeft: 80 });
    expect(watch.look(slot(300 * MIB), 30_000, BUDGET)).toMatchObject({ level: 'near', secondsLeft: 70 });
  });

  test("is the source's own limit when that is smaller, to the byte that it tells", () => {
    const watch = new WalBudgetWatch();
    const limited = (retained: number, safe: number) =>
      watch.look(slot(retained * MIB, { limitBytes: 100 * MIB, safeBytes: safe * MIB }), retained * 1000, BUDGET);
    expect(limited(10, 90)).toMatchObject({ budgetBytes: 100 * MIB, ofSource: true, level: 'ok' });
    expect(limited(60, 30)).toMatchObject({ level: 'near', secondsLeft: 30 });
    expect(limited(70, 0)).toMatchObject({ level: 'over', secondsLeft: 0 });
    expect(new WalBudgetWatch().look(slot(0, { limitBytes: 2 * BUDGET }), 0, BUDGET)).toMatchObject({
      budgetBytes: BUDGET,
      ofSource: false,
    });
  });

  test('has no meaning for a slot that is gone', () => {
    const gone = slot(0, { exists: false, state: 'missing', retainedBytes: undefined });
    expect(new WalBudgetWatch('over').look(gone, 0, BUDGET)).toMatchObject({ level: 'ok', secondsLeft: undefined });
  });
});

describe('what is told of it', () => {
  const told = (retained: number, more: Partial<SlotStatus> = {}, trouble?: { code: string; message: string }) => {
    const status = slot(retained * MIB, more);
    const budget = new WalBudgetWatch().look(status, 0, BUDGET);
    return describeBudget('tf_1', status, budget, trouble);
  };

  test('nothing while all is well', () => {
    expect(told(1)).toBeUndefined();
  });

  test('how much of what, and why', () => {
    expect(told(700)).toEqual({
      code: 'SOURCE_WAL_NEAR_BUDGET',
      message:
        'The source keeps 700 MiB of WAL for slot tf_1, 70 % of the 1000 MiB of its budget. The reader is behind',
    });
    expect(told(700, { active: false })?.message).toContain('Nobody reads from it');
    expect(told(700, { confirmed: BigInt(690 * MIB) })?.message).toContain('transaction that is still open');
    expect(told(90, { limitBytes: 100 * MIB })?.message).toContain(
      '90 % of the 100 MiB that its max_slot_wal_keep_size',
    );
  });

  test('a full bus is named: it does not stay silent', () => {
    expect(told(1200, {}, { code: 'BUS_FULL', message: 'The bus holds 20 GiB' })).toEqual({
      code: 'SOURCE_WAL_OVER_BUDGET',
      message: expect.stringContaining('120 % of') as string,
    });
    expect(told(1200, {}, { code: 'BUS_FULL', message: 'The bus holds 20 GiB' })?.message).toContain(
      'Reading waits (BUS_FULL: The bus holds 20 GiB)',
    );
  });

  test('growth and the time that it leaves', () => {
    const watch = new WalBudgetWatch();
    watch.look(slot(500 * MIB), 0, BUDGET);
    const status = slot(700 * MIB);
    expect(describeBudget('tf_1', status, watch.look(status, 100_000, BUDGET))?.message).toContain(
      'it grows by 2 MiB a second, which leaves 3 minutes',
    );
  });

  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [16 * 2 ** 30, '16 GiB'],
    [5 * 2 ** 50, '5120 TiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});
