import type { PairSummary, PairTableView } from '#schemas/http/pairs.ts';

/** All pairs in one line's worth of figures. */
export interface Figures {
  /** ms since 1970. */
  readonly at: number;
  /** Pairs by state. */
  readonly states: Readonly<Record<string, number>>;
  /** Changes applied a second, since the last look; null at the first one. */
  readonly changesPerSecond: number | null;
  readonly changesApplied: number;
  /** Of the pair that is furthest behind; null while none is known. */
  readonly lagSeconds: number | null;
  readonly rowsCopied: number;
  /** The first load under way. */
  readonly load: { readonly copied: number; readonly total: number; readonly rowsPerSecond: number } | undefined;
  readonly deadLetters: number;
  /** Pairs that stand still, with the reason. */
  readonly failures: readonly { readonly pair: string; readonly message: string; readonly fix: string }[];
}

/** A pair as the gateway shows it, or one that this start has not heard of yet. */
export type LivePair = Omit<PairSummary, 'state'> & { readonly state: PairSummary['state'] | 'starting' };

/** What is asked for figures. */
export interface PairsAndTables {
  readonly pairs: readonly LivePair[];
  /** By pair id. */
  readonly tables: ReadonlyMap<string, readonly PairTableView[]>;
}

/** Makes figures of what the gateway says; rates need the look before. */
export class FigureKeeper {
  #last: { at: number; applied: number; copied: number } | undefined;

  next({ pairs, tables }: PairsAndTables, at: number): Figures {
    const all = [...tables.values()].flat();
    const changesApplied = sum(pairs.map(({ changes_applied }) => changes_applied));
    const rowsCopied = sum(all.map(({ rows_copied }) => rows_copied));
    const last = this.#last;
    const seconds = last === undefined ? 0 : (at - last.at) / 1000;
    // What fell (a pair was deleted or loaded anew) is no negative rate.
    const rate = (now: number, before: number | undefined): number | null =>
      before === undefined || seconds <= 0 ? null : Math.max(0, now - before) / seconds;
    this.#last = { at, applied: changesApplied, copied: rowsCopied };
    const lags = pairs.flatMap(({ lag_seconds }) => (lag_seconds === null ? [] : [lag_seconds]));
    return {
      at,
      states: countBy(pairs.map(({ state }) => state)),
      changesPerSecond: rate(changesApplied, last?.applied),
      changesApplied,
      lagSeconds: lags.length === 0 ? null : Math.max(...lags),
      rowsCopied,
      load: load(pairs, tables, rate(rowsCopied, last?.copied) ?? 0),
      deadLetters: sum(pairs.map(({ dead_letters }) => dead_letters)),
      failures: pairs.flatMap(({ name, error }) =>
        error === null ? [] : [{ pair: name, message: `${error.code}: ${error.message}`, fix: error.fix }],
      ),
    };
  }
}

function load(pairs: readonly LivePair[], tables: PairsAndTables['tables'], rowsPerSecond: number): Figures['load'] {
  const loading = pairs.filter(({ state }) => state === 'loading').flatMap(({ id }) => tables.get(id) ?? []);
  if (loading.length === 0) return undefined;
  return {
    copied: sum(loading.map(({ rows_copied }) => rows_copied)),
    // The source estimates; a table is at least as large as what was copied of it.
    total: sum(loading.map(({ rows_total, rows_copied }) => Math.max(rows_total ?? 0, rows_copied))),
    rowsPerSecond,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
