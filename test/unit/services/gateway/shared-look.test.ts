import { expect, test } from 'vitest';
import { SharedLook } from '#services/gateway/shared-look.ts';

test('who asks while a look is under way shares the next one, and is told nothing older than his question', async () => {
  const look = new SharedLook<number>();
  const ends: (() => void)[] = [];
  let begun = 0;
  const take = () =>
    look.take(() => {
      begun += 1;
      const nth = begun;
      return new Promise((resolve) =>
        ends.push(() => {
          resolve(nth);
        }),
      );
    });
  const first = take();
  const others = [take(), take(), take()];
  expect(begun).toBe(1);
  ends[0]!();
  expect(await first).toBe(1);
  await Promise.resolve();
  expect(begun).toBe(2);
  const late = take();
  ends[1]!();
  expect(await Promise.all(others)).toEqual([2, 2, 2]);
  await Promise.resolve();
  ends[2]!();
  expect(await late).toBe(3);
});

test('a look that fails fails for its own askers only', async () => {
  const look = new SharedLook<string>();
  const failing = look.take(() => Promise.reject(new Error('away')));
  const next = look.take(() => Promise.resolve('there'));
  await expect(failing).rejects.toThrow('away');
  expect(await next).toBe('there');
  expect(await look.take(() => Promise.resolve('again'))).toBe('again');
});
