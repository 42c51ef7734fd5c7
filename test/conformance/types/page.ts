import { groups } from './cases/index.ts';
import { refusals } from './refusals.ts';
import { settings } from './settings.ts';
import { paths, type Path, type TypeCase } from './type-case.ts';

/** The page of results, from the data that the suite runs on: what stands there is what is tested. */
export const PAGE = new URL('../../../infra/docs/types.md', import.meta.url);

export function page(): string {
  return [
    '# PostgreSQL types: what arrives',
    '',
    'Written by `node test/conformance/types/write-page.ts` from the tables that `test/conformance/types/` runs on; do not edit by hand.',
    '',
    '`=`: what PostgreSQL prints at the source it prints at the target, row by row (Promise 4). `–`: there is no such thing in PostgreSQL.',
    'Types of users and extensions must exist at the target. A type that is not in the list goes over as the text that it prints.',
    '',
    '| column | what is tested |',
    '| --- | --- |',
    ...Object.entries(paths).map(([name, what]) => `| ${name} | ${what} |`),
    '',
    ...groups.flatMap(({ title, cases }) => [`## ${title}`, '', ...table(cases), '']),
    '## What is refused',
    '',
    'Nothing is changed silently: what cannot arrive as it was is refused, with a code.',
    '',
    '| what | becomes | code |',
    '| --- | --- | --- |',
    ...Object.values(refusals).map(({ what, becomes, code }) => `| ${what} | ${becomes} | \`${code}\` |`),
    '',
    '## Defaults, encodings, versions',
    '',
    'The same list is run with these set differently at source, target and role: ' +
      `${settings.map(({ name }) => `\`${name}\``).join(', ')}, \`lc_monetary\`.`,
    '',
    'Databases in LATIN1 at either end, UTF8 at the other: equal for every character that both have.',
    '',
    'Servers from 14 on may be mixed: tested are 14, 15 (where the operating system has it) and 16 with 18, and 18 with 14 as the target.',
    '',
  ].join('\n');
}

function table(cases: readonly TypeCase[]): string[] {
  const names = Object.keys(paths) as Path[];
  return [
    `| type | ${names.join(' | ')} | |`,
    `| --- |${names.map(() => ' --- |').join('')} --- |`,
    ...cases.map(
      (type) => `| ${code(type.name)} | ${names.map((path) => cell(type, path)).join(' | ')} | ${noteOf(type)} |`,
    ),
  ];
}

function cell({ without = {}, computed }: TypeCase, path: Path): string {
  if (without[path] !== undefined) return '–';
  return path === 'computed' && computed === 'refused' ? 'refused' : '=';
}

function noteOf({ since, extension, note }: TypeCase): string {
  return [
    since === undefined ? '' : `from ${since} on`,
    extension === undefined ? '' : `extension \`${extension}\``,
    note ?? '',
  ]
    .filter((part) => part !== '')
    .join('; ');
}

function code(name: string): string {
  return `\`${name.replaceAll('|', String.raw`\|`)}\``;
}
