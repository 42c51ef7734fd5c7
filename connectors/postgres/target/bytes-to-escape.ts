/** Bytes that COPY's text format has to escape. */
const KINDS = [0x09, 0x0a, 0x0d, 0x5c];

/**
 * Where in a buffer the next byte lies that has to be escaped, for cells that are looked at from the buffer's beginning to its end. Most cells have
 * none, and four native searches over a whole block cost less than a look at each byte of it. (A newline is also what the length of a
 * cell of five bytes looks like: such a find lies before the next cell, and is passed over.)
 */
export class BytesToEscape {
  readonly #bytes: Buffer;
  /** By kind: the first one at or behind what was asked for last; beyond the end when there is none. */
  readonly #next: number[] = KINDS.map(() => -1);
  #asked = 0;
  /** None from what was asked for last up to here. */
  #clear = -1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Whether there is none from `from` to `to`. False, too, when what lies before the last answer is asked for: that is not known any more. */
  noneIn(from: number, to: number): boolean {
    if (from < this.#asked) return false;
    this.#asked = from;
    if (to <= this.#clear) return true;
    if (this.#clear < from) this.#lookOn(from);
    return to <= this.#clear;
  }

  #lookOn(from: number): void {
    const next = this.#next;
    let clear = this.#bytes.length;
    for (let kind = 0; kind < KINDS.length; kind++) {
      if (next[kind]! < from) {
        const found = this.#bytes.indexOf(KINDS[kind]!, from);
        next[kind] = found < 0 ? this.#bytes.length : found;
      }
      if (next[kind]! < clear) clear = next[kind]!;
    }
    this.#clear = clear;
  }
}
