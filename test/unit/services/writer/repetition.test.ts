import { describe, expect, test } from 'vitest';
import { endOf, type Position } from '#schemas/position.ts';
import { type Manner, Repetition } from '#services/writer/repetition.ts';

const at = (transaction: number): Position => endOf(1, BigInt(transaction));
const usual: Manner = { mode: 'set', alone: false };
const alone: Manner = { mode: 'set', alone: true };
const ordered: Manner = { mode: 'ordered', alone: true };
const immediate: Manner = { mode: 'immediate', alone: true };

describe('what met a constraint is repeated', () => {
  test('block by block up to its end, and the block that fails again change by change', () => {
    const repetition = new Repetition();
    expect(repetition.mannerAfter(at(0))).toEqual(usual);
    expect(repetition.failed({ manner: usual, through: at(8), separable: true })).toEqual(alone);
    expect(repetition.mannerAfter(at(0))).toEqual(alone);
    expect(repetition.mannerAfter(at(2))).toEqual(alone);
    expect(repetition.failed({ manner: alone, through: at(3), separable: false })).toEqual(ordered);
    expect(repetition.mannerAfter(at(2))).toEqual(ordered);
    expect(repetition.mannerAfter(at(3))).toEqual(alone);
    expect(repetition.mannerAfter(at(7))).toEqual(alone);
    expect(repetition.mannerAfter(at(8))).toEqual(usual);
  });

  test('with a second block in the way: all of the rest change by change', () => {
    const repetition = new Repetition();
    repetition.failed({ manner: usual, through: at(8), separable: true });
    repetition.failed({ manner: alone, through: at(3), separable: false });
    expect(repetition.failed({ manner: alone, through: at(5), separable: false })).toEqual(ordered);
    expect(repetition.mannerAfter(at(5))).toEqual(ordered);
    expect(repetition.mannerAfter(at(7))).toEqual(ordered);
    expect(repetition.mannerAfter(at(8))).toEqual(usual);
  });

  test('what was in the way before says nothing about later batches', () => {
    const repetition = new Repetition();
    repetition.failed({ manner: usual, through: at(8), separable: true });
    repetition.failed({ manner: alone, through: at(3), separable: false });
    expect(repetition.mannerAfter(at(8))).toEqual(usual);
    repetition.failed({ manner: usual, through: at(20), separable: true });
    repetition.failed({ manner: alone, through: at(12), separable: false });
    expect(repetition.mannerAfter(at(12))).toEqual(alone);
  });

  test('change by change at once where it cannot be parted', () => {
    const repetition = new Repetition();
    expect(repetition.failed({ manner: usual, through: at(2), separable: false })).toEqual(ordered);
    expect(repetition.mannerAfter(at(2))).toEqual(usual);
  });

  test('once more with constraints looked at at once, and then no more', () => {
    const repetition = new Repetition();
    expect(repetition.failed({ manner: ordered, through: at(2), separable: false })).toEqual(immediate);
    expect(repetition.mannerAfter(at(1))).toEqual(immediate);
    expect(repetition.failed({ manner: immediate, through: at(2), separable: false })).toBeUndefined();
  });
});
