/** A type as `format_type` prints it, taken apart: "numeric(14,2)", "character varying(20)", "timestamp(3) without time zone". */
interface Type {
  readonly name: string;
  readonly arguments: readonly number[];
}

function parseType(text: string): Type {
  const match = /^([^(]+?)\s*(?:\(([\d\s,-]+)\))?(\s+with(?:out)? time zone)?$/.exec(text.trim());
  if (!match) return { name: text, arguments: [] };
  return { name: `${match[1]!}${match[3] ?? ''}`, arguments: match[2]?.split(',').map(Number) ?? [] };
}

const integers: readonly string[] = ['smallint', 'integer', 'bigint'];
const floats: readonly string[] = ['real', 'double precision'];
const texts: readonly string[] = ['character varying', 'character', 'text', 'citext', 'name'];

/**
 * What happens to values of one type in a column of another one: undefined when they arrive as they were. Values travel as the text
 * that PostgreSQL prints, so what is not named here either fits or is refused, and then is a dead letter.
 */
export function lossyReason(from: string, to: string): string | undefined {
  if (from === to) return undefined;
  const [source, target] = [parseType(from), parseType(to)];
  if (target.name === 'text' || target.name === 'citext') return undefined;
  if (texts.includes(target.name)) return textReason(source, target, to);
  if (integers.includes(target.name)) return integerReason(source, target);
  if (target.name === 'numeric') return numericReason(source, target);
  if (floats.includes(target.name)) return floatReason(source, target);
  if (target.name === 'jsonb' && source.name === 'json')
    return 'white space, the order of keys and repeated keys are lost';
  if (target.name === 'json' && source.name === 'jsonb') return undefined;
  return isTime(source) && isTime(target) ? timeReason(source, target) : other(from, to);
}

function textReason(source: Type, target: Type, to: string): string | undefined {
  const [room] = target.arguments;
  if (room === undefined) return undefined;
  const [length] = source.arguments;
  const fits = texts.includes(source.name) && length !== undefined && length <= room;
  // What is too long by blanks at its end only, SQL has cut off without a word.
  const cut = texts.includes(source.name) ? ', or lose blanks at their end where these are all that is too much' : '';
  if (!fits) return `values of more than ${room} characters are refused by ${to}${cut}`;
  return target.name === 'character' && source.name !== 'character'
    ? `values are padded to ${room} characters`
    : undefined;
}

function integerReason(source: Type, target: Type): string | undefined {
  if (integers.includes(source.name)) {
    return integers.indexOf(source.name) <= integers.indexOf(target.name)
      ? undefined
      : `values beyond the range of ${target.name} are refused`;
  }
  return `values that are no ${target.name} are refused`;
}

function numericReason(source: Type, target: Type): string | undefined {
  const [precision, scale = 0] = target.arguments;
  if (precision === undefined) return undefined;
  if (integers.includes(source.name)) {
    const digits = { smallint: 5, integer: 10, bigint: 19 }[source.name]!;
    return precision - scale >= digits ? undefined : `values of more than ${precision - scale} digits are refused`;
  }
  const [fromPrecision, fromScale = 0] = source.arguments;
  if (source.name !== 'numeric' || fromPrecision === undefined)
    return `decimals beyond ${scale} are rounded, larger values refused`;
  if (fromScale > scale) return `decimals beyond ${scale} are rounded`;
  return fromPrecision - fromScale > precision - scale
    ? `values of more than ${precision - scale} digits are refused`
    : undefined;
}

function floatReason(source: Type, target: Type): string | undefined {
  if (source.name === 'real' || source.name === 'smallint') return undefined;
  if (source.name === 'integer' && target.name === 'double precision') return undefined;
  return `digits beyond the precision of ${target.name} are lost`;
}

const kind = (type: Type): string => type.name.replace(/ with(out)? time zone$/, '');
const isTime = (type: Type): boolean => ['timestamp', 'time', 'date'].includes(kind(type));

function timeReason(source: Type, target: Type): string | undefined {
  if (kind(source) === 'timestamp' && kind(target) === 'date') return 'the time of day is lost';
  if (kind(source) !== kind(target)) return other(source.name, target.name);
  if (source.name.endsWith(' with time zone') && !target.name.endsWith(' with time zone'))
    return 'the time zone is lost';
  const [from = 6, to = 6] = [source.arguments[0], target.arguments[0]];
  return from > to ? `fractions of a second are rounded to ${to} digits` : undefined;
}

const other = (from: string, to: string): string =>
  `values of ${from} are written as ${to}; those that are none are refused`;

/** What of a source's values would be refused by a target's type: something that can be counted at the source. */
export type Bound =
  | { readonly kind: 'length'; readonly most: number }
  | { readonly kind: 'range'; readonly least: string; readonly most: string };

const integerBounds: Readonly<Record<string, readonly [string, string]>> = {
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '2147483647'],
  bigint: ['-9223372036854775808', '9223372036854775807'],
};

/** undefined: nothing is refused, or not for its size. */
export function boundOf(from: string, to: string): Bound | undefined {
  const [source, target] = [parseType(from), parseType(to)];
  if (lossyReason(from, to) === undefined) return undefined;
  const [room, scale = 0] = target.arguments;
  // What a boolean or bytea is as text is not what it is in a copy.
  if (target.name.startsWith('character') && texts.includes(source.name))
    return room === undefined ? undefined : { kind: 'length', most: room };
  if (![...integers, ...floats, 'numeric'].includes(source.name)) return undefined;
  const ends = integerBounds[target.name];
  if (ends && integers.includes(source.name)) return { kind: 'range', least: ends[0], most: ends[1] };
  if (target.name !== 'numeric' || room === undefined) return undefined;
  const digits = room - scale;
  const most = digits <= 0 ? '1' : `1${'0'.repeat(digits)}`;
  return { kind: 'range', least: `-${most}`, most };
}
