import type pg from 'pg';
import type { SchemaReport, SkippedObject } from '#connectors/contract/schema.ts';
import { isPostgresError, type PostgresError } from '../errors.ts';
import { type MadeObjects, recordMade } from './made.ts';

/** What a report is collected in, and how one statement is tried without harming the rest. */
export class Attempts {
  readonly #client: pg.ClientBase;
  /** Everything is rolled back in the end, so nothing needs to be recorded, and no transaction ends on the way. */
  readonly plan: boolean;
  readonly #made = new Set<string>();
  readonly #found = new Set<string>();
  readonly #skipped = new Map<string, SkippedObject>();

  constructor(client: pg.ClientBase, plan: boolean) {
    this.#client = client;
    this.plan = plan;
  }

  /** Runs `work` in a transaction of its own. */
  async inTransaction<T>(work: () => Promise<T>): Promise<T> {
    if (this.plan) return work();
    await this.#client.query('BEGIN');
    try {
      const result = await work();
      await this.#client.query('COMMIT');
      return result;
    } catch (error) {
      await this.#client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /**
   * Runs statements, all or none; within a transaction only.
   * @returns why the server refuses them; undefined when they were run
   * @throws what has nothing to do with the statements: a lost connection, a lock that was waited for in vain
   */
  async tryAll(statements: readonly string[]): Promise<PostgresError | undefined> {
    await this.#client.query('SAVEPOINT attempt');
    try {
      for (const statement of statements) await this.#client.query(statement);
      await this.#client.query('RELEASE SAVEPOINT attempt');
      return undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.#client.query('ROLLBACK TO SAVEPOINT attempt');
      return error;
    }
  }

  /** Makes an object, or tells why not; within a transaction only. @returns whether it is there now */
  async make(object: string, statements: readonly string[], relation?: string): Promise<boolean> {
    const refusal = await this.tryAll(statements);
    if (refusal === undefined) {
      await this.note(object, statements, relation);
      return true;
    }
    this.skip(object, reasonOf(refusal), fixOf(refusal));
    return false;
  }

  /** Notes what has just been made in the same transaction. */
  async note(object: string, statements: readonly string[], relation?: string): Promise<void> {
    if (!this.plan) await recordMade(this.#client, object, statements, relation);
    this.#made.add(object);
  }

  made(object: string): void {
    this.#made.add(object);
  }

  isMade(object: string): boolean {
    return this.#made.has(object);
  }

  found(object: string): void {
    this.#found.add(object);
  }

  /** It is there as it should be: by us, or by somebody else. */
  recognise(object: string, { statements }: MadeObjects): void {
    if (statements.has(object)) this.made(object);
    else this.found(object);
  }

  skip(object: string, reason: string, fix: string): void {
    this.#skipped.set(object, { object, reason, fix });
  }

  report(more: readonly SkippedObject[] = []): SchemaReport {
    for (const each of more) this.#skipped.set(each.object, each);
    return { made: [...this.#made], found: [...this.#found], skipped: [...this.#skipped.values()] };
  }
}

/** The server says no to what was asked; not that it cannot be asked at the moment. */
function isRefusal(error: unknown): error is PostgresError {
  return isPostgresError(error) && !/^(08|40|53|57|58|XX)/.test(error.code) && error.code !== '55P03';
}

/** The server's words; without its detail where that shows a row's values. (Promise 8) */
export function reasonOf({ code, message, detail }: PostgresError): string {
  const more = detail === undefined || /^2[23]/.test(code) ? '' : ` (${detail})`;
  return `The target refuses it: ${message}${more}`;
}

export function fixOf({ code }: PostgresError): string {
  switch (code) {
    case '42501':
      return 'Give our role at the target the right that the message names, or have it made by somebody who has it.';
    case '42883':
      return 'Create the function at the target, then the object.';
    case '42704':
      return 'Create what the message names at the target, then the object.';
    case '42P07':
    case '42710':
    case '42712':
      return 'Another object of the target has the name: rename one of them.';
    case '0A000':
    case '42601':
      return 'The target is older than the source and does not know this; upgrade it, or do without.';
    case '58P01':
    case '0F000':
      return 'Install the extension on the machine of the target.';
    case '23502':
    case '23503':
    case '23505':
    case '23514':
    case '23P01':
      return 'Rows at the target break it: the source does not hold them to it either, or somebody else writes there. Correct the rows, then create it at the target.';
    default:
      return 'Create it at the target by hand if it is needed there.';
  }
}
