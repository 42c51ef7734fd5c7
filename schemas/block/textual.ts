import { binaryFormOf } from './binary-text.ts';
import { BlockReader, CellCursor } from './block-reader.ts';
import { BlockWriter } from './block-writer.ts';
import { corrupt } from './header.ts';
import { Before, Cell, type BlockTable } from './model.ts';

/** The table as it is called where its cells are text; the very same where they are already. */
export function textualTable(table: BlockTable): BlockTable {
  if (!isBinary(table)) return table;
  return { ...table, columns: table.columns.map((column) => ({ ...column, format: 'text' as const })) };
}

/** Whether a column's cells are in binary. */
export function isBinary({ columns }: BlockTable): boolean {
  return columns.some(({ format }) => format === 'binary');
}

/**
 * The block with all cells as text, for who looks into them; the very buffer that was given when they are.
 * @throws {TerraFusionError} BLOCK_CORRUPT, BLOCK_VERSION_UNKNOWN
 */
export function textual(bytes: Buffer): Buffer {
  const block = BlockReader.open(bytes);
  const { tables, source, generation, after, inputOffset } = block.header;
  if (!tables.some(isBinary)) return bytes;
  const writer = new BlockWriter(bytes.length * 2);
  const cells = new CellWriter(block.bytes, writer);
  for (const table of tables) writer.addTable(textualTable(table));
  while (block.nextTransaction()) {
    writer.beginTransaction(block.transaction);
    while (block.nextChange()) {
      writer.beginChange(block.table, block.op, block.ordinal);
      const table = block.table < 0 ? undefined : tables[block.table]!;
      if (table === undefined || !isBinary(table)) {
        writer.raw(block.bytes, block.imagesStart, block.changeEnd);
        continue;
      }
      writer.before(block.beforeKind);
      if (block.beforeKind !== Before.absent) cells.row(block.beforeStart, table);
      writer.after(block.afterStart >= 0);
      if (block.afterStart >= 0) cells.row(block.afterStart, table);
    }
    writer.endTransaction(block.complete, block.end.ordinal);
  }
  return writer.finish(source, generation, after, inputOffset);
}

/** Writes rows of one block into another, as text. */
class CellWriter {
  readonly #bytes: Buffer;
  readonly #writer: BlockWriter;
  readonly #cells: CellCursor;
  #text = Buffer.allocUnsafe(1024);

  constructor(bytes: Buffer, writer: BlockWriter) {
    this.#bytes = bytes;
    this.#writer = writer;
    this.#cells = new CellCursor(bytes);
  }

  row(at: number, table: BlockTable): void {
    const [bytes, cells, writer] = [this.#bytes, this.#cells, this.#writer];
    let count = 0;
    cells.start(at);
    while (cells.next()) count++;
    writer.beginRow(count);
    cells.start(at);
    for (let column = 0; cells.next(); column++) {
      const { kind, from, to } = cells;
      if (kind === Cell.null) writer.nullCell();
      else if (kind === Cell.unchanged) writer.unchangedCell();
      else if (kind === Cell.text || table.columns[column]?.format === 'text') writer.textCell(bytes, from, to);
      else this.#binary(from, to, table.columns[column]?.typeOid);
    }
    writer.endRow();
  }

  #binary(from: number, to: number, typeOid: number | undefined): void {
    const form = typeOid === undefined ? undefined : binaryFormOf(typeOid);
    if (form === undefined)
      throw corrupt(this.#bytes, new RangeError(`a cell in binary of type ${typeOid ?? 'nobody knows'}`));
    const most = form.most(this.#bytes, from, to);
    if (most > this.#text.length) this.#text = Buffer.allocUnsafe(most);
    this.#writer.textCell(this.#text, 0, form.put(this.#bytes, from, to, this.#text, 0));
  }
}
