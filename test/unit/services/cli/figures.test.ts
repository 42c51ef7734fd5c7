import { describe, expect, test } from 'vitest';
import type { PairSummary, PairTableView } from '#schemas/http/pairs.ts';
import { FigureKeeper } from '#services/cli/up/figures.ts';

const pair = (fields: Partial<PairSummary>): PairSummary => ({
  id: 'p1',
  name: 'pacs-to-cama',
  source: { id: 's', name: 'county-pacs', connector: 'postgres' },
  target: { id: 't', name: 'county-cama', connector: 'postgres' },
  version: 1,
  desired: 'running',
  state: 'streaming',
  position: null,
  lag_bytes: 0,
  lag_seconds: 0,
  changes_applied: 0,
  dead_letters: 0,
  error: null,
  stale: false,
  warning: null,
  created_at: '',
  updated_at: '',
  ...fields,
});
const tableOf = (rows_copied: number, rows_total: number | null): PairTableView => ({
  source: 'pacs.property',
  target: 'cama.parcel',
  state: 'loading',
  rows_copied,
  rows_total,
  bytes_copied: 0,
  rows_per_second: null,
  seconds_left: null,
  changes_applied: 0,
  last_change_at: null,
  schema_version: 1,
  error: null,
});

describe('the figures', () => {
  test('have rates from one look to the next, never negative ones', () => {
    const keeper = new FigureKeeper();
    const look = (applied: number, at: number) =>
      keeper.next({ pairs: [pair({ changes_applied: applied })], tables: new Map() }, at).changesPerSecond;
    expect(look(100, 0)).toBeNull();
    expect(look(150, 1000)).toBe(50);
    expect(look(150, 1000)).toBeNull();
    expect(look(0, 2000)).toBe(0);
    expect(look(30, 3000)).toBe(30);
  });

  test('tell the worst lag, and none when none is known', () => {
    const next = (...lags: (number | null)[]) =>
      new FigureKeeper().next({ pairs: lags.map((lag_seconds) => pair({ lag_seconds })), tables: new Map() }, 0)
        .lagSeconds;
    expect(next(0.1, 3, null)).toBe(3);
    expect(next(null)).toBeNull();
    expect(next()).toBeNull();
  });

  test('show the load under way, with what an estimate has too little', () => {
    const keeper = new FigureKeeper();
    const look = (copied: number, at: number) =>
      keeper.next(
        {
          pairs: [pair({ state: 'loading' }), pair({ id: 'p2' })],
          tables: new Map([
            ['p1', [tableOf(copied, 1000), tableOf(20, null)]],
            ['p2', [tableOf(5000, 5000)]],
          ]),
        },
        at,
      );
    look(100, 0);
    const figures = look(600, 500);
    expect(figures.load).toEqual({ copied: 620, total: 1020, rowsPerSecond: 1000 });
    expect(figures.rowsCopied).toBe(5620);
    expect(figures.states).toEqual({ loading: 1, streaming: 1 });
  });

  test('name the pairs that stand still', () => {
    const error = { code: 'SOURCE_SLOT_MISSING', message: 'The slot is gone', fix: 'Resync.', since: '' };
    const { failures } = new FigureKeeper().next({ pairs: [pair({ state: 'failed', error })], tables: new Map() }, 0);
    expect(failures).toEqual([
      { pair: 'pacs-to-cama', message: 'SOURCE_SLOT_MISSING: The slot is gone', fix: 'Resync.' },
    ]);
  });
});
