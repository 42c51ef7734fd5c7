import type { Check } from '#connectors/contract/check.ts';
import { errorKinds, type ErrorCode } from '#schemas/errors.ts';
import type { CheckView, FieldProblem } from '#schemas/http/common.ts';
import type { ColumnProof, PairCheckReport, SchemaPlanView } from '#schemas/http/pairs.ts';
import { formatTableName } from '#schemas/tables.ts';
import { maskText } from '#services/kernel/masking.ts';
import { at, type Entry } from './entries.ts';

interface TableFindings {
  readonly entry: Entry;
  action: 'create' | 'use' | null;
  rows: number | null;
  readonly checks: Check[];
  columns: ColumnProof[];
}

/** "privilege:public.parcel" is about public.parcel. */
export const tableOf = (check: string): string | undefined => /^[a-z_]+:(.+)$/s.exec(check)?.[1];

/** A check in the form in which it leaves: secrets masked. (Promise 8) */
export function checkView({ name, ok, required, message, code, fix }: Check): CheckView {
  return {
    name,
    ok,
    required,
    message: maskText(message),
    ...(code === undefined ? {} : { code }),
    ...(fix === undefined ? {} : { fix }),
  };
}

/** What was found so far: every check, and what is wrong by the field that names it. */
export class Report {
  readonly #problems: FieldProblem[] = [];
  readonly #source: Check[] = [];
  readonly #target: Check[] = [];
  readonly #lossy: { path: string; message: string }[] = [];
  #tables: TableFindings[] = [];
  #schema: SchemaPlanView | null = null;

  /** The pair's tables, as soon as they are known. */
  begin(entries: readonly Entry[]): void {
    this.#tables = entries.map((entry) => ({ entry, action: null, rows: null, checks: [], columns: [] }));
  }

  add(path: string, code: ErrorCode, message: string, fix = errorKinds[code].fix): void {
    // A missing table is found by the source and by the chain: once is enough.
    const again = (problem: FieldProblem): boolean =>
      problem.path === path && problem.code === code && code === 'SOURCE_TABLE_MISSING' && path !== 'tables';
    if (this.#problems.some(again)) return;
    this.#problems.push({ path, code, message: maskText(message), fix });
  }

  addAll(problems: readonly { readonly path: string; readonly code: ErrorCode; readonly message: string }[]): void {
    for (const { path, code, message } of problems) this.add(path, code, message);
  }

  /** What one end says of itself and of the pair's tables. */
  end(end: 'source' | 'target', checks: readonly Check[]): void {
    const tables = new Map(this.#tables.map((table) => [formatTableName(table.entry[end]), table]));
    for (const check of checks) {
      const table = tables.get(tableOf(check.name) ?? '');
      if (table) table.checks.push(check);
      else (end === 'source' ? this.#source : this.#target).push(check);
      this.#failed(table ? at(table.entry, end) : end, check);
    }
  }

  /** A check of both ends together. @param path of the field that names what is wrong */
  check(entry: Entry, path: string, check: Check): void {
    this.#of(entry).checks.push(check);
    this.#failed(path, check);
  }

  lossy(path: string, message: string): void {
    this.#lossy.push({ path, message });
  }

  table(entry: Entry, action: 'create' | 'use' | null, rows: number | null): void {
    Object.assign(this.#of(entry), { action, rows: rows === null ? null : Math.round(rows) });
  }

  columns(entry: Entry, columns: ColumnProof[]): void {
    this.#of(entry).columns = columns;
  }

  schema(plan: SchemaPlanView | null): void {
    this.#schema = plan;
  }

  /** Whether something is wrong with the table of this entry itself, or in it. */
  hasProblem({ path }: Entry): boolean {
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
      source: this.#source.map(checkView),
      target: this.#target.map(checkView),
      lossy: this.#lossy,
      schema: this.#schema,
      tables: this.#tables.map(({ entry, action, rows, checks, columns }) => ({
        source: formatTableName(entry.source),
        target: formatTableName(entry.target),
        action,
        estimated_rows: rows,
        checks: checks.map(checkView),
        columns: columns.map((column) => ({
          ...column,
          ...(column.proof?.how === undefined ? {} : { proof: { ...column.proof, how: maskText(column.proof.how) } }),
        })),
      })),
    };
  }

  #of(entry: Entry): TableFindings {
    return this.#tables.find((table) => table.entry === entry)!;
  }

  #failed(path: string, { ok, required, message, code = 'PAIR_INVALID', fix }: Check): void {
    if (!ok && required) this.add(path, code, message, fix);
  }
}
