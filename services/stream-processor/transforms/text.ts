import type { Transforms } from './transform.ts';
import { onText } from './transform.ts';

/** What trim, collapse_spaces and digits_only go by is Unicode's white space and decimal ASCII digits. Case is Unicode's, of no language. */
export const textTransforms = {
  trim: () => onText((text) => text.trim()),
  upper: () => onText((text) => text.toUpperCase()),
  lower: () => onText((text) => text.toLowerCase()),
  collapse_spaces: () => onText((text) => text.replace(/\s+/gu, ' ').trim()),
  digits_only: () => onText((text) => text.replace(/[^0-9]/gu, '')),
  null_if_empty: () => onText((text) => (text === '' ? null : text)),
  pad_left: ({ length, with: filler }) => onText((text) => filler.repeat(missing(text, length)) + text),
  pad_right: ({ length, with: filler }) => onText((text) => text + filler.repeat(missing(text, length))),
  prefix: (prefix) => onText((text) => prefix + text),
  suffix: (suffix) => onText((text) => text + suffix),
  replace: ({ find, with: replacement }) => onText((text) => text.split(find).join(replacement)),
  truncate: ({ length }) =>
    onText((text) => (text.length <= length ? text : Array.from(text).slice(0, length).join(''))),
  default: (value) => (text) => text ?? value,
} satisfies Partial<Transforms>;

/** Code points that a text falls short of a length. */
function missing(text: string, length: number): number {
  return Math.max(0, length - codePoints(text));
}

export function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      count--;
      i++;
    }
  }
  return count;
}
