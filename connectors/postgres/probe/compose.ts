import { boundaryNumerics, boundaryTexts, boundaryValues } from './boundary-values.ts';
import type { TypeFacts } from './types.ts';

/** Labels of an enum that are tried, at most. */
export const MOST_LABELS = 200;
/** Longest text of a type without a length that is written out. */
const LONGEST = 2000;
/** Parts of an array, range or row: more of them prove nothing more. */
const PARTS = 6;
const DEEPEST = 5;

/**
 * Values at the boundaries of a type, in PostgreSQL's input syntax. Domains, arrays, rows and ranges are put together from their parts.
 * Some may not be legal (a domain's check, the order of a range's bounds): whoever asks the server finds out.
 * @returns undefined for a type of which nothing is known
 */
export function compose(
  typeOid: number,
  typmod: number,
  types: ReadonlyMap<number, TypeFacts>,
  depth = 0,
): string[] | undefined {
  const type = types.get(typeOid);
  if (type === undefined || depth > DEEPEST) return undefined;
  const parts = (oid: number, mod = -1): string[] | undefined =>
    compose(oid, mod, types, depth + 1)?.filter((text) => text.length < LONGEST);
  switch (type.kind) {
    case 'domain':
      return compose(type.base, type.baseTypmod, types, depth + 1);
    case 'enum':
      return type.labels.slice(0, MOST_LABELS);
    case 'row': {
      const fields = type.attributes.map(({ oid, typmod: mod }) => parts(oid, mod));
      return fields.every((values) => values !== undefined) ? rowsOf(fields) : undefined;
    }
    case 'range': {
      const bounds = parts(type.element);
      return bounds && rangesOf(bounds);
    }
    case 'multirange': {
      const ranges = parts(type.element);
      return ranges && ['{}', ...ranges.filter((range) => range !== 'empty').map((range) => `{${range}}`)];
    }
    case 'array': {
      const elements = parts(type.element, typmod);
      return elements && arraysOf(elements, type.delimiter);
    }
    case 'base':
      return baseValues(type.name, typmod);
  }
}

function baseValues(name: string, typmod: number): string[] | undefined {
  switch (name) {
    case 'text':
    case 'citext':
    case 'refcursor':
      return [...boundaryTexts];
    case 'varchar':
    case 'bpchar':
      return typmod < 4 ? [...boundaryTexts] : textsOfLength(typmod - 4);
    case 'bit':
      return bits(typmod < 0 ? 1 : typmod);
    case 'varbit':
      return ['', '1', ...bits(typmod < 0 ? 65 : typmod)];
    case 'numeric':
      return typmod < 4 ? [...boundaryNumerics] : numbersOf(typmod);
    case 'vector':
    case 'halfvec':
      return vectors(typmod < 1 ? 3 : typmod);
    case 'timestamp':
    case 'timestamptz':
      // Rounded up, the last moment becomes one that the server prints and does not read: no value that a table was ever given.
      return boundaryValues[name]!.filter((text) => typmod === -1 || typmod === 6 || !text.includes('59.999999'));
    default:
      return Object.hasOwn(boundaryValues, name) ? [...boundaryValues[name]!] : undefined;
  }
}

function textsOfLength(length: number): string[] {
  const written = Math.min(length, LONGEST);
  const short = boundaryTexts.filter((text) => Array.from(text).length <= written);
  return [...short, 'x'.repeat(written), '😀'.repeat(written), `x${' '.repeat(written - 1)}`];
}

function bits(length: number): string[] {
  const written = Math.min(length, LONGEST);
  return ['0'.repeat(written), '1'.repeat(written), '10'.repeat(written).slice(0, written)];
}

/** The largest, smallest and finest number of a numeric(precision, scale). A scale may be negative, or beyond the precision. */
function numbersOf(typmod: number): string[] {
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  const nines = '9'.repeat(precision);
  const largest = `${nines}e${-scale}`;
  const finest = `1e${-scale}`;
  return ['NaN', '0', '1', largest, `-${largest}`, finest, `-${finest}`];
}

function vectors(dimensions: number): string[] {
  const of = (value: string): string => `[${Array.from({ length: dimensions }, () => value).join(',')}]`;
  return [of('0'), of('1'), of('-0.1')];
}

/** In double quotes, whatever it holds. */
const inArray = (text: string): string => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
const inRow = (text: string): string => `"${text.replaceAll(/["\\]/g, '$&$&')}"`;

function arraysOf(elements: readonly string[], delimiter: string): string[] {
  const quoted = elements.map(inArray);
  const [first, second = first] = quoted;
  if (first === undefined) return ['{}', '{NULL}'];
  return [
    '{}',
    '{NULL}',
    ...quoted.slice(0, PARTS).map((element) => `{${element}}`),
    `{${quoted.join(delimiter)}${delimiter}NULL}`,
    `{{${first}${delimiter}NULL}${delimiter}{${second!}${delimiter}${first}}}`,
    `[0:1]={${first}${delimiter}${second!}}`,
  ];
}

function rowsOf(fields: readonly (readonly string[])[]): string[] {
  const most = Math.max(1, ...fields.map((values) => values.length));
  const rows = Array.from({ length: Math.min(most, 2 * PARTS) }, (_, index) =>
    fields.map((values) => (values.length === 0 ? '' : inRow(values[index % values.length]!))),
  );
  return [`(${fields.map(() => '').join(',')})`, ...rows.map((row) => `(${row.join(',')})`)];
}

/** Which bound is the lower one is the server's to know: both orders are tried. */
function rangesOf(bounds: readonly string[]): string[] {
  const quoted = bounds.slice(0, PARTS).map(inRow);
  const pairs = quoted.flatMap((lower, i) =>
    quoted.flatMap((upper, j) => (i === j ? [`[${lower},${upper}]`] : [`[${lower},${upper})`, `(${lower},${upper}]`])),
  );
  return ['empty', '(,)', ...quoted.flatMap((bound) => [`[${bound},)`, `(,${bound}]`]), ...pairs].slice(0, 60);
}
