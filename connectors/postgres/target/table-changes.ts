import { Before, Cell } from '#schemas/block/index.ts';
import { noValue } from './copy-lines.ts';
import { orderByKey } from './key-order.ts';
import { RowScan } from './row-scan.ts';
import type { Rows } from './rows.ts';
import type { TablePlan } from './table-plan.ts';

/**
 * How much a change may expect of the target.
 * strict: the row is there, or is not, exactly as at the source.
 * tolerant: a filter stands before the table: rows may be there or not, only a row that is not whole must find its older self.
 * overlay: a first load is being laid over: rows may be there or not, and older or newer than the change.
 */
export type Expectation = 'strict' | 'tolerant' | 'overlay';

/** What is left to do for a key. */
export const State = {
  /** Not there before, to be inserted. The row is whole. */
  insert: 1,
  /** There before, to be updated. The row may have cells without a value. */
  update: 2,
  /** There before, to be deleted. */
  delete: 3,
  /** There before, to be deleted and inserted anew. The row is whole. */
  replace: 4,
  /** Not there before, nor afterwards: nothing to do. */
  gone: 5,
  /** There before or not: to be inserted or updated. The row is whole. Not with "strict". */
  put: 6,
} as const;
export type State = (typeof State)[keyof typeof State];

/** A change as the block tells it: where its rows lie, -1 for a row that is absent. */
export interface RowChange {
  readonly source: number;
  readonly before: Before;
  readonly beforeAt: number;
  readonly afterAt: number;
}

/**
 * done: taken in. flush: what was taken in must be applied first, then the change offered again.
 * move: what was taken in must be applied first, then the key be changed by a statement of its own: the new row is not whole.
 */
export type Taken = 'done' | 'flush' | 'move';

/**
 * The changes of one table since the last flush, reduced by key: the last write wins column by column, a delete beats, "unchanged"
 * keeps the older value, a changed key is a delete and an insert. (DESIGN section 6) As long as there are only inserts they are
 * just collected, for COPY.
 */
export class TableChanges {
  readonly plan: TablePlan;
  readonly expectation: Expectation;
  readonly #rows: Rows;
  /** By entry: the row to write. */
  readonly source: number[] = [];
  readonly at: number[] = [];
  /** By entry: the row that holds the key by which to find it. Not filled while there are only inserts. */
  readonly keySource: number[] = [];
  readonly keyAt: number[] = [];
  readonly state: State[] = [];
  readonly #keys: string[] = [];
  #index: Map<string, number> | undefined;
  readonly #scanned = new RowScan();

  /**
   * @param hopeful with "tolerant": whether inserts alone may be taken for rows that are not there, since the target refuses them otherwise
   * and they come again in source order. A source inserts a row again only after its delete, which is sent too, whatever the filter says.
   */
  constructor(plan: TablePlan, expectation: Expectation, rows: Rows, hopeful = false) {
    this.plan = plan;
    this.expectation = expectation;
    this.#rows = rows;
    if (expectation === 'overlay' || (expectation === 'tolerant' && !hopeful)) this.#index = new Map();
  }

  /** Whether all that was taken in are inserts of rows that are not there, as far as can be told. */
  get onlyInserts(): boolean {
    return this.#index === undefined;
  }

  get size(): number {
    return this.source.length;
  }

  /** The entries in these states, in about the order of their keys. */
  entries(...states: readonly State[]): number[] {
    const found: number[] = [];
    for (let entry = 0; entry < this.state.length; entry++) {
      if (states.includes(this.state[entry]!)) found.push(entry);
    }
    return orderByKey(this.#keys, found);
  }

  /** Gives up hope: what was taken in may be there. */
  doubt(): void {
    this.#startIndex();
  }

  insert(source: number, at: number): Taken {
    if (this.#index === undefined) {
      this.source.push(source);
      this.at.push(at);
      return 'done';
    }
    this.#scanned.read(this.plan, this.#rows, source, at);
    return this.#insert(this.#scanned.key, source, at);
  }

  update(change: RowChange): Taken {
    this.#startIndex();
    let { source, afterAt: at } = change;
    this.#scanned.read(this.plan, this.#rows, source, at);
    if (this.#scanned.partial && change.before !== Before.absent) {
      // An old row that was sent has the values: all of them, or the key's (a key that is stored out of line is "unchanged" too).
      const only = change.before === Before.full ? undefined : this.plan.isKey;
      at = this.#rows.merge(source, at, source, change.beforeAt, only);
      source = this.#rows.mergedIn;
      this.#scanned.read(this.plan, this.#rows, source, at);
    }
    if (this.#scanned.keyMissing) throw noValue(Cell.unchanged);
    const key = this.#scanned.key;
    const partial = this.#scanned.partial;
    if (change.before !== Before.absent) {
      this.#scanned.read(this.plan, this.#rows, change.source, change.beforeAt);
      if (this.#scanned.key !== key) return this.#changeKey(this.#scanned.key, change, key, source, at, partial);
    }
    return this.#update(key, source, at, partial);
  }

  /** @param at of the row that holds the key: the old one */
  delete(source: number, at: number): Taken {
    this.#startIndex();
    this.#scanned.read(this.plan, this.#rows, source, at);
    return this.#delete(this.#scanned.key, source, at);
  }

  #insert(key: string, source: number, at: number): Taken {
    if (!this.#canInsert(key)) return 'flush';
    const entry = this.#index!.get(key);
    if (entry === undefined) {
      this.#add(key, this.expectation === 'strict' ? State.insert : State.put, source, at, source, at);
      return 'done';
    }
    const state =
      this.expectation !== 'strict' ? State.put : this.state[entry] === State.delete ? State.replace : State.insert;
    this.#set(entry, state, source, at);
    return 'done';
  }

  #update(key: string, source: number, at: number, partial: boolean): Taken {
    const lenient = this.expectation !== 'strict';
    const entry = this.#index!.get(key);
    if (entry === undefined) {
      this.#add(key, lenient && !partial ? State.put : State.update, source, at, source, at);
      return 'done';
    }
    const state = this.state[entry]!;
    if (state === State.gone) return 'flush';
    if (state === State.delete) {
      if (!lenient) return 'flush';
      if (!partial) this.#set(entry, State.put, source, at);
      // What a first load is laid over may be newer: the row is gone, and stays so.
      else if (this.expectation === 'tolerant') return 'flush';
      return 'done';
    }
    if (partial) {
      at = this.#rows.merge(source, at, this.source[entry]!, this.at[entry]!, undefined);
      source = this.#rows.mergedIn;
    }
    this.#set(entry, lenient && !partial ? State.put : state, source, at);
    return 'done';
  }

  #delete(key: string, source: number, at: number): Taken {
    if (!this.#canDelete(key)) return 'flush';
    const entry = this.#index!.get(key);
    if (entry === undefined) {
      this.#add(key, State.delete, source, at, source, at);
      return 'done';
    }
    this.state[entry] = this.state[entry] === State.insert ? State.gone : State.delete;
    this.keySource[entry] = source;
    this.keyAt[entry] = at;
    return 'done';
  }

  /** A new key is a delete and an insert (CHECKLIST 15); for that the new row must be whole. */
  #changeKey(oldKey: string, change: RowChange, key: string, source: number, at: number, partial: boolean): Taken {
    if (partial) {
      const entry = this.#index!.get(oldKey);
      if (entry === undefined || !this.#isWhole(entry)) return 'move';
      at = this.#rows.merge(source, at, this.source[entry]!, this.at[entry]!, undefined);
      source = this.#rows.mergedIn;
    }
    if (!this.#canDelete(oldKey) || !this.#canInsert(key)) return 'flush';
    this.#delete(oldKey, change.source, change.beforeAt);
    return this.#insert(key, source, at);
  }

  #canInsert(key: string): boolean {
    const entry = this.#index!.get(key);
    if (entry === undefined || this.expectation !== 'strict') return true;
    return this.state[entry] === State.delete || this.state[entry] === State.gone;
  }

  #canDelete(key: string): boolean {
    const entry = this.#index!.get(key);
    if (entry === undefined || this.expectation !== 'strict') return true;
    return this.state[entry] !== State.delete && this.state[entry] !== State.gone;
  }

  #isWhole(entry: number): boolean {
    const state = this.state[entry];
    return state === State.insert || state === State.replace || state === State.put;
  }

  #add(key: string, state: State, source: number, at: number, keySource: number, keyAt: number): void {
    this.#index!.set(key, this.source.length);
    this.#keys.push(key);
    this.source.push(source);
    this.at.push(at);
    this.keySource.push(keySource);
    this.keyAt.push(keyAt);
    this.state.push(state);
  }

  #set(entry: number, state: State, source: number, at: number): void {
    this.state[entry] = state;
    this.source[entry] = source;
    this.at[entry] = at;
  }

  /** Now keys matter: those of the inserts collected so far are looked up after all. */
  #startIndex(): void {
    if (this.#index !== undefined) return;
    this.#index = new Map();
    for (let entry = 0; entry < this.source.length; entry++) {
      const source = this.source[entry]!;
      const at = this.at[entry]!;
      this.#scanned.read(this.plan, this.#rows, source, at);
      const { key } = this.#scanned;
      const older = this.expectation === 'strict' ? undefined : this.#index.get(key);
      // One statement must not meet a row twice.
      if (older !== undefined) this.state[older] = State.gone;
      this.#index.set(key, entry);
      this.#keys.push(key);
      this.keySource.push(source);
      this.keyAt.push(at);
      this.state.push(this.expectation === 'strict' ? State.insert : State.put);
    }
  }
}
