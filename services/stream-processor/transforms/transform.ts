import type { TransformInput } from '#schemas/pairs.ts';

/**
 * A step on a value's text; NULL comes as null. Pure: the same text always gives the same result.
 * @throws {RowFailure} when it refuses the value
 */
export type Transform = (text: string | null) => string | null;

type WithArguments = Exclude<TransformInput, string>;
type Named<Input> = Input extends unknown ? keyof Input : never;
type ArgumentsOf<Input, Name> = Input extends unknown ? (Name extends keyof Input ? Input[Name] : never) : never;

/** By name: makes the step from its arguments. @throws {RangeError} when the arguments cannot work */
export type Transforms = {
  readonly [Name in Named<WithArguments>]: (input: ArgumentsOf<WithArguments, Name>) => Transform;
} & {
  readonly [Name in Extract<TransformInput, string>]: () => Transform;
};

/** NULL passes untouched. */
export function onText(apply: (text: string) => string | null): Transform {
  return (text) => (text === null ? null : apply(text));
}
