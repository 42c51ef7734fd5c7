import { malformed } from './message-reader.ts';

/** What a COPY in binary format begins with, before flags and the length of an extension. (PostgreSQL documentation, COPY, "Binary Format") */
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER = SIGNATURE.length + 8;

/**
 * Takes the messages of an output plugin out of `COPY (SELECT data …) TO STDOUT (FORMAT binary)`: one row of one bytea in each CopyData
 * message, handed over in place.
 */
export class CopiedMessages {
  readonly #onMessage: (buf: Buffer, start: number, end: number) => void;
  #begun = false;
  #messages = 0;

  constructor(onMessage: (buf: Buffer, start: number, end: number) => void) {
    this.#onMessage = onMessage;
  }

  /** Messages since the COPY began. */
  get messages(): number {
    return this.#messages;
  }

  /** What comes next is another COPY's. */
  next(): void {
    this.#begun = false;
    this.#messages = 0;
  }

  /**
   * The body of one CopyData message.
   * @throws {TerraFusionError} SOURCE_PROTOCOL for whatever is not a row of one value; and whatever the handler throws
   */
  data(buf: Buffer, start: number, end: number): void {
    let pos = start;
    if (!this.#begun) {
      pos = afterHeader(buf, start, end);
      this.#begun = true;
      // A server may send the header by itself.
      if (pos === end) return;
    }
    if (end - pos < 2) malformed('a copied row without its number of columns');
    const columns = (buf[pos]! << 8) | buf[pos + 1]!;
    // The end of the COPY: -1 columns.
    if (columns === 0xffff && end - pos === 2) return;
    if (columns !== 1 || end - pos < 6) malformed(`a copied row of ${columns} columns where 1 was asked for`);
    // As a whole: a NULL is -1.
    if (buf.readInt32BE(pos + 2) !== end - pos - 6) malformed('a copied value of another length than its row');
    this.#messages++;
    this.#onMessage(buf, pos + 6, end);
  }
}

/** @returns the position after the header */
function afterHeader(buf: Buffer, start: number, end: number): number {
  if (end - start < HEADER || buf.compare(SIGNATURE, 0, SIGNATURE.length, start, start + SIGNATURE.length) !== 0) {
    malformed('a COPY that does not begin like one');
  }
  const extension = buf.readUInt32BE(start + HEADER - 4);
  const pos = start + HEADER + extension;
  return pos <= end ? pos : malformed('a COPY whose header does not end');
}
