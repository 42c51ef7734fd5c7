import type { ApartTables, HeldTable } from '#connectors/contract/target.ts';
import type { Lsn } from '#schemas/lsn.ts';
import { comparePositions, type Position } from '#schemas/position.ts';
import type { SourceTable } from '#schemas/source-tables.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';

/** Schemas that are nobody's data. */
export const SYSTEM = /^(pg_|information_schema$|_terrafusion$)/;

/** What a writer has found at the target as it was opened. */
export interface HeldShapes {
  readonly held: readonly HeldTable[];
  /** Tables that go apart, and those that have joined again. */
  readonly apart: readonly ApartTables[];
}

/** Whether a table was loaded, in the shape that is held, when this transaction could be seen: what a message of it says is older. */
export type IsLoaded = (table: TableName, transaction: { readonly xid: number; readonly commitLsn: Lsn }) => boolean;

/** The tables that a stream writes, by their oids, in the shapes in which they were last applied; and those that go apart from it. */
export class HeldTables {
  readonly #held: Map<number, HeldTable>;
  readonly #apart: readonly ApartTables[];
  readonly #isLoaded: IsLoaded;

  constructor({ held, apart }: HeldShapes, isLoaded: IsLoaded) {
    this.#held = new Map(held.map((table) => [table.source.relation_id, table]));
    this.#apart = apart;
    this.#isLoaded = isLoaded;
  }

  /** None: an earlier version of the program, which noted nothing, has loaded them. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  get(relationId: number): HeldTable | undefined {
    return this.#held.get(relationId);
  }

  values(): HeldTable[] {
    return [...this.#held.values()];
  }

  note(held: readonly HeldTable[], forget: readonly number[]): void {
    for (const table of held) this.#held.set(table.source.relation_id, table);
    for (const relationId of forget) this.#held.delete(relationId);
  }

  /** At the source, those that go apart included. */
  names(): TableName[] {
    const held = this.values().map(({ source: { schema, name } }) => ({ schema, name }));
    return [...held, ...this.#apart.flatMap(({ tables }) => tables.map(({ source }) => source))];
  }

  /**
   * Oids of tables of which a message in this place says what is past: they were loaded later, or are their table sync's matter, now or then;
   * those that have joined have the shape that they had later.
   */
  past(at: Position, xid: number): ReadonlySet<number> {
    const past = new Set<number>();
    for (const [relationId, table] of this.#held) if (this.#isPast(table, at, xid)) past.add(relationId);
    return past;
  }

  #isPast({ source, target }: HeldTable, at: Position, xid: number): boolean {
    if (this.#isLoaded(source, { xid, commitLsn: at.commitLsn })) return true;
    const name = formatTableName(target);
    const entry = this.#apart.find(({ tables }) => tables.some((table) => formatTableName(table.target) === name));
    return entry !== undefined && (entry.until === undefined || comparePositions(at, entry.until) <= 0);
  }
}

/** Whether it could be a table of a pair by itself: rows of partitions come as their root's, and unlogged tables leave no trace in the WAL. */
export function isFollowable({ partition, permanent, schema }: SourceTable): boolean {
  return !partition && permanent && !SYSTEM.test(schema);
}
