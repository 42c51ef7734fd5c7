import type { BatchOutcome } from '#connectors/contract/target.ts';
import type { TableName } from '#schemas/tables.ts';
import type { AppliedChanges } from './ports.ts';

interface TableFigures {
  readonly target: TableName;
  changes: number;
  /** µs since 1970. */
  lastCommitTime: number;
}

/** Changes that were applied since they were last told: gathered per batch, told about once a second. */
export class AppliedSince {
  #inserted = 0;
  #updated = 0;
  #deleted = 0;
  readonly #tables = new Map<string, TableFigures>();

  add({ inserted, updated, deleted, tables }: BatchOutcome): void {
    this.#inserted += inserted;
    this.#updated += updated;
    this.#deleted += deleted;
    for (const { table, changes, lastCommitTime } of tables) {
      const name = nameOf(table);
      const known = this.#tables.get(name);
      if (known) {
        known.changes += changes;
        known.lastCommitTime = Math.max(known.lastCommitTime, lastCommitTime);
      } else this.#tables.set(name, { target: table, changes, lastCommitTime });
    }
  }

  /** What there is to tell now. */
  get(): AppliedChanges {
    return {
      inserted: this.#inserted,
      updated: this.#updated,
      deleted: this.#deleted,
      tables: [...this.#tables.values()].map(({ target, changes, lastCommitTime }) => ({
        target,
        changes,
        lastChangeAt: new Date(lastCommitTime / 1000),
      })),
    };
  }

  /** This has been told: what came in since remains. */
  told({ inserted, updated, deleted, tables }: AppliedChanges): void {
    this.#inserted -= inserted;
    this.#updated -= updated;
    this.#deleted -= deleted;
    for (const { target, changes } of tables) {
      const name = nameOf(target);
      const known = this.#tables.get(name)!;
      known.changes -= changes;
      if (known.changes === 0) this.#tables.delete(name);
    }
  }
}

const nameOf = ({ schema, name }: TableName): string => `${schema}\0${name}`;
