import { NO_ORDER, text, texts, type TypeCase } from '../type-case.ts';

const awkward = [
  '',
  ' ',
  'NULL',
  'null',
  String.raw`\N`,
  String.raw`\.`,
  '{}',
  '"',
  "'",
  'a\tb\nc\rd\\e\f\v\b',
  '\u{1f600}',
  'e\u0301 \u00e9',
  '\ufffe\uffff',
  '\u0001\u007f',
];

/** CHECKLIST 22: texts of every kind. */
export const textTypes: readonly TypeCase[] = [
  {
    name: 'text',
    type: 'text',
    checklist: 22,
    values: awkward.map(text),
    large: "repeat('x\u00e9\u{1f600}', 1000)",
  },
  {
    name: 'character varying',
    type: 'character varying',
    checklist: 22,
    values: awkward.map(text),
    large: "repeat('xyz', 2000)",
  },
  {
    name: 'character varying(3)',
    type: 'character varying(3)',
    checklist: 22,
    values: texts('abc', '\u{1f600}\u{1f600}\u{1f600}', '', 'a  '),
  },
  {
    name: 'character(5)',
    type: 'character(5)',
    checklist: 22,
    values: texts('a', '\u{1f600}', '', ' b'),
  },
  { name: 'character', type: 'character', checklist: 22, values: texts('a', ' ') },
  { name: 'bpchar', type: 'bpchar', checklist: 22, twins: ["'tw'", "'tw  '"], values: texts('a  ', '', 'b') },
  {
    name: '"char"',
    type: '"char"',
    checklist: 22,
    note: 'one byte: from a database that is not in UTF8 only ASCII is safe, and the check of the source says so',
    values: ["'x'", "''", "' '", "'\\'"],
  },
  { name: 'name', type: 'name', checklist: 22, values: texts('pg_class', '', 'n'.repeat(63), 'Upper "quoted"') },
  {
    name: 'text COLLATE "C"',
    type: 'text COLLATE "C"',
    checklist: 22,
    values: texts('a', 'B', 'ä'),
    without: { array: 'a collation belongs to a column' },
  },
  {
    name: 'text, nondeterministic',
    type: 'text COLLATE types.without_case',
    checklist: 22,
    setup: ["CREATE COLLATION types.without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"],
    twins: ["'twin'", "'TWIN'"],
    values: texts('a', 'A', 'b', 'ss'),
    without: { array: 'a collation belongs to a column' },
    note: 'a and A are the same key there; the collation must exist at the target',
  },
  {
    name: 'uuid',
    type: 'uuid',
    checklist: 25,
    values: texts(
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ),
  },
  {
    name: 'refcursor',
    type: 'refcursor',
    checklist: 25,
    values: texts('<unnamed portal 1>', ''),
    without: { key: NO_ORDER },
  },
];
