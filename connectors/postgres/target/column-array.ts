import type { BinaryForm } from '#schemas/block/index.ts';
import { copyWords, LastView, NATIVE_FROM } from '#schemas/block/view.ts';

/** Oid of `text`; the same in every PostgreSQL. */
export const TEXT_OID = 25;

/** Dimensions, null flag, element type, length and lower bound of the only dimension. */
const HEADER = 20;
/** A builder keeps its buffer from one use to the next up to this size. (Promise 6) */
const KEPT = 1024 * 1024;

/**
 * One column of a set of rows as an array in PostgreSQL's binary form: values go in as the bytes they are, nothing is quoted or escaped. Of texts, or of a
 * type of which the cells are in binary.
 * A builder is used again and again: `reset`, the values, `finish`, then `bytes` up to `length`.
 */
export class ColumnArray {
  bytes: Buffer;
  readonly #out = new LastView();
  readonly #source = new LastView();
  #pos = HEADER;
  #count = 0;
  #nulls = false;
  #element = TEXT_OID;

  constructor(capacity = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Bytes of the array, its header included. */
  get length(): number {
    return this.#pos;
  }

  get count(): number {
    return this.#count;
  }

  /** @param element oid of the type of what is added from now on */
  reset(element = TEXT_OID): void {
    this.#element = element;
    this.#pos = HEADER;
    this.#count = 0;
    this.#nulls = false;
    if (this.bytes.length > KEPT) this.bytes = Buffer.allocUnsafeSlow(1024);
  }

  /** Adds `src` from `from` to `to` as one element. */
  add(src: Buffer, from: number, to: number): void {
    const length = to - from;
    this.#need(length + 4);
    const { bytes } = this;
    const out = this.#out.of(bytes);
    out.setInt32(this.#pos, length);
    const pos = this.#pos + 4;
    this.#pos =
      length < NATIVE_FROM ? copyWords(this.#source.of(src), from, to, out, pos) : pos + src.copy(bytes, pos, from, to);
    this.#count++;
  }

  /** Adds the text of a value in binary as one element, to an array of texts. */
  addBinary(form: BinaryForm, src: Buffer, from: number, to: number): void {
    this.#need(form.most(src, from, to) + 4);
    const start = this.#pos + 4;
    const end = form.put(src, from, to, this.bytes, start);
    this.bytes.writeInt32BE(end - start, this.#pos);
    this.#pos = end;
    this.#count++;
  }

  addNull(): void {
    this.#need(4);
    this.#out.of(this.bytes).setInt32(this.#pos, -1);
    this.#pos += 4;
    this.#count++;
    this.#nulls = true;
  }

  /** Writes the header. The array has one dimension even when it is empty. */
  finish(): void {
    const { bytes } = this;
    bytes.writeInt32BE(1, 0);
    bytes.writeInt32BE(this.#nulls ? 1 : 0, 4);
    bytes.writeInt32BE(this.#element, 8);
    bytes.writeInt32BE(this.#count, 12);
    bytes.writeInt32BE(1, 16);
  }

  #need(bytes: number): void {
    if (this.#pos + bytes <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.#pos + bytes));
    this.bytes.copy(larger, 0, 0, this.#pos);
    this.bytes = larger;
  }
}
