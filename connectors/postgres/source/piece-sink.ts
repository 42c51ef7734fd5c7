import type { RawFormat, RawPiece } from '#connectors/contract/source.ts';
import type { CopySink } from './copy-out.ts';

const SIZE = 256 * 1024;

/**
 * Gathers rows, as they come, into pieces of about 256 KiB. A piece is the taker's until the next one is asked for: its buffer is used again,
 * since memory that is asked for anew all the time has garbage collected all the time.
 */
export class PieceSink implements CopySink<RawPiece> {
  readonly #full: { readonly buffer: Buffer; readonly length: number }[] = [];
  readonly #free: Buffer[] = [];
  /** What the last piece was cut from. */
  #lent: Buffer | undefined;
  #open: Buffer = Buffer.allocUnsafeSlow(SIZE);
  #length = 0;
  #fullBytes = 0;
  /** Messages that no piece has told of as rows. */
  #untold: number;

  constructor(format: RawFormat) {
    // A message is a row, and in the binary format one more is its end. So a row is told of once another message has followed it.
    this.#untold = format === 'binary' ? -1 : 0;
  }

  get bytes(): number {
    return this.#fullBytes + this.#length;
  }

  row(buf: Buffer, start: number, end: number): void {
    if (this.#length + end - start > this.#open.length) this.#turn(end - start);
    buf.copy(this.#open, this.#length, start, end);
    this.#length += end - start;
    this.#untold += 1;
  }

  take(all: boolean): RawPiece | undefined {
    if (this.#lent?.length === SIZE) this.#free.push(this.#lent);
    this.#lent = undefined;
    // A piece that one long row has filled counts as full, or it would wait for a next row while reading is paused.
    if (this.#full.length === 0 && (all || this.#length >= SIZE)) this.#turn(0);
    const full = this.#full.shift();
    if (full === undefined) return undefined;
    const { buffer, length } = full;
    this.#lent = buffer;
    this.#fullBytes -= length;
    const rows = Math.max(0, this.#untold);
    this.#untold -= rows;
    return { bytes: buffer.subarray(0, length), rows };
  }

  #turn(needed: number): void {
    if (this.#length > 0) {
      this.#full.push({ buffer: this.#open, length: this.#length });
      this.#fullBytes += this.#length;
      this.#length = 0;
      this.#open = (needed > SIZE ? undefined : this.#free.pop()) ?? Buffer.allocUnsafeSlow(Math.max(needed, SIZE));
    } else if (needed > this.#open.length) {
      this.#open = Buffer.allocUnsafeSlow(needed);
    }
  }
}
