/** A type as `format_type` prints it, taken apart. */
interface PrintedType {
  readonly name: string;
  readonly modifiers: readonly number[];
}

function parse(type: string): PrintedType {
  const match = /^(.+?)\((\d+)(?:,(-?\d+))?\)(.*)$/.exec(type);
  if (!match) return { name: type, modifiers: [] };
  const modifiers = match[3] === undefined ? [Number(match[2])] : [Number(match[2]), Number(match[3])];
  return { name: `${match[1]!}${match[4]!}`, modifiers };
}

const WIDER: Readonly<Record<string, readonly string[]>> = {
  smallint: ['integer', 'bigint', 'numeric'],
  integer: ['bigint', 'numeric'],
  bigint: ['numeric'],
  real: ['double precision'],
  'character varying': ['text'],
  date: ['timestamp without time zone'],
};

/** Types whose only modifier is a length or a precision: more of it holds all that less of it held. */
const MEASURED =
  /^(character varying|character|bit varying|timestamp with(out)? time zone|time with(out)? time zone)(\[\])*$/;

/** Whether every value of the one type is one of the other, and prints no less there. */
export function isWidening(from: string, to: string): boolean {
  const [a, b] = [parse(from), parse(to)];
  // Without modifiers a type is as wide as it gets.
  if (a.name === b.name && b.modifiers.length === 0) return true;
  if (WIDER[a.name]?.includes(b.name) === true) return b.modifiers.length === 0;
  if (a.name !== b.name || a.modifiers.length === 0) return false;
  if (/^numeric(\[\])*$/.test(a.name)) {
    const [precision, scale = 0] = a.modifiers as [number, number?];
    const [toPrecision, toScale = 0] = b.modifiers as [number, number?];
    return toScale >= scale && toPrecision - toScale >= precision - scale;
  }
  return MEASURED.test(a.name) && b.modifiers[0]! >= a.modifiers[0]!;
}

const FAMILIES = [
  ['smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision'],
  ['character varying', 'character', 'text'],
];

/** Whether the plain cast gives the same at both ends, whatever the sessions' settings are. */
export function castsAlike(from: string, to: string): boolean {
  const [a, b] = [parse(from).name, parse(to).name];
  return FAMILIES.some((family) => family.includes(a) && family.includes(b));
}
