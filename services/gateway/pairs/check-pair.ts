import type { Check } from '#connectors/contract/check.ts';
import type { Source, TableShape } from '#connectors/contract/source.ts';
import type { Target, TargetTable, TableToCreate } from '#connectors/contract/target.ts';
import { asTerraFusionError, errorKinds, type ErrorCode } from '#schemas/errors.ts';
import type { FieldProblem } from '#schemas/http/common.ts';
import type { PairCheckReport } from '#schemas/http/pairs.ts';
import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { formatTableName, parseTableName, type TableName } from '#schemas/tables.ts';
import { checkPair } from '#services/stream-processor/check.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';
import { maskText } from '#services/kernel/masking.ts';
import { look, type EndTools } from '../ends.ts';
import { checkViews } from '../views.ts';
import { lossyReason } from './lossy.ts';

export interface PairToCheck {
  readonly definition: PairDefinition;
  readonly source: Source;
  readonly target: Target;
  /** Both ends are the same place: a table must not be copied onto itself. */
  readonly sameEnd: boolean;
  /** The pair exists and its target tables are its own: that they hold rows is no obstacle. */
  readonly loaded: boolean;
}

/** A table of the pair on its way through the checks. */
interface Entry {
  /** "tables[0]"; "tables" when the pair takes every table. */
  readonly path: string;
  readonly input: TableInput;
  readonly source: TableName;
  readonly target: TableName;
}

/**
 * Looks at everything that could stop the pair, at both ends, and changes nothing. What is wrong is told by field, all at once; an end
 * that cannot be reached is a problem of the field that names it.
 */
export async function checkWholePair(pair: PairToCheck, tools: EndTools): Promise<PairCheckReport> {
  const report = new Report();
  const found = await lookAtSource(pair, tools, report);
  const entries = found?.entries ?? named(pair.definition);
  const shapes = found?.shapes ?? [];
  report.addAll(
    checkPair(
      pair.definition,
      shapes.map(({ table }) => table),
    ).filter(({ code }) => found !== undefined || code !== 'SOURCE_TABLE_MISSING'),
  );
  if (pair.sameEnd) sameTables(entries, report);
  await lookAtTarget(pair, entries, shapes, tools, report);
  return report.done();
}

function named({ tables }: PairDefinition): Entry[] {
  return (tables ?? []).map((input, index) => ({
    path: `tables[${index}]`,
    input,
    source: parseTableName(input.source),
    target: parseTableName(input.target ?? input.source),
  }));
}

/** undefined: the source could not be asked. */
async function lookAtSource(
  { definition, source }: PairToCheck,
  tools: EndTools,
  report: Report,
): Promise<{ entries: Entry[]; shapes: TableShape[] } | undefined> {
  try {
    if (definition.tables === undefined) {
      const shapes = await look('source', tools, (context) => source.describe(undefined, context));
      const entries = shapes.map(({ table }) => everyTable(table));
      report.source(
        await look('source', tools, (context) =>
          source.check(
            entries.map((entry) => entry.source),
            context,
          ),
        ),
        entries,
      );
      if (entries.length === 0)
        report.add('tables', 'SOURCE_TABLE_MISSING', 'The source has no table that could be synchronised');
      return { entries, shapes };
    }
    const entries = named(definition);
    const checks = await look('source', tools, (context) =>
      source.check(
        entries.map((entry) => entry.source),
        context,
      ),
    );
    report.source(checks, entries);
    if (checks.some(({ name, ok }) => !ok && (name === 'login' || name === 'catalog'))) return undefined;
    const missing = new Set(
      checks.filter(({ ok, code }) => !ok && code === 'SOURCE_TABLE_MISSING').map(({ name }) => tableOf(name)),
    );
    const there = entries.filter((entry) => !missing.has(formatTableName(entry.source)));
    if (there.length === 0) return { entries, shapes: [] };
    const shapes = await look('source', tools, (context) =>
      source.describe(
        there.map((entry) => entry.source),
        context,
      ),
    );
    return { entries, shapes };
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    report.add('source', error.code, error.message, error.fix);
    return undefined;
  }
}

function everyTable(table: TableName): Entry {
  const { schema, name } = table;
  const source = formatTableName({ schema, name });
  return {
    path: 'tables',
    input: { source, columns: 'same', exclude: [], rules: [] },
    source: { schema, name },
    target: { schema, name },
  };
}

function sameTables(entries: readonly Entry[], report: Report): void {
  for (const { path, source, target } of entries) {
    if (formatTableName(source) !== formatTableName(target)) continue;
    report.add(
      path === 'tables' ? path : `${path}.target`,
      'PAIR_INVALID',
      `${formatTableName(source)} would be copied onto itself: source and target are the same place`,
    );
  }
}

async function lookAtTarget(
  { definition, target, loaded }: PairToCheck,
  entries: readonly Entry[],
  shapes: readonly TableShape[],
  tools: EndTools,
  report: Report,
): Promise<void> {
  const names = [...new Map(entries.map((entry) => [formatTableName(entry.target), entry.target])).values()];
  let existing: TargetTable[];
  try {
    const checks = await look('target', tools, (context) => target.check(names, context));
    report.target(checks, entries);
    if (checks.some(({ name, ok }) => !ok && (name === 'login' || name === 'catalog'))) return;
    existing = await look('target', tools, (context) => target.describe(names, context));
  } catch (thrown) {
    const error = asTerraFusionError(thrown);
    report.add('target', error.code, error.message, error.fix);
    return;
  }
  const byName = new Map(existing.map((table) => [formatTableName(table.table), table]));
  const shapeByName = new Map(shapes.map((shape) => [formatTableName(shape.table), shape]));
  for (const entry of entries) {
    const shape = shapeByName.get(formatTableName(entry.source));
    // Its problems are told already; what would become of it cannot be said.
    if (!shape || report.hasProblem(entry.path)) continue;
    const table = byName.get(formatTableName(entry.target));
    report.table(entry, table === undefined, shape.estimatedRows);
    if (table) fitsInto(entry, targetColumns(entry.input, shape), table, definition, loaded, report);
    else if (!definition.config.create_tables) {
      report.add(
        at(entry, 'target'),
        'TARGET_TABLE_MISSING',
        `There is no table ${formatTableName(entry.target)} at the target`,
      );
    }
  }
}

/** Whether what the pair writes has a place in a table that is there. */
function fitsInto(
  entry: Entry,
  planned: TableToCreate,
  table: TargetTable,
  { config }: PairDefinition,
  loaded: boolean,
  report: Report,
): void {
  const name = formatTableName(table.table);
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  for (const { name: column, type } of planned.columns) {
    const there = columns.get(column);
    if (!there) {
      report.add(columnAt(entry, column), 'TARGET_COLUMN_MISSING', `The target table ${name} has no column ${column}`);
      continue;
    }
    if (there.generated) {
      report.add(
        columnAt(entry, column),
        'PAIR_INVALID',
        `${name}.${column} is a generated column: the target computes it itself`,
        'Leave the column out of the mapping.',
      );
    }
    const reason = lossyReason(type, there.type);
    if (reason !== undefined)
      report.lossy(columnAt(entry, column), `${type} becomes ${there.type} in ${name}.${column}: ${reason}`);
  }
  const written = new Set(planned.columns.map((column) => column.name));
  for (const { name: column, notNull, hasDefault, generated } of table.columns) {
    if (!notNull || hasDefault || generated || written.has(column)) continue;
    report.add(
      at(entry, 'columns'),
      'PAIR_INVALID',
      `${name}.${column} must have a value (NOT NULL, no default), and nothing is written to it`,
      'Map something to the column, or give it a default at the target.',
    );
  }
  if (table.hasRows && !loaded && config.existing_rows === 'refuse') {
    report.add(at(entry, 'target'), 'TARGET_TABLE_NOT_EMPTY', `The target table ${name} holds rows already`);
  }
}

const at = ({ path }: Entry, field: string): string => (path === 'tables' ? path : `${path}.${field}`);

function columnAt(entry: Entry, column: string): string {
  return entry.input.columns === 'same' ? at(entry, 'columns') : `${entry.path}.columns.${column}`;
}

/** "privilege:public.parcel" is about public.parcel. */
const tableOf = (check: string): string | undefined => /^[a-z_]+:(.+)$/s.exec(check)?.[1];

/** What was found so far. */
class Report {
  readonly #problems: FieldProblem[] = [];
  readonly #source: Check[] = [];
  readonly #target: Check[] = [];
  readonly #lossy: { path: string; message: string }[] = [];
  readonly #tables: PairCheckReport['tables'] = [];

  add(path: string, code: ErrorCode, message: string, fix = errorKinds[code].fix): void {
    // A missing table is found by the source and by the chain: once is enough.
    if (
      this.#problems.some(
        (problem) =>
          problem.path === path && problem.code === code && code === 'SOURCE_TABLE_MISSING' && path !== 'tables',
      )
    )
      return;
    this.#problems.push({ path, code, message: maskText(message), fix });
  }

  addAll(problems: readonly { readonly path: string; readonly code: ErrorCode; readonly message: string }[]): void {
    for (const { path, code, message } of problems) this.add(path, code, message);
  }

  source(checks: readonly Check[], entries: readonly Entry[]): void {
    this.#source.push(...checks);
    this.#failed(
      'source',
      checks,
      new Map(entries.map((entry) => [formatTableName(entry.source), at(entry, 'source')])),
    );
  }

  target(checks: readonly Check[], entries: readonly Entry[]): void {
    this.#target.push(...checks);
    this.#failed(
      'target',
      checks,
      new Map(entries.map((entry) => [formatTableName(entry.target), at(entry, 'target')])),
    );
  }

  #failed(end: 'source' | 'target', checks: readonly Check[], paths: ReadonlyMap<string, string>): void {
    for (const { name, ok, required, message, code = 'PAIR_INVALID', fix } of checks) {
      if (ok || !required) continue;
      this.add(paths.get(tableOf(name) ?? '') ?? end, code, message, fix);
    }
  }

  lossy(path: string, message: string): void {
    this.#lossy.push({ path, message });
  }

  table({ source, target }: Entry, missing: boolean, rows: number): void {
    this.#tables.push({
      source: formatTableName(source),
      target: formatTableName(target),
      action: missing ? 'create' : 'use',
      estimated_rows: Math.round(rows),
    });
  }

  /** Whether something is wrong with the table of this path itself, or in it. */
  hasProblem(path: string): boolean {
    return (
      path !== 'tables' &&
      this.#problems.some(
        (problem) =>
          problem.path === path || problem.path.startsWith(`${path}.`) || problem.path.startsWith(`${path}[`),
      )
    );
  }

  done(): PairCheckReport {
    return {
      ok: this.#problems.length === 0,
      problems: this.#problems,
      source: checkViews(this.#source),
      target: checkViews(this.#target),
      lossy: this.#lossy,
      tables: this.#tables,
    };
  }
}
