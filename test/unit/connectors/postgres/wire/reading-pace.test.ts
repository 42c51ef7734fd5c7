import { describe, expect, it } from 'vitest';
import { ReadingPace } from '#connectors/postgres/wire/reading-pace.ts';

/** Reads `count` times, one every `everyMs`, and returns what each is told. */
function read(pace: ReadingPace, clock: { now: number }, count: number, everyMs: number, bytes: number): number[] {
  return Array.from({ length: count }, () => {
    clock.now += everyMs;
    return pace.restAfter(bytes);
  });
}

describe('ReadingPace', () => {
  const begin = () => {
    const clock = { now: 1000 };
    return { clock, pace: new ReadingPace(() => clock.now) };
  };

  it('never rests at a few thousand reads a second', () => {
    const { pace, clock } = begin();
    expect(new Set(read(pace, clock, 10_000, 0.2, 400))).toEqual(new Set([0]));
  });

  it('rests once small reads follow each other in a hurry, and stays so while a rest brings enough', () => {
    const { pace, clock } = begin();
    // The first sixteen only start the watch.
    expect(read(pace, clock, 32, 0.05, 400).indexOf(1)).toBe(31);
    expect(read(pace, clock, 50, 1.2, 20_000)).toEqual(Array(50).fill(1));
  });

  it('reads on after a large read, and rests again after the next smaller one', () => {
    const { pace, clock } = begin();
    read(pace, clock, 32, 0.05, 400);
    expect(read(pace, clock, 3, 1, 64 * 1024)).toEqual([0, 0, 0]);
    expect(pace.restAfter(10_000)).toBe(1);
  });

  it('rests no more once a rest brought next to nothing', () => {
    const { pace, clock } = begin();
    read(pace, clock, 32, 0.05, 400);
    expect(pace.restAfter(500)).toBe(0);
    expect(new Set(read(pace, clock, 100, 1, 500))).toEqual(new Set([0]));
  });
});
