import type { SourceBlock, TableShape } from '#connectors/contract/source.ts';
import { Before, BlockWriter, Op } from '#schemas/block/index.ts';
import { before, type Position } from '#schemas/position.ts';
import type { CopySink } from './copy-out.ts';
import { writeCopyRow } from './copy-text.ts';
import { malformed } from './message-reader.ts';

/** Turns rows of COPY text into blocks of inserts. */
export class BlockSink implements CopySink<SourceBlock> {
  readonly #shape: TableShape;
  readonly #blockBytes: number;
  readonly #writer: BlockWriter;
  readonly #full: SourceBlock[] = [];
  #fullBytes = 0;
  #scratch = Buffer.allocUnsafeSlow(64 * 1024);
  #position: Position;
  #ordinal: number;

  /** @param firstOrdinal number of the first row */
  constructor(shape: TableShape, blockBytes: number, firstOrdinal: number) {
    this.#shape = shape;
    this.#blockBytes = blockBytes;
    this.#ordinal = firstOrdinal - 1;
    this.#position = firstOrdinal === 0 ? before(0, 0n) : { generation: 0, commitLsn: 0n, ordinal: this.#ordinal };
    this.#writer = new BlockWriter(blockBytes + 64 * 1024);
  }

  get bytes(): number {
    return this.#fullBytes + this.#writer.byteLength;
  }

  row(buf: Buffer, start: number, end: number): void {
    const writer = this.#writer;
    if (writer.byteLength >= this.#blockBytes) this.#close();
    if (writer.isEmpty) {
      writer.addTable(this.#shape.table);
      writer.beginTransaction({ xid: 0, commitLsn: 0n, commitTime: 0, origin: undefined });
    }
    if (end - start > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(end - start);
    const width = this.#shape.table.columns.length;
    writer.beginChange(0, Op.insert, ++this.#ordinal);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(width);
    const cells = width === 0 ? 0 : writeCopyRow(writer, buf, start, end, this.#scratch);
    if (cells !== width) malformed(`a row of ${cells} columns where ${width} were asked for`);
    writer.endRow();
  }

  take(all: boolean): SourceBlock | undefined {
    const { isEmpty, byteLength } = this.#writer;
    if (this.#full.length === 0 && !isEmpty && (all || byteLength >= this.#blockBytes)) this.#close();
    const block = this.#full.shift();
    if (block !== undefined) this.#fullBytes -= block.bytes.length;
    return block;
  }

  #close(): void {
    const writer = this.#writer;
    const last: Position = { generation: 0, commitLsn: 0n, ordinal: this.#ordinal };
    writer.endTransaction(false, this.#ordinal);
    const { changes, transactions } = writer;
    const bytes = writer.finish('', 0, this.#position);
    this.#position = last;
    this.#full.push({ bytes, last, changes, transactions, lastCommitTime: 0 });
    this.#fullBytes += bytes.length;
  }
}
