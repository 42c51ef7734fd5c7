import type { Cell, PacsRows, PacsTable } from './county.ts';

const CHUNK = 64 * 1024;

/** The rows as chunks of COPY's text format, by table. */
export function copyChunks(tables: readonly PacsTable[], parts: Iterable<PacsRows>): Record<PacsTable, string[]> {
  const chunks = Object.fromEntries(tables.map((table) => [table, ['']])) as Record<PacsTable, string[]>;
  for (const part of parts) {
    for (const [table, rows] of Object.entries(part) as [PacsTable, Cell[][]][]) {
      const list = chunks[table];
      for (const row of rows) {
        if (list.at(-1)!.length >= CHUNK) list.push('');
        list[list.length - 1]! += copyLine(row);
      }
    }
  }
  return chunks;
}

/** One row as COPY's text format wants it. */
export function copyLine(row: readonly Cell[]): string {
  return `${row.map(copyCell).join('\t')}\n`;
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

function copyCell(cell: Cell): string {
  if (cell === null) return '\\N';
  return typeof cell === 'number' ? String(cell) : cell.replace(/[\\\t\n\r]/g, (character) => escapes[character]!);
}
