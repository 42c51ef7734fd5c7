import { NO_ORDER, texts, type TypeCase } from '../type-case.ts';

const REFERENCED = 'CREATE TABLE types."Refer red" (id int)';
const byName = 'goes over as the name that it prints; one that the target does not have is a dead letter';

/** CHECKLIST 22 and 25: types of the server itself. Names of objects mean the target's objects of that name. */
export const system: readonly TypeCase[] = [
  { name: 'oid', type: 'oid', checklist: 22, values: texts('4294967295', '0') },
  { name: 'xid', type: 'xid', checklist: 25, values: texts('4294967295', '3'), without: { key: NO_ORDER } },
  { name: 'cid', type: 'cid', checklist: 25, values: texts('4294967295', '0'), without: { key: NO_ORDER } },
  { name: 'tid', type: 'tid', checklist: 25, values: texts('(4294967295,65535)', '(0,1)') },
  { name: 'xid8', type: 'xid8', checklist: 25, values: texts('18446744073709551615', '0') },
  { name: 'pg_lsn', type: 'pg_lsn', checklist: 25, values: texts('16/B374D848', 'FFFFFFFF/FFFFFFFF', '0/0') },
  {
    name: 'pg_snapshot',
    type: 'pg_snapshot',
    checklist: 25,
    values: texts('10:20:10,14,15', '1:1:'),
    without: { key: NO_ORDER },
  },
  {
    name: 'txid_snapshot',
    type: 'txid_snapshot',
    checklist: 25,
    values: texts('10:20:10,14,15', '1:1:'),
    without: { key: NO_ORDER },
  },
  {
    name: 'int2vector',
    type: 'int2vector',
    checklist: 25,
    values: texts('1 2 -3', ''),
    array: `'{"1 2",NULL,""}'`,
    without: { key: NO_ORDER },
  },
  {
    name: 'oidvector',
    type: 'oidvector',
    checklist: 25,
    values: texts('1 4294967295', ''),
    array: `'{"1 2",NULL,""}'`,
  },
  {
    name: 'aclitem',
    type: 'aclitem',
    checklist: 25,
    values: texts('postgres=r*w/postgres', '=r/postgres'),
    without: { key: NO_ORDER },
    note: byName,
  },
  {
    name: 'regclass',
    type: 'regclass',
    checklist: 25,
    setup: [REFERENCED],
    values: ["'pg_class'", `'types."Refer red"'`, '0', '4294967295'],
    note: byName,
  },
  {
    name: 'regtype',
    type: 'regtype',
    checklist: 25,
    values: texts('integer', 'character varying', '"char"[]', 'types.mood', '-'),
    setup: [`CREATE TYPE types.mood AS ENUM ('glad', 'b c', 'O''Hara "x"', 'a,b', '\\', '', 'NULL')`],
    note: byName,
  },
  { name: 'regproc', type: 'regproc', checklist: 25, values: texts('now', '-'), note: byName },
  { name: 'regprocedure', type: 'regprocedure', checklist: 25, values: texts('abs(numeric)', 'now()'), note: byName },
  { name: 'regoper', type: 'regoper', checklist: 25, values: texts('|/', '0'), note: byName },
  {
    name: 'regoperator',
    type: 'regoperator',
    checklist: 25,
    values: texts('+(integer,integer)', '-(NONE,bigint)'),
    note: byName,
  },
  { name: 'regrole', type: 'regrole', checklist: 25, values: texts('postgres', 'pg_monitor'), note: byName },
  { name: 'regnamespace', type: 'regnamespace', checklist: 25, values: texts('pg_catalog', 'types'), note: byName },
  { name: 'regconfig', type: 'regconfig', checklist: 25, values: texts('english', 'simple'), note: byName },
  {
    name: 'regdictionary',
    type: 'regdictionary',
    checklist: 25,
    values: texts('simple', 'english_stem'),
    note: byName,
  },
  { name: 'regcollation', type: 'regcollation', checklist: 25, values: texts('"C"', '"POSIX"'), note: byName },
];

/** Types that PostgreSQL prints and reads nowhere: such a column cannot be filled by anybody, so its rows are refused. */
export const unreadable = [
  'pg_node_tree',
  'pg_ndistinct',
  'pg_dependencies',
  'pg_mcv_list',
  'pg_brin_bloom_summary',
  'pg_brin_minmax_multi_summary',
  'gtsvector',
] as const;
