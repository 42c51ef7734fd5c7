import type { ConnectorContext } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { Before, BlockWriter, Op, type BlockTable } from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { ORIGIN } from '#schemas/position.ts';
import { formatTableName } from '#schemas/tables.ts';
import { compilePair } from '#services/stream-processor/compile.ts';

export type ReplayRow = Readonly<Record<string, string | null>>;

/**
 * Writes a dead letter's row to the target, mended or as it is (the rule may have been mended instead): through today's chain when the
 * chain had refused it, as an upsert, beside the stream.
 * @throws {TerraFusionError} PAIR_ROW_INVALID when the chain refuses it again; TARGET_ROW_REJECTED, TARGET_CONFLICT; CONFLICTING_STATE
 * for a letter that is no row to write
 */
export async function replayLetter(
  letter: DeadLetter,
  row: ReplayRow,
  definition: PairDefinition,
  ends: { readonly source: Source; readonly target: Target },
  context: ConnectorContext,
): Promise<void> {
  if (letter.op !== 'insert' && letter.op !== 'update') {
    throw new TerraFusionError(
      'CONFLICTING_STATE',
      `A ${letter.op} cannot be replayed as a row; mend the target by hand and discard the letter`,
    );
  }
  const op = letter.op === 'insert' ? Op.insert : Op.update;
  if (letter.stage === 'apply') {
    await ends.target.upsert(blockOf(await targetShape(letter, ends.target, context), row, op), context);
    return;
  }
  const [shape] = await ends.source.describe([letter.source_table], context);
  const { bytes, deadLetters, counts } = compilePair(definition).process(blockOf(shape!.table, row, op), -1n);
  const refused = deadLetters[0];
  if (refused) throw new TerraFusionError('PAIR_ROW_INVALID', refused.reason, { details: { rule: refused.rule } });
  if (counts.out === 0)
    throw new TerraFusionError('CONFLICTING_STATE', "The pair's filter leaves this row out today; discard the letter");
  await ends.target.upsert(bytes, context);
}

/** The target's table, as a table of a block. */
async function targetShape(letter: DeadLetter, target: Target, context: ConnectorContext): Promise<BlockTable> {
  const [table] = await target.describe([letter.target_table], context);
  if (!table)
    throw new TerraFusionError('TARGET_TABLE_MISSING', `The target has no ${formatTableName(letter.target_table)}`);
  return {
    relationId: 0,
    ...letter.target_table,
    identity: 'default',
    tolerant: true,
    columns: table.columns
      .filter(({ generated }) => !generated)
      .map(({ name }) => ({
        name,
        // Text, whatever it is: the target reads every cell by its own column's type.
        typeOid: 25,
        typeSchema: 'pg_catalog',
        typeName: 'text',
        typmod: -1,
        key: table.primaryKey.includes(name),
        format: 'text',
      })),
  };
}

/** A block with the one row. */
function blockOf(shape: BlockTable, row: ReplayRow, op: typeof Op.insert | typeof Op.update): Buffer {
  const names = new Set(shape.columns.map(({ name }) => name));
  const unknown = Object.keys(row).filter((name) => !names.has(name));
  if (unknown.length > 0) {
    throw new TerraFusionError('REQUEST_INVALID', `${formatTableName(shape)} has no column ${unknown.join(', ')}`, {
      details: { fields: unknown },
    });
  }
  const writer = new BlockWriter(64 * 1024);
  const table = writer.addTable({ ...shape, tolerant: true });
  writer.beginTransaction({ xid: 0, commitLsn: 0n, commitTime: 0, origin: undefined });
  writer.beginChange(table, op, 0);
  writer.before(Before.absent);
  writer.after(true);
  writer.beginRow(shape.columns.length);
  for (const { name } of shape.columns) {
    const value = row[name];
    if (value !== undefined && value !== null) writer.textCellOf(value);
    // The source did not send it with the update, because it had not changed: what the target holds stays. (Promise 4)
    else if (value === undefined && op === Op.update) writer.unchangedCell();
    else writer.nullCell();
  }
  writer.endRow();
  writer.endTransaction(true, 0);
  return writer.finish('replay', 0, ORIGIN);
}
