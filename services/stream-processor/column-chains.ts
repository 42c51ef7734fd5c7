import type { TableShape } from '#connectors/contract/source.ts';
import { Before, BlockReader, BlockWriter, Op, readRow, type BlockTable } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { ColumnInput, PairDefinition, TableInput } from '#schemas/pairs.ts';
import { parsePosition, type Position } from '#schemas/position.ts';
import { compilePair } from './compile.ts';
import { isNonEmpty, problemsError, type Problem } from './problems.ts';
import { planTable } from './table-plan.ts';

/** One target column with the part of the pair's chain that makes it. */
export interface ColumnChain {
  readonly target: string;
  /** Source columns that it looks at. */
  readonly sources: readonly string[];
  /** Its cells are the source column's, byte for byte. */
  readonly copies: boolean;
  /** It exists so that its values are not seen. */
  readonly hides: boolean;
  /** Brings rows of its source columns through the block format and the compiled chain. */
  run(rows: readonly (readonly (string | null)[])[]): ColumnRun;
}

export interface ColumnRun {
  /** Inserts whose only column is the target's. */
  readonly block: Buffer;
  /** What the block holds, with the number of the row that each came from. */
  readonly made: readonly { readonly row: number; readonly text: string | null }[];
  /** Rows that the chain refuses. */
  readonly refused: readonly { readonly row: number; readonly reason: string }[];
}

/** Positions in these blocks: of no source. */
const COMMIT: Position = { generation: 1, commitLsn: 1n, ordinal: -1 };

/**
 * The chain of each target column of a table, by itself: what one column cannot compute says nothing about the others. Filter and rules
 * are left out: they drop rows and change none.
 * @throws {TerraFusionError} PAIR_INVALID, PAIR_EXPRESSION_INVALID, SOURCE_COLUMN_MISSING with all that is wrong
 */
export function columnChains(input: TableInput, { table }: TableShape): ColumnChain[] {
  // Without an identity no column has to come along for the sake of the key.
  const shape: BlockTable = {
    ...table,
    identity: 'nothing',
    columns: table.columns.map((column) => ({ ...column, key: false })),
  };
  const problems: Problem[] = [];
  const plan = planTable(
    { ...input, where: undefined, rules: [] },
    shape,
    { on_invalid: 'quarantine' },
    `table ${input.source}`,
    problems,
  );
  if (isNonEmpty(problems)) throw problemsError(problems);
  return plan!.columns.map(({ header, step }) => {
    const inputs = step.how === 'copy' ? [step.source] : [...new Set(step.inputs)];
    const narrow = { ...shape, columns: inputs.map((index) => shape.columns[index]!) };
    const given = input.columns === 'same' ? undefined : input.columns[header.name]!;
    return {
      target: header.name,
      sources: narrow.columns.map(({ name }) => name),
      copies: step.how === 'copy',
      hides: given !== undefined && hides(given),
      run: (rows) => run(definitionOf(input, header.name, given), narrow, rows),
    };
  });
}

function definitionOf(input: TableInput, name: string, given: ColumnInput | undefined): PairDefinition {
  const columns: TableInput['columns'] = given === undefined ? 'same' : { [name]: given };
  return {
    version: 1,
    tables: [{ source: input.source, target: input.target, columns, exclude: [], rules: [] }],
    config: { ...CONFIG },
  };
}

/** Nothing of it but `on_invalid` reaches the chain. */
const CONFIG: PairDefinition['config'] = {
  batch_size: 1,
  detection_strategy: 'cdc',
  conflict_strategy: 'source_wins',
  max_parallel_tables: 1,
  max_parallel_operations: 1,
  audit_level: 'minimal',
  create_tables: false,
  existing_rows: 'refuse',
  schema_changes: 'halt',
  destructive_changes: 'ask',
  on_invalid: 'quarantine',
};

const hides = ({ transforms }: ColumnInput): boolean =>
  transforms.some((transform) => typeof transform === 'object' && ('mask' in transform || 'hash' in transform));

function run(definition: PairDefinition, shape: BlockTable, rows: readonly (readonly (string | null)[])[]): ColumnRun {
  const { bytes, deadLetters } = compilePair(definition).process(blockOf(shape, rows), -1n);
  const block = BlockReader.open(bytes);
  const made: { row: number; text: string | null }[] = [];
  while (block.nextTransaction()) {
    while (block.nextChange()) {
      const [text] = readRow(block.bytes, block.afterStart);
      if (text === undefined) throw new TerraFusionError('INTERNAL', 'a row that was whole came out with a gap');
      made.push({ row: block.ordinal, text });
    }
  }
  return {
    block: bytes,
    made,
    refused: deadLetters.map(({ position, reason }) => ({ row: parsePosition(position).ordinal, reason })),
  };
}

function blockOf(shape: BlockTable, rows: readonly (readonly (string | null)[])[]): Buffer {
  const writer = new BlockWriter(64 * 1024);
  const table = writer.addTable(shape);
  writer.beginTransaction({ xid: 1, commitLsn: COMMIT.commitLsn, commitTime: 0, origin: undefined });
  for (const [ordinal, row] of rows.entries()) {
    writer.beginChange(table, Op.insert, ordinal);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(row.length);
    for (const cell of row) {
      if (cell === null) writer.nullCell();
      else writer.textCellOf(cell);
    }
    writer.endRow();
  }
  writer.endTransaction(true, rows.length - 1);
  return writer.finish('', COMMIT.generation, COMMIT);
}
