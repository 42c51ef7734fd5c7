import { describe, expect, test } from 'vitest';
import { Schedule, type Unit } from '#services/loader/schedule.ts';

const never = new AbortController().signal;
const unit = (table: string, jobs: number, more: Partial<Unit<string>> = {}): Unit<string> => ({
  tables: [table],
  after: [],
  jobs: Array.from({ length: jobs }, (_, i) => `${table}${i}`),
  atOnce: false,
  ...more,
});

/** Whether there is no job for the moment. */
async function isWaiting(taking: Promise<string | undefined>): Promise<boolean> {
  const soon = new Promise<'waiting'>((resolve) => setImmediate(resolve, 'waiting'));
  return (await Promise.race([taking, soon])) === 'waiting';
}

describe('the schedule of a load', () => {
  test('a table that is begun first, and no more tables at once than wanted', async () => {
    const schedule = new Schedule([unit('a', 2), unit('b', 2), unit('c', 1)], 2);
    const taken = [];
    for (let i = 0; i < 4; i++) taken.push(await schedule.take(never));
    expect(taken).toEqual(['a0', 'a1', 'b0', 'b1']);
    const next = schedule.take(never);
    expect(await isWaiting(next)).toBe(true);
    expect(schedule.finished('a0')).toBeUndefined();
    expect(schedule.finished('b1')).toBeUndefined();
    expect(schedule.finished('b0')).toEqual(['b']);
    expect(await next).toBe('c0');
    expect(schedule.finished('a1')).toEqual(['a']);
    expect(schedule.isDone).toBe(false);
    expect(schedule.finished('c0')).toEqual(['c']);
    expect(await schedule.take(never)).toBeUndefined();
    expect(schedule.isDone).toBe(true);
  });

  test('children of foreign keys wait until their parents are whole; parents that are there already hold up nobody', async () => {
    const schedule = new Schedule(
      [unit('child', 1, { after: ['parent', 'there'] }), unit('parent', 2), unit('there', 0)],
      8,
    );
    expect(await schedule.take(never)).toBe('parent0');
    expect(await schedule.take(never)).toBe('parent1');
    const next = schedule.take(never);
    schedule.finished('parent1');
    expect(await isWaiting(next)).toBe(true);
    schedule.finished('parent0');
    expect(await next).toBe('child0');
  });

  test('outside of the window nothing is begun; what must be read at one moment is finished', async () => {
    let open = true;
    const schedule = new Schedule([unit('a', 3), unit('b', 2, { atOnce: true }), unit('c', 1)], 2, () => open);
    expect(await schedule.take(never)).toBe('a0');
    expect(await schedule.take(never)).toBe('a1');
    schedule.finished('a0');
    expect(await schedule.take(never)).toBe('a2');
    schedule.finished('a1');
    expect(await schedule.take(never)).toBe('b0');
    open = false;
    expect(await schedule.take(never)).toBe('b1');
    const waiting = schedule.take(never);
    schedule.finished('b0');
    schedule.finished('b1');
    schedule.finished('a2');
    expect(await waiting).toBeUndefined();
    expect(schedule.isDone).toBe(false);
  });

  test('a table whose jobs are not all done when the window closes is left as it is', async () => {
    let open = true;
    const schedule = new Schedule([unit('a', 2)], 1, () => open);
    expect(await schedule.take(never)).toBe('a0');
    open = false;
    expect(schedule.finished('a0')).toBeUndefined();
    expect(await schedule.take(never)).toBeUndefined();
    expect(schedule.isDone).toBe(false);
  });

  test('who waits hears of an abort', async () => {
    const schedule = new Schedule([unit('a', 1)], 1);
    await schedule.take(never);
    const stop = new AbortController();
    const waiting = schedule.take(stop.signal);
    stop.abort(new Error('stopped'));
    schedule.wake();
    await expect(waiting).rejects.toThrow('stopped');
  });
});
