import type { Broken, Mutation } from './mutation.ts';
import { promise1 } from './promises/1-acknowledge-when-durable.ts';
import { promise2 } from './promises/2-nothing-dropped.ts';
import { promise3 } from './promises/3-whole-transactions.ts';
import { promise4 } from './promises/4-values-as-they-were.ts';
import { promise5 } from './promises/5-goes-on-by-itself.ts';
import { promise6 } from './promises/6-bounded-memory.ts';
import { promise7 } from './promises/7-source-unharmed.ts';
import { promise8 } from './promises/8-no-secret-no-change.ts';
import { promise9 } from './promises/9-what-is-said-has-happened.ts';

/** All mutations, by the promise that they break. */
export const catalogue: readonly Broken[] = [
  promise1,
  promise2,
  promise3,
  promise4,
  promise5,
  promise6,
  promise7,
  promise8,
  promise9,
];

export interface Chosen {
  readonly promise: number;
  readonly mutation: Mutation;
}

/** The mutations of these promises and names; left out: all. */
export function choose(promises: readonly number[], names: readonly string[]): Chosen[] {
  return catalogue.flatMap(({ promise, mutations }) =>
    mutations
      .filter(({ name }) => names.length === 0 || names.includes(name))
      .filter(() => promises.length === 0 || promises.includes(promise))
      .map((mutation) => ({ promise, mutation })),
  );
}
