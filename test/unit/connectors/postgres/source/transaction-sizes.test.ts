import { expect, test } from 'vitest';
import { TransactionSizes } from '#connectors/postgres/source/transaction-sizes.ts';

const KIB = 1024;

/** What it says at each commit of transactions of so many bytes. */
function told(sizes: TransactionSizes, transactions: readonly number[]): boolean[] {
  return transactions.map((bytes) => {
    expect(sizes.saw(bytes, false)).toBe(false);
    return sizes.saw(0, true);
  });
}

test('small transactions are told of once a window is full', () => {
  expect(told(new TransactionSizes(20 * KIB), [12 * KIB, 12 * KIB, 12 * KIB, 12 * KIB])).toEqual([
    false,
    true,
    false,
    true,
  ]);
});

test('a large one is not, and forgotten with its window', () => {
  const sizes = new TransactionSizes(20 * KIB);
  expect(told(sizes, [50_000 * KIB, 12 * KIB, 12 * KIB])).toEqual([false, false, true]);
});
