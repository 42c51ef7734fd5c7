/** Where a mistake is made; every one has its mutations. */
export const stages = [
  'reader',
  'embedded bus',
  'Kafka bus',
  'stream processor',
  'writer',
  'schema gate',
  'loader',
  'sync-service',
  'gateway',
  'audit',
] as const;
export type Stage = (typeof stages)[number];

/** A mistake that somebody could make, and the test that has to notice it. */
export interface Mutation {
  /** In kebab case, for `--only`. */
  readonly name: string;
  readonly stage: Stage;
  /** What goes wrong, in a sentence. */
  readonly mistake: string;
  readonly file: string;
  /** Exact text of the file; it occurs once. */
  readonly find: string;
  readonly replace: string;
  /** File of the test that must fail. */
  readonly test: string;
  /** Part of the names of those of its tests that are run; left out, all of them. */
  readonly title?: string;
}

/** The mutations that break one promise of DESIGN. */
export interface Broken {
  readonly promise: number;
  readonly mutations: readonly Mutation[];
}

/** @returns the text with the mistake in it. @throws when the text to be replaced is not there exactly once: the mutation has rotted */
export function mutated(text: string, { name, file, find, replace }: Mutation): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new Error(
      `Mutation "${name}" looks for a text in ${file} that is there ${times} times, not once. ` +
        `The code has changed: write the mutation for it anew.\n${find}`,
    );
  }
  if (find === replace) throw new Error(`Mutation "${name}" changes nothing`);
  // Not with `replace`: "$&" in a mutation is a text like any other.
  const at = text.indexOf(find);
  return text.slice(0, at) + replace + text.slice(at + find.length);
}
