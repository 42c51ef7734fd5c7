import type { ProbeColumn, ProbeType, ProbeValues } from '#connectors/contract/probe.ts';
import type { Source, TableShape } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { asTerraFusionError } from '#schemas/errors.ts';
import type { ColumnProof, ProofResult } from '#schemas/http/pairs.ts';
import type { TableInput } from '#schemas/pairs.ts';
import { columnChains, type ColumnChain, type ColumnRun } from '#services/stream-processor/column-chains.ts';
import type { Look } from './look.ts';
import { verdict } from './verdict.ts';

/** Kinds of column that are tried at most: a pair of a thousand tables has hardly more. */
export const MOST_CASES = 400;
/** Rows that a column with several inputs is tried with, at most. */
const MOST_ROWS = 300;

/** A table whose columns are to be proven. */
export interface TableToProve {
  readonly input: TableInput;
  readonly shape: TableShape;
  /** By target column: the type that it has, or will be created with. */
  readonly types: ReadonlyMap<string, string>;
}

/** Columns that have the same types at both ends and go over as they are need be tried once. */
interface Case {
  readonly chain: ColumnChain;
  readonly sources: readonly ProbeType[];
  /** NULL is one of its values. */
  readonly nullable: boolean;
  readonly targetType: string;
  /** Where the verdict belongs. */
  readonly columns: ColumnProof[];
}

/**
 * The lossless proof: boundary values of each column's type, as the source prints them, go through the block format, the pair's own
 * chain and the target's own writing into scratch tables, and are read back. (Promise 4)
 * @returns for each table its columns with their verdicts. What cannot be tried is "not_proven", never an error
 */
export async function proveTables(
  tables: readonly TableToProve[],
  { source, target }: { readonly source: Source; readonly target: Target },
  look: Look,
): Promise<ColumnProof[][]> {
  const { cases, columns } = casesOf(tables);
  const tried = cases.slice(0, MOST_CASES);
  settle(cases.slice(MOST_CASES), 'not_proven', `more than ${MOST_CASES} kinds of column: this one was not tried`);
  try {
    await tryCases(tried, source, target, look);
  } catch (thrown) {
    settle(tried, 'not_proven', asTerraFusionError(thrown).message);
  }
  return columns;
}

function casesOf(tables: readonly TableToProve[]): { cases: Case[]; columns: ColumnProof[][] } {
  const cases = new Map<string, Case>();
  const columns = tables.map(({ input, shape, types }, index) =>
    columnChains(input, shape).map((chain): ColumnProof => {
      const sources = chain.sources.map((name) => typeOf(shape, name));
      const nullable = chain.sources.some((name) => !shape.notNull.has(name));
      const targetType = types.get(chain.target);
      const column: ColumnProof = {
        source: chain.sources.join(', '),
        target: chain.target,
        source_type: sources.map(({ printed }) => printed).join(', '),
        target_type: targetType ?? null,
      };
      if (targetType === undefined) {
        column.proof = { result: 'not_proven', how: 'the target has no such column' };
        return column;
      }
      const key = JSON.stringify(chain.copies ? [sources[0], nullable, targetType] : [index, chain.target]);
      const known = cases.get(key);
      if (known) known.columns.push(column);
      else cases.set(key, { chain, sources, nullable, targetType, columns: [column] });
      return column;
    }),
  );
  return { cases: [...cases.values()], columns };
}

function typeOf({ table, typeNames }: TableShape, name: string): ProbeType {
  const { typeOid, typmod } = table.columns.find((column) => column.name === name)!;
  return { typeOid, typmod, printed: typeNames.get(name)! };
}

async function tryCases(cases: readonly Case[], source: Source, target: Target, look: Look): Promise<void> {
  if (!source.probeValues || !target.probe) {
    settle(cases, 'not_proven', `the ${source.probeValues ? 'target' : 'source'} has no way to try values`);
    return;
  }
  const values = await askSource(cases, (types) =>
    look('source', (context) => source.probeValues!(types, context), true),
  );
  const work: { case_: Case; run: ColumnRun; notes: readonly string[] }[] = [];
  for (const case_ of cases) {
    const columns = case_.sources.map((type) => values.get(keyOf(type))!);
    const without = columns.find((column) => column.values.length === 0);
    if (without) settle([case_], 'not_proven', without.note);
    else {
      const run = case_.chain.run(
        rowsOf(columns, case_.nullable && columns.every(({ neverNull }) => neverNull !== true)),
      );
      work.push({ case_, run, notes: columns.flatMap(({ note }) => note ?? []) });
    }
  }
  if (work.length === 0) return;
  const columns = work.map(({ case_, run }): ProbeColumn => ({
    name: case_.chain.target,
    type: case_.targetType,
    block: run.block,
  }));
  const answer = await look('target', (context) => target.probe!(columns, context), true);
  if ('impossible' in answer) {
    const { message, fix } = answer.impossible;
    settle(
      work.map(({ case_ }) => case_),
      'not_proven',
      `${message}. ${fix}`,
    );
    return;
  }
  for (const [index, { case_, run, notes }] of work.entries()) {
    const { result, how } = verdict(run, answer.outcomes[index]!, case_.chain);
    const told = how === undefined ? notes : [how, ...notes];
    settle([case_], result, told.length === 0 ? undefined : told.join('; '));
  }
}

async function askSource(
  cases: readonly Case[],
  ask: (types: readonly ProbeType[]) => Promise<ProbeValues[]>,
): Promise<ReadonlyMap<string, ProbeValues>> {
  const types = new Map(cases.flatMap(({ sources }) => sources.map((type) => [keyOf(type), type])));
  if (types.size === 0) return new Map();
  const found = await ask([...types.values()]);
  return new Map([...types.keys()].map((key, index) => [key, found[index]!]));
}

const keyOf = ({ typeOid, typmod }: ProbeType): string => `${typeOid} ${typmod}`;

/** Every value of every input at least once, side by side, and a row of NULLs where there can be one. */
function rowsOf(columns: readonly ProbeValues[], nullable: boolean): (string | null)[][] {
  const most = Math.min(MOST_ROWS, Math.max(1, ...columns.map(({ values }) => values.length)));
  const rows = Array.from({ length: most }, (_, index) =>
    columns.map(({ values }): string | null => values[index % values.length]!),
  );
  return nullable ? [...rows, columns.map(() => null)] : rows;
}

function settle(cases: readonly Case[], result: ProofResult, how: string | undefined): void {
  for (const { columns } of cases)
    for (const column of columns) column.proof = how === undefined ? { result } : { result, how };
}
