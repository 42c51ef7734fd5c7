import { sqlStateOf } from './errors.ts';

/** Statements that are kept prepared: each costs memory on every connection. */
const PREPARED = 200;
/** A text is prepared when it comes for this time: what a start asks once is not worth it. */
const WORTH_IT = 3;
/** Texts that are counted. */
const COUNTED = 1000;

/** Whether a statement failed for having been prepared: nothing of it was done, and the connection is as good as before. */
export function isStale(error: unknown): boolean {
  const state = sqlStateOf(error);
  // Its tables were altered meanwhile (0A000 stands for much else); or somebody between us and the server hands sessions round.
  return (state === '0A000' && /cached plan/.test((error as Error).message)) || state === '26000' || state === '42P05';
}

/**
 * Which statements are prepared: those that come again and again, for the server to parse and plan them once a connection instead of each time.
 * For the list of pairs that is a twentieth of the work.
 */
export class Statements {
  readonly #uses = new Map<string, number>();
  readonly #names = new Map<string, string>();
  #given = 0;
  #off = false;

  /** Under which name the statement is prepared; undefined: it is not. */
  nameOf(sql: string): string | undefined {
    if (this.#off) return undefined;
    const name = this.#names.get(sql);
    if (name !== undefined) return name;
    const uses = (this.#uses.get(sql) ?? 0) + 1;
    if (uses < WORTH_IT || this.#names.size >= PREPARED) {
      if (this.#uses.size >= COUNTED) this.#uses.clear();
      this.#uses.set(sql, uses);
      return undefined;
    }
    this.#uses.delete(sql);
    this.#given += 1;
    const given = `terrafusion_${this.#given}`;
    this.#names.set(sql, given);
    return given;
  }

  /** It is stale: the next time it is prepared anew, under another name, unless sessions are not ours to prepare anything in. */
  forget(sql: string, error: unknown): void {
    this.#names.delete(sql);
    if (sqlStateOf(error) !== '0A000') this.#off = true;
  }
}
