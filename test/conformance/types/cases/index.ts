import type { TypeCase } from '../type-case.ts';
import { documents } from './documents.ts';
import { extensions, packaged } from './extensions.ts';
import { numbers } from './numbers.ts';
import { places } from './places.ts';
import { structures } from './structures.ts';
import { system } from './system.ts';
import { textTypes } from './texts.ts';
import { times } from './times.ts';

export { unreadable } from './system.ts';

/** Every type that the servers of npm have. To add one: a line in the file of its kind, then `node test/conformance/types/page.ts`. */
export const typeCases: readonly TypeCase[] = [
  ...numbers,
  ...textTypes,
  ...times,
  ...documents,
  ...places,
  ...structures,
  ...system,
  ...extensions,
];

/** Types of extensions that an operating system's packages bring. */
export const packagedCases: readonly TypeCase[] = packaged;
