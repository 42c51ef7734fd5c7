import { Before, type BlockTable, OP_NAMES, type Op, readRow } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import type { ErrorCode } from '#schemas/errors.ts';
import { formatPosition, type Position } from '#schemas/position.ts';

export interface RefusedChange {
  readonly position: Position;
  readonly shape: BlockTable;
  readonly op: Op;
  readonly bytes: Buffer;
  readonly before: Before;
  /** -1 when absent, as is `afterAt`. */
  readonly beforeAt: number;
  readonly afterAt: number;
}

/**
 * A change that the target refuses for good, with its cells by target column. The source's table is not known here: the block tells
 * the target's name of it, which stands for both.
 */
export function deadLetter(change: RefusedChange, code: ErrorCode, reason: string, sqlstate: string): DeadLetter {
  const { position, shape, op, bytes, before, beforeAt, afterAt } = change;
  const table = { schema: shape.schema, name: shape.name };
  const old = beforeAt === -1 ? undefined : named(bytes, beforeAt, shape, before === Before.key);
  return {
    position: formatPosition(position),
    stage: 'apply',
    source_table: table,
    target_table: table,
    op: OP_NAMES[op] as DeadLetter['op'],
    rule: undefined,
    code,
    reason,
    sqlstate,
    row: afterAt === -1 ? (old ?? {}) : named(bytes, afterAt, shape, false),
    before: old,
  };
}

function named(bytes: Buffer, at: number, shape: BlockTable, keyOnly: boolean): Record<string, string | null> {
  const row: Record<string, string | null> = {};
  readRow(bytes, at, shape.columns).forEach((text, cell) => {
    const column = shape.columns[cell];
    if (column === undefined || text === undefined || (keyOnly && !column.key)) return;
    row[column.name] = text;
  });
  return row;
}
