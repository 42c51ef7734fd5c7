import { NO_ORDER, text, texts, type TypeCase } from '../type-case.ts';

/** Some lie in schemas of their own, as careful people have it: their operators are on nobody's search path. */
const inPublic = (extension: string): Pick<TypeCase, 'extension' | 'setup' | 'checklist'> => ({
  extension,
  checklist: 25,
  setup: [`CREATE EXTENSION ${extension} SCHEMA public`],
});
const inOwn = (extension: string): Pick<TypeCase, 'extension' | 'setup' | 'checklist'> => ({
  extension,
  checklist: 25,
  setup: [`CREATE SCHEMA "ext ${extension}"`, `CREATE EXTENSION ${extension} SCHEMA "ext ${extension}"`],
});

/** CHECKLIST 25: the extensions that come with the server. */
export const extensions: readonly TypeCase[] = [
  {
    name: 'citext',
    type: '"ext citext".citext',
    ...inOwn('citext'),
    twins: ["'twin'", "'TWIN'"],
    values: texts('a', 'A', 'Ärger "x"', ''),
    large: "repeat('Xy', 3000)",
  },
  {
    name: 'hstore',
    type: '"ext hstore".hstore',
    ...inOwn('hstore'),
    values: [text('"a b"=>"1", "b"=>NULL, "c"=>"NULL"'), text(String.raw`"q\"\\,=>"=>"v"`), "''"],
    large: `(SELECT string_agg('k' || g || '=>' || g, ',') FROM generate_series(1, 500) g)`,
  },
  { name: 'ltree', type: 'public.ltree', ...inPublic('ltree'), values: texts('Top.Science.Astronomy', 'a_1.b', '') },
  {
    name: 'lquery',
    type: 'public.lquery',
    ...inPublic('ltree'),
    values: texts('*.Astro*%@{1,2}.!a|b', 'a'),
    without: { key: NO_ORDER },
  },
  {
    name: 'ltxtquery',
    type: 'public.ltxtquery',
    ...inPublic('ltree'),
    values: texts('Europe & Russia*@ & !Transportation', 'a'),
    without: { key: NO_ORDER },
  },
  {
    name: 'cube',
    type: 'public.cube',
    ...inPublic('cube'),
    values: texts('(1, 2.5, -0),(3, 4, 5)', '(0)', '(0.1, 0.30000000000000004)'),
  },
  { name: 'seg', type: 'public.seg', ...inPublic('seg'), values: texts('1.50 .. 2.0', '~3', '< 4', '5(+-)0.1') },
  {
    name: 'query_int',
    type: 'public.query_int',
    ...inPublic('intarray'),
    values: texts('1&(2|!3)', '4'),
    without: { key: NO_ORDER },
  },
  { name: 'isbn', type: 'public.isbn', ...inPublic('isn'), values: texts('1-937294-43-9', '978-0-393-04002-9') },
  { name: 'ean13', type: 'public.ean13', ...inPublic('isn'), values: texts('9780393040029', '4006381333931') },
  { name: 'isbn13', type: 'public.isbn13', ...inPublic('isn'), values: texts('978-0-393-04002-9', '9781937294434') },
  { name: 'issn', type: 'public.issn', ...inPublic('isn'), values: texts('1436-4522', '0317-8471') },
  { name: 'issn13', type: 'public.issn13', ...inPublic('isn'), values: texts('977-1436-452-00-8', '9770317847001') },
  { name: 'ismn', type: 'public.ismn', ...inPublic('isn'), values: texts('979-0-060-11561-5', 'M-2306-7118-7') },
  { name: 'ismn13', type: 'public.ismn13', ...inPublic('isn'), values: texts('979-0-060-11561-5', '9790230671187') },
  { name: 'upc', type: 'public.upc', ...inPublic('isn'), values: texts('220356483481', '012345678905') },
  {
    name: 'lo',
    type: 'public.lo',
    ...inPublic('lo'),
    values: texts('4294967295', '1'),
    note: "the large object's number goes over, the large object does not",
  },
];

/** What Debian packages bring. */
export const packaged: readonly TypeCase[] = [
  {
    name: 'geometry',
    type: 'public.geometry',
    ...inPublic('postgis'),
    values: [
      "'SRID=2926;POINT(1271000.123456789 230000.3)'",
      "'POINT EMPTY'",
      "'SRID=4326;POLYGON((0 0,0 1,1 1,1 0,0 0),(0.1 0.1,0.2 0.1,0.2 0.2,0.1 0.1))'",
      "'GEOMETRYCOLLECTION ZM(POINT ZM(1 2 3 4),LINESTRING ZM(0 0 0 0,1 1 1 1))'",
      "'MULTIPOLYGON(((0 0,0 1,1 1,0 0)),((5 5,5 6,6 6,5 5)))'",
      "'SRID=4326;CIRCULARSTRING(0 0,1 1,2 0)'",
    ],
    large: "public.ST_Buffer('SRID=2926;POINT(0 0)'::public.geometry, 10, 100)",
  },
  {
    name: 'geometry(Point,4326)',
    type: 'public.geometry(Point,4326)',
    ...inPublic('postgis'),
    values: ["'SRID=4326;POINT(-122.33 47.61)'", "'SRID=4326;POINT(0 0)'"],
  },
  {
    name: 'geometry(MultiPolygonZ)',
    type: 'public.geometry(MultiPolygonZ,2926)',
    ...inPublic('postgis'),
    values: ["'SRID=2926;MULTIPOLYGON Z(((0 0 1,0 1 1,1 1 1,0 0 1)))'", "'SRID=2926;MULTIPOLYGON Z EMPTY'"],
  },
  {
    name: 'geography',
    type: 'public.geography',
    ...inPublic('postgis'),
    values: ["'POINT(-122.33 47.61)'", "'SRID=4326;LINESTRING(0 0,1 1)'"],
  },
  {
    name: 'geography(Point,4326)',
    type: 'public.geography(Point,4326)',
    ...inPublic('postgis'),
    values: ["'POINT(-122.33 47.61)'", "'POINT(0.1 0.2)'"],
  },
  {
    name: 'box2d',
    type: 'public.box2d',
    ...inPublic('postgis'),
    values: texts('BOX(0 0,1.5 2)', 'BOX(-1 -1,0 0)'),
    without: { key: NO_ORDER },
  },
  {
    name: 'box3d',
    type: 'public.box3d',
    ...inPublic('postgis'),
    values: texts('BOX3D(0 0 0,1.5 2 3)', 'BOX3D(-1 -1 -1,0 0 0)'),
    without: { key: NO_ORDER },
  },
  {
    name: 'vector',
    type: 'public.vector',
    ...inPublic('vector'),
    values: texts('[1,2.5,-3e-8]', '[0.1,0,-0]'),
    large: '(SELECT array_agg(g) FROM generate_series(1, 1500) g)::int[]',
  },
  { name: 'vector(3)', type: 'public.vector(3)', ...inPublic('vector'), values: texts('[1,2,3]', '[0.1,0,-1]') },
];
