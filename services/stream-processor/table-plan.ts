import { type BlockColumn, type BlockTable, isBinary } from '#schemas/block/index.ts';
import type { PairConfig, RuleInput, TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName } from '#schemas/tables.ts';
import { binaryColumns, compiled, planColumns, sourceColumns, type PlanColumn } from './columns.ts';
import type { Expression, ExpressionColumns } from './expressions/expression.ts';
import type { Problem } from './problems.ts';
import { kindOf, type ValueKind } from './values.ts';

export type Policy = PairConfig['on_invalid'];

export interface PlanRule {
  readonly name: string;
  readonly check: Expression;
  readonly policy: Policy;
}

/** What becomes of one source table in one shape. */
export interface TablePlan {
  readonly source: BlockTable;
  readonly target: BlockTable;
  /** One for each target column. */
  readonly columns: readonly PlanColumn[];
  readonly sourceKinds: readonly ValueKind[];
  /** What rules see of the target columns. */
  readonly targetKinds: readonly ValueKind[];
  /** Rows have the same cells at both ends, whatever the columns are called. */
  readonly sameCells: boolean;
  readonly where: Expression | undefined;
  /** Whether `where` names key columns only, so that it can be answered for a row of which nothing but the key is known. */
  readonly whereNeedsKeyOnly: boolean;
  readonly rules: readonly PlanRule[];
  readonly onInvalid: Policy;
  /** Rows in the form in which the source gives them can be taken through the chain; otherwise they are to be made text first. */
  readonly takesForm: boolean;
  /** identity: nothing changes. header: the table's description changes, rows do not. rows: rows are looked into. */
  readonly work: 'identity' | 'header' | 'rows';
}

/**
 * Compiles one table's chain for one shape of the source table.
 * @param path of the table in the definition, for problems
 * @param problems gets everything that is wrong
 * @returns undefined when something is
 */
export function planTable(
  input: TableInput,
  shape: BlockTable,
  config: Pick<PairConfig, 'on_invalid'>,
  path: string,
  problems: Problem[],
): TablePlan | undefined {
  const before = problems.length;
  const targetName = parseTableName(input.target ?? input.source);
  const mapping = planColumns(input, shape, path, problems);
  const sourceKinds = shape.columns.map(kindOf);

  const where =
    input.where === undefined
      ? undefined
      : compiled(input.where, sourceColumns(shape), 'condition', `${path}.where`, problems);
  const targetKinds = mapping.columns.map(({ kind }) => kind);
  const rules = planRules(
    input.rules,
    {
      describe: `the row for ${formatTableName(targetName)}`,
      names: mapping.columns.map(({ header }) => header.name),
      kinds: targetKinds,
    },
    config.on_invalid,
    path,
    problems,
  );
  checkKey(mapping.columns, shape, path, problems);
  if (problems.length > before) return undefined;

  const inBinary = isBinary(shape) ? binaryColumns(mapping.columns, shape) : mapping.columns;
  const columns = inBinary ?? mapping.columns;

  const sameCells =
    mapping.columns.length === shape.columns.length &&
    mapping.columns.every(({ step }, index) => step.how === 'copy' && step.source === index);
  // With REPLICA IDENTITY FULL every column counts as identity, but is none that stays.
  const whereNeedsKeyOnly =
    shape.identity !== 'full' && (where?.inputs.every((index) => shape.columns[index]!.key) ?? false);
  const halts = config.on_invalid === 'halt';
  // Whether a row is at the target cannot always be told from its source: a filter whose answer for the row before is not known,
  // and a row that was sent to the dead letters and mended later, make it tolerant.
  const mayBeAbsent =
    (where !== undefined && !whereNeedsKeyOnly && !(shape.identity === 'full' && halts)) ||
    (!halts && mapping.columns.some(({ step }) => step.how === 'value' && step.mayFail)) ||
    rules.some(({ policy }) => policy === 'quarantine');
  const target: BlockTable = {
    ...shape,
    ...targetName,
    tolerant: shape.tolerant || mayBeAbsent,
    columns: columns.map(({ header }) => header),
  };
  const looksIntoRows = !sameCells || where !== undefined || rules.length > 0;
  return {
    source: shape,
    target,
    columns,
    takesForm: inBinary !== undefined,
    sourceKinds,
    targetKinds,
    sameCells,
    where,
    whereNeedsKeyOnly,
    rules,
    onInvalid: config.on_invalid,
    work: looksIntoRows ? 'rows' : sameTable(shape, target) ? 'identity' : 'header',
  };
}

function planRules(
  inputs: readonly RuleInput[],
  columns: ExpressionColumns,
  onInvalid: Policy,
  path: string,
  problems: Problem[],
): PlanRule[] {
  return inputs.flatMap(({ name, check: source, on_failure }, index) => {
    const check = compiled(source, columns, 'condition', `${path}.rules[${index}].check`, problems);
    return check ? [{ name, check, policy: on_failure ?? onInvalid }] : [];
  });
}

/**
 * Rows are found at the target by the target columns that come from the identity's. One that goes nowhere would make different rows
 * look the same. With REPLICA IDENTITY FULL the source sends whole rows, so that any columns will do.
 */
function checkKey(columns: readonly PlanColumn[], shape: BlockTable, path: string, problems: Problem[]): void {
  if (shape.identity === 'full') return;
  const mapped = new Set(columns.map(({ keySource }) => keySource));
  const lost = shape.columns.filter(({ key }, index) => key && !mapped.has(index)).map(({ name }) => name);
  if (lost.length > 0 && columns.length > 0) {
    problems.push({
      path: `${path}.columns`,
      code: 'PAIR_INVALID',
      message:
        `key column${lost.length > 1 ? 's' : ''} ${lost.join(', ')} of ${formatTableName(shape)} must be mapped to a target column ` +
        'with "from", since rows are found by it',
    });
  }
}

function sameTable(a: BlockTable, b: BlockTable): boolean {
  return (
    a.schema === b.schema &&
    a.name === b.name &&
    a.tolerant === b.tolerant &&
    a.columns.every((column, index) => sameColumn(column, b.columns[index]!))
  );
}

export function sameColumn(a: BlockColumn, b: BlockColumn): boolean {
  return (
    a.name === b.name &&
    a.typeOid === b.typeOid &&
    a.typmod === b.typmod &&
    a.key === b.key &&
    a.format === b.format &&
    a.typeName === b.typeName &&
    a.typeSchema === b.typeSchema
  );
}
