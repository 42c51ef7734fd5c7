import { NO_ORDER, texts, type TypeCase } from '../type-case.ts';

/** CHECKLIST 25: geometric and network types. */
export const places: readonly TypeCase[] = [
  {
    name: 'point',
    type: 'point',
    checklist: 25,
    values: texts('(1.5,-0)', '(NaN,Infinity)', '(5e-324,0.30000000000000004)'),
    without: { key: NO_ORDER },
  },
  { name: 'line', type: 'line', checklist: 25, values: texts('{1,-1,0.1}', '{0,1,-5}'), without: { key: NO_ORDER } },
  {
    name: 'lseg',
    type: 'lseg',
    checklist: 25,
    values: texts('[(0,0),(1,1.1)]', '[(-1,0),(0,-0)]'),
    without: { key: NO_ORDER },
  },
  {
    name: 'box',
    type: 'box',
    checklist: 25,
    values: texts('(1,1),(0,0)', '(0.1,0.2),(-3,-4)'),
    without: { key: NO_ORDER },
  },
  {
    name: 'path',
    type: 'path',
    checklist: 25,
    values: texts('[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))'),
    without: { key: NO_ORDER },
    large: "(SELECT ('[' || string_agg('(' || g || ',1)', ',') || ']')::path FROM generate_series(1, 500) g)",
  },
  {
    name: 'polygon',
    type: 'polygon',
    checklist: 25,
    values: texts('((0,0),(1,1),(1,0))', '((0.1,0.2))'),
    without: { key: NO_ORDER },
  },
  {
    name: 'circle',
    type: 'circle',
    checklist: 25,
    values: texts('<(0,0),1.5>', '<(0.1,-0.1),0>'),
    without: { key: NO_ORDER },
  },
  {
    name: 'inet',
    type: 'inet',
    checklist: 25,
    values: texts('192.168.0.1/24', '::1', '192.168.0.1', '::ffff:1.2.3.4/96', '0.0.0.0/0'),
  },
  { name: 'cidr', type: 'cidr', checklist: 25, values: texts('10.0.0.0/8', '2001:db8::/32', '10.1.2.3/32') },
  { name: 'macaddr', type: 'macaddr', checklist: 25, values: texts('08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff') },
  {
    name: 'macaddr8',
    type: 'macaddr8',
    checklist: 25,
    values: texts('08:00:2b:01:02:03:04:05', '00:00:00:00:00:00:00:00'),
  },
];
