export * from './model.ts';
export { BlockReader, CellCursor, readRow } from './block-reader.ts';
export type { BlockSummary } from './summary.ts';
export { BlockWriter } from './block-writer.ts';
export { dropThrough } from './drop-through.ts';
export { continuesFrom } from './header.ts';
export { withoutChanges } from './without-changes.ts';
export { splitBefore, type SplitBlock } from './split.ts';
export { withoutTables, type LeftOut } from './without-tables.ts';
