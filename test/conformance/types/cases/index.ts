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

/** By the heading under which the page shows them. To add a type: a line in the file of its kind, then `node test/conformance/types/write-page.ts`. */
export const groups: readonly {
  readonly title: string;
  readonly cases: readonly TypeCase[];
  readonly packaged?: true;
}[] = [
  { title: 'Numbers, money, bits', cases: numbers },
  { title: 'Texts', cases: textTypes },
  { title: 'Dates and times', cases: times },
  { title: 'Documents', cases: documents },
  { title: 'Geometry and networks', cases: places },
  { title: 'Enums, domains, composites, arrays, ranges', cases: structures },
  { title: 'Types of the server', cases: system },
  { title: 'Extensions that come with PostgreSQL', cases: extensions },
  { title: 'Extensions from packages, where the machine has them', cases: packaged, packaged: true },
];

/** Every type that the servers of npm have. */
export const typeCases: readonly TypeCase[] = groups.flatMap((group) => (group.packaged ? [] : group.cases));

/** Types of extensions that an operating system's packages bring. */
export const packagedCases: readonly TypeCase[] = packaged;
