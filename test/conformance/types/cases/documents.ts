import { NO_ORDER, text, texts, type TypeCase } from '../type-case.ts';

const BIG = '-123456789012345678901234567890.123456789012345678901234567890';

/** CHECKLIST 24 and 25: json, xml, texts to search in. */
export const documents: readonly TypeCase[] = [
  {
    name: 'json',
    type: 'json',
    checklist: 24,
    values: texts(
      '{ "a":  1, "a": 2,\n\t"n": 1e400 }',
      'null',
      String.raw`"x\u0041\u0000"`,
      '[]',
      BIG,
      ' "\u{1f600}" ',
    ),
    large: String.raw`('{"long" : "' || repeat('\" ', 3000) || '"}')`,
    without: { key: NO_ORDER },
  },
  {
    name: 'jsonb',
    type: 'jsonb',
    checklist: 24,
    twins: [`'{"twin": 1.0}'`, `'{"twin": 1.00}'`],
    values: texts(
      '{"b": 1.0, "a": [1.50, 1e3, null, true, {}]}',
      'null',
      String.raw`"x\u0041 \ud83d\ude00"`,
      '[]',
      '1.0',
      '1.00',
      BIG,
    ),
    large: `(SELECT jsonb_object_agg(g, sha256(g::text::bytea)::text) FROM generate_series(1, 200) g)`,
  },
  {
    name: 'jsonpath',
    type: 'jsonpath',
    checklist: 24,
    values: texts('$."a b"[*]?(@.x > 1.5)', 'strict $.**{1 to 3}', String.raw`$.a ? (@ like_regex "^\\d+$" flag "i")`),
    without: { key: NO_ORDER },
  },
  {
    name: 'xml',
    type: 'xml',
    checklist: 25,
    values: [
      '<a b="1">x &amp; y</a>',
      '<?xml version="1.0" standalone="no"?><a/>',
      'no element',
      '',
      '<a/><b/> c',
      '<!-- only -->',
      '<a>\u{1f600}</a>',
      '<?xml version="1.0" encoding="ISO-8859-1"?><a>\u00e9</a>',
    ].map((value) => `XMLPARSE(CONTENT ${text(value)})`),
    large: "XMLPARSE(DOCUMENT '<a>' || repeat('<b/>', 2000) || '</a>')",
    without: { key: NO_ORDER },
    note: "PostgreSQL's own output leaves out the encoding of an XML declaration, and so does the target's value",
  },
  {
    name: 'tsvector',
    type: 'tsvector',
    checklist: 25,
    values: texts("'a':1 'it''s':2A,3B 'x y':16383", '', String.raw`'back\\slash' 'plain'`),
    large: "(SELECT to_tsvector('simple', string_agg('w' || g, ' ')) FROM generate_series(1, 800) g)",
  },
  {
    name: 'tsquery',
    type: 'tsquery',
    checklist: 25,
    values: texts("'a' & !'b' | 'c' <-> 'd':*A", "'it''s' <3> 'x'", ''),
  },
];
