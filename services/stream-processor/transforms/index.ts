import type { TransformInput } from '#schemas/pairs.ts';
import { lookup } from './lookup.ts';
import { replacePattern } from './pattern.ts';
import { hash, mask } from './privacy.ts';
import { textTransforms } from './text.ts';
import type { Transform, Transforms } from './transform.ts';

export type { Transform } from './transform.ts';

/** Every transform by its name in a pair: a new one is a line here, one in schemas/pairs.ts and its function. */
const transforms: Transforms = { ...textTransforms, lookup, replace_pattern: replacePattern, mask, hash };

/** @throws {RangeError} when the arguments cannot work */
export function compileTransform(input: TransformInput): Transform {
  if (typeof input === 'string') return transforms[input]();
  const [name, argument] = Object.entries<unknown>(input)[0]!;
  // The zod schema has paired name and argument; the table's type says that every pair fits.
  return (transforms as unknown as Record<string, (argument: unknown) => Transform>)[name]!(argument);
}

export function runTransforms(transforms: readonly Transform[], text: string | null): string | null {
  for (const transform of transforms) text = transform(text);
  return text;
}
