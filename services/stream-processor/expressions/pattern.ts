/**
 * Regular expressions over values that anybody may have written into a source: a value must not be able to hold up the pair.
 * JavaScript's engine backtracks, so its time is bounded from both sides. Patterns whose time grows exponentially are refused. For the
 * others the length of the text is limited so that a match takes at most about a hundred million steps: with r repetitions that have
 * no upper bound and w ways through the rest of the pattern, n characters take at most w · nʳ⁺¹ / (r + 1)! steps.
 */
export interface BoundedPattern {
  /** Unicode, global. */
  readonly expression: RegExp;
  /** Longest text, in UTF-16 units, that it may be matched against. */
  readonly maxLength: number;
}

const MAX_STEPS = 1e8;
const MAX_LENGTH = 1_000_000;
/** A pattern that may not even be matched against this much is refused. */
const LEAST_LENGTH = 64;
const MAX_PATTERN = 500;
/** A range that leaves this much open, {0,20}, is reckoned as one without an end. */
const WIDE_RANGE = 20;

const ENDLESS = 'the pattern repeats a group that itself repeats or has branches: its time could grow without end';

/** @throws {RangeError} saying what the pattern must not do */
export function boundedPattern(pattern: string): BoundedPattern {
  if (pattern.length > MAX_PATTERN) throw new RangeError(`the pattern is longer than ${MAX_PATTERN} characters`);
  let expression: RegExp;
  try {
    expression = new RegExp(pattern, 'gu');
  } catch (cause) {
    throw new RangeError(`the pattern is not a regular expression: ${(cause as SyntaxError).message}`, { cause });
  }
  const { ways, endless } = new Walk(pattern).run();
  let factorial = 1;
  for (let i = 2; i <= endless + 1; i++) factorial *= i;
  const maxLength = Math.min(MAX_LENGTH, Math.floor(((MAX_STEPS / ways) * factorial) ** (1 / (endless + 1))));
  if (!(maxLength >= LEAST_LENGTH)) {
    throw new RangeError(`the pattern has too many repetitions (${endless} without an upper bound) or branches`);
  }
  return { expression, maxLength };
}

/** A group while it is open. */
interface Group {
  /** Ways through the branches before the current one. */
  earlier: number;
  /** Ways through the current branch up to the last atom. */
  ways: number;
  /** Whether something in it repeats a variable number of times. */
  varies: boolean;
}

/** One pass over a pattern that is known to be valid. */
class Walk {
  readonly #pattern: string;
  readonly #open: Group[] = [{ earlier: 0, ways: 1, varies: false }];
  /** Ways through the last atom, and whether it is a group in which something varies: what a quantifier after it is about. */
  #atomWays = 1;
  #atomVaries = false;
  #endless = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  run(): { ways: number; endless: number } {
    const pattern = this.#pattern;
    for (let i = 0; i < pattern.length;) i = this.#step(pattern, i);
    return { ways: this.#close(), endless: this.#endless };
  }

  #step(pattern: string, at: number): number {
    const rest = pattern.slice(at);
    const quantifier = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(rest);
    if (quantifier) {
      this.#quantify(quantifier);
      return at + quantifier[0].length;
    }
    switch (pattern[at]) {
      case '\\':
        if (/^\\(?:[1-9]|k<)/.test(rest))
          throw new RangeError('the pattern refers back to a group, which cannot be bounded');
        this.#atom();
        return (
          at + /^\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|[\s\S])/u.exec(rest)![0].length
        );
      case '[':
        this.#atom();
        return at + /^\[(?:\\[\s\S]|[^\]\\])*\]/.exec(rest)![0].length;
      case '(': {
        if (/^\(\?<?[=!]/.test(rest))
          throw new RangeError('the pattern looks ahead or behind, which cannot be bounded');
        const head = /^\(\?(?::|<[^>]*>)/.exec(rest);
        if (!head && rest.startsWith('(?'))
          throw new RangeError('the pattern changes its own flags, which is not supported');
        this.#atom();
        this.#open.push({ earlier: 0, ways: 1, varies: false });
        return at + (head?.[0].length ?? 1);
      }
      case ')': {
        const ways = this.#close();
        const { varies } = this.#open.pop()!;
        this.#atomWays = ways;
        this.#atomVaries = varies;
        this.#open.at(-1)!.varies ||= varies;
        return at + 1;
      }
      case '|': {
        const group = this.#open.at(-1)!;
        group.earlier = this.#close();
        group.ways = 1;
        return at + 1;
      }
      default:
        this.#atom();
        return at + 1;
    }
  }

  /** The atom before is settled; the next one has a single way unless it turns out to be a group. */
  #atom(): void {
    this.#open.at(-1)!.ways *= this.#atomWays;
    this.#atomWays = 1;
    this.#atomVaries = false;
  }

  /** Ways through the innermost group as far as it has been read. */
  #close(): number {
    this.#atom();
    const { earlier, ways } = this.#open.at(-1)!;
    return earlier + ways;
  }

  #quantify([text, least, range, most]: RegExpExecArray): void {
    const group = this.#open.at(-1)!;
    const optional = text.startsWith('?');
    const from = Number(least ?? 0);
    const to =
      least === undefined
        ? optional
          ? 1
          : Infinity
        : range === undefined
          ? from
          : most === ''
            ? Infinity
            : Number(most);
    if (to !== 1 && (this.#atomVaries || this.#atomWays > 1)) throw new RangeError(ENDLESS);
    if (to - from >= WIDE_RANGE) this.#endless++;
    else this.#atomWays += to - from;
    if (to !== from) group.varies = true;
    this.#atomVaries = false;
  }
}
