import type { Source, StreamIdentity, TableShape } from '#connectors/contract/source.ts';
import type { Target, TargetTable } from '#connectors/contract/target.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { ColumnProof, PairCheckReport } from '#schemas/http/pairs.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { columnChains } from '#services/stream-processor/column-chains.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';
import { at, everyTable, named, type Entry } from './entries.ts';
import { fitsInto } from './fits.ts';
import type { Look } from './look.ts';
import { checkOverlap, type Surroundings } from './overlap.ts';
import { proveTables, type TableToProve } from './proof.ts';
import { Report } from './report.ts';
import type { PlannedTable } from './schema-mapping.ts';
import { planSchema } from './schema-plan.ts';

export interface PairToCheck {
  readonly definition: PairDefinition;
  readonly source: Source;
  readonly target: Target;
  /** The pair exists and its target tables are its own: that they hold rows is no obstacle. */
  readonly loaded: boolean;
  /** Where both ends are, and what other pairs do there. */
  readonly surroundings: Surroundings;
  /** What the source keeps for us already. */
  readonly stream?: Pick<StreamIdentity, 'slot' | 'publication'> | undefined;
  /** Whether boundary values are sent through every column. */
  readonly proof: boolean;
  /** Whether the target is asked what it would make of the source's schema. */
  readonly plan: boolean;
}

/** What was learnt of the source. */
interface Found {
  readonly entries: readonly Entry[];
  /** By the table's name. */
  readonly shapes: ReadonlyMap<string, TableShape>;
}

/**
 * Looks at everything that could stop the pair, at both ends, and changes nothing. What is wrong is told by field, all at once; an end
 * that cannot be reached is a problem of the field that names it.
 */
export async function checkWholePair(pair: PairToCheck, look: Look): Promise<PairCheckReport> {
  const report = new Report();
  const found = await lookAtSource(pair, look, report);
  const known = found ?? { entries: named(pair.definition), shapes: new Map<string, TableShape>() };
  if (!found) report.begin(known.entries);
  report.addAll(
    checkPair(
      pair.definition,
      [...known.shapes.values()].map(({ table }) => table),
    ).filter(({ code }) => found !== undefined || code !== 'SOURCE_TABLE_MISSING'),
  );
  checkOverlap(known.entries, pair.surroundings, report);
  const provable = await lookAtTarget(pair, known, look, report);
  if (provable.length > 0) {
    const proven = pair.proof ? await proveTables(provable, pair, look) : provable.map(untried);
    for (const [index, { entry }] of provable.entries()) report.columns(entry, proven[index]!);
    if (pair.plan) report.schema(await planSchema(provable.map(planned), pair, look));
  }
  return report.done();
}

/** undefined: the source could not be asked. */
async function lookAtSource(
  { definition, source, stream }: PairToCheck,
  look: Look,
  report: Report,
): Promise<Found | undefined> {
  try {
    if (definition.tables === undefined) {
      const shapes = await look('source', (context) => source.describe(undefined, context));
      const entries = shapes.map(({ table }) => everyTable(table));
      report.begin(entries);
      const names = entries.map((entry) => entry.source);
      report.end('source', await look('source', (context) => source.check(names, context, stream)));
      if (entries.length === 0)
        report.add('tables', 'SOURCE_TABLE_MISSING', 'The source has no table that could be synchronised');
      return { entries, shapes: byName(shapes) };
    }
    const entries = named(definition);
    report.begin(entries);
    const names = entries.map((entry) => entry.source);
    const checks = await look('source', (context) => source.check(names, context, stream));
    report.end('source', checks);
    if (checks.some(({ name, ok }) => !ok && (name === 'login' || name === 'catalog'))) return undefined;
    const missing = new Set(
      checks.filter(({ ok, code }) => !ok && code === 'SOURCE_TABLE_MISSING').map(({ name }) => name),
    );
    const there = names.filter((name) => !missing.has(`table:${formatTableName(name)}`));
    if (there.length === 0) return { entries, shapes: new Map() };
    return { entries, shapes: byName(await look('source', (context) => source.describe(there, context))) };
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    report.add('source', error.code, error.message, error.fix);
    return undefined;
  }
}

const planned = ({ entry, input, shape }: Provable): PlannedTable => ({ input, shape, target: entry.target });

/** Columns with their types, and no verdict. */
function untried({ input, shape, types }: TableToProve): ColumnProof[] {
  return columnChains(input, shape).map(({ sources, target }) => ({
    source: sources.join(', '),
    target,
    source_type: sources.map((name) => shape.typeNames.get(name)!).join(', '),
    target_type: types.get(target) ?? null,
  }));
}

const byName = (shapes: readonly TableShape[]): ReadonlyMap<string, TableShape> =>
  new Map(shapes.map((shape) => [formatTableName(shape.table), shape]));

type Provable = TableToProve & { readonly entry: Entry };

/** @returns the tables whose columns can be tried */
async function lookAtTarget(
  pair: PairToCheck,
  { entries, shapes }: Found,
  look: Look,
  report: Report,
): Promise<Provable[]> {
  const { target, definition } = pair;
  const names = [...new Map(entries.map((entry) => [formatTableName(entry.target), entry.target])).values()];
  let existing: TargetTable[];
  try {
    const checks = await look('target', (context) => target.check(names, context));
    report.end('target', strict(checks, definition));
    if (checks.some(({ name, ok }) => !ok && (name === 'login' || name === 'catalog'))) return [];
    existing = await look('target', (context) => target.describe(names, context));
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    report.add('target', error.code, error.message, error.fix);
    return [];
  }
  const byTarget = new Map(existing.map((table) => [formatTableName(table.table), table]));
  const provable: Provable[] = [];
  for (const entry of entries) {
    const shape = shapes.get(formatTableName(entry.source));
    const table = byTarget.get(formatTableName(entry.target));
    report.table(entry, table ? 'use' : 'create', shape?.estimatedRows ?? null);
    if (!shape) continue;
    try {
      const planned = targetColumns(entry.input, shape);
      const types = new Map((table ?? planned).columns.map(({ name, type }) => [name, type]));
      provable.push({ entry, input: entry.input, shape, types });
      if (table) await fitsInto({ entry, shape, planned, table }, pair, look, report);
      else if (!definition.config.create_tables) {
        report.add(
          at(entry, 'target'),
          'TARGET_TABLE_MISSING',
          `There is no table ${formatTableName(entry.target)} at the target`,
        );
      }
    } catch (thrown) {
      if (!(thrown instanceof TerraFusionError)) throw thrown;
      // Its mistakes are told already, each by its path.
      if (!report.hasProblem(entry)) report.add(at(entry, 'columns'), thrown.code, thrown.message, thrown.fix);
    }
  }
  return provable;
}

/** What is only worth knowing by itself, and stops a pair with this definition. */
function strict(
  checks: Awaited<ReturnType<Target['check']>>,
  { config }: PairDefinition,
): Awaited<ReturnType<Target['check']>> {
  if (config.existing_rows !== 'replace') return checks;
  return checks.map((check) =>
    check.name.startsWith('truncate:') && !check.ok
      ? { ...check, required: true, code: 'TARGET_NO_PRIVILEGE' as const }
      : check,
  );
}
