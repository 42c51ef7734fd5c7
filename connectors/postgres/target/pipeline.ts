import type pg from 'pg';
import { readCommandTag, readDataRow, readServerError, type ServerError } from '../wire/backend.ts';
import { Backend } from '../wire/protocol.ts';
import { RawConnection } from '../wire/raw-connection.ts';
import { Output } from './output.ts';
import type { ColumnArray } from './column-array.ts';

/** What the server answered to one stretch of messages, from one Sync to the next. */
export interface Answers {
  /** Tags of the commands that succeeded, in order: "UPDATE 3". */
  readonly tags: readonly string[];
  /** Rows of all of them, in order. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** What the first failing one said; the ones after it were not run. */
  readonly error: ServerError | undefined;
}

class Stretch {
  readonly tags: string[] = [];
  readonly rows: (string | null)[][] = [];
  error: ServerError | undefined;
  readonly answered = Promise.withResolvers<Answers>();
}

/** Bytes on their way to the server above which we wait before building more. (Promise 6) */
const MOST_WAITING = 2 * 1024 * 1024;
/** Prepared statements a session keeps: their plans are the server's memory. */
const MOST_STATEMENTS = 400;

/**
 * A session that is written to without waiting for answers (extended protocol): statements, COPY data and COMMIT follow one another,
 * and each `sync` gives the answers to what was written since the one before. After an error the server skips everything up to the
 * next Sync; when the transaction was begun explicitly, all that follows fails until it is rolled back. So nothing that was sent
 * ahead of an answer can do harm.
 */
export class Pipeline {
  readonly out: Output;
  readonly #raw: RawConnection;
  /** Stretches without all their answers, the oldest first; the last one is still being written. */
  readonly #stretches: Stretch[] = [new Stretch()];
  readonly #statements = new Map<string, string>();
  /** SQL texts prepared in the stretch in hand. */
  #fresh: string[] = [];
  #prepared = 0;
  #commands = 0;
  #failure: Error | undefined;
  #lost: Error | undefined;

  /** Takes over a session that is ready for a query. */
  constructor(client: pg.Client) {
    this.#raw = RawConnection.takeOver(client, 'target', {
      onMessage: (type, buf, start, end) => {
        this.#read(type, buf, start, end);
      },
      onClose: (error) => {
        this.#close(error);
      },
    });
    this.out = new Output(this.#raw);
  }

  /** The first thing that went wrong, in the server's words or the socket's: what is written from now on is lost. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Commands written so far; each that succeeds gives one tag. */
  get commands(): number {
    return this.#commands;
  }

  /** Runs a statement whose parameters are arrays of equal length, and if given, a count after them. Prepared at its first use. */
  runArrays(sql: string, arrays: readonly ColumnArray[], count?: number): void {
    for (const array of arrays) array.finish();
    this.out.bindArrays(this.#prepare(sql, arrays.length, count !== undefined), arrays, count);
    this.#execute();
  }

  /** Runs a statement with text parameters. Prepared at its first use. */
  run(sql: string, values: readonly (string | null)[] = []): void {
    this.out.bindTexts(this.#prepare(sql, 0, false), values);
    this.#execute();
  }

  /** Runs a statement that will hardly come again. */
  runOnce(sql: string): void {
    this.out.parse('', sql, 0, false);
    this.out.bindTexts('', []);
    this.#execute();
  }

  /** Sends what is built and resolves with the answers. Rejects only when the connection is lost. */
  sync(): Promise<Answers> {
    if (this.#lost) return Promise.reject(this.#lost);
    this.out.sync();
    this.out.flush();
    const { promise } = this.#stretches.at(-1)!.answered;
    this.#stretches.push(new Stretch());
    this.#fresh = [];
    return promise;
  }

  /**
   * To be called when a stretch has failed and the session goes on: what was prepared in it may not be there.
   * @param fresh as `freshStatements` told before its `sync`
   */
  recover(fresh: readonly string[]): void {
    for (const sql of fresh) this.#statements.delete(sql);
    this.#failure = this.#lost;
  }

  /** Statements are prepared anew from here on. */
  forgetStatements(): void {
    for (const name of this.#statements.values()) this.out.closeStatement(name);
    this.#statements.clear();
  }

  /** SQL texts that were prepared since the last `sync`. */
  get freshStatements(): readonly string[] {
    return this.#fresh;
  }

  /** Runs one statement by itself and returns its rows. @throws {ServerError} and what `sync` rejects with */
  async query(sql: string, values: readonly (string | null)[] = []): Promise<Answers['rows']> {
    this.run(sql, values);
    const { rows, error } = await this.sync();
    if (error) throw error;
    return rows;
  }

  /** Resolves once the server has taken enough for us to build more. */
  async room(): Promise<void> {
    this.out.flush();
    while (this.#raw.bytesToWrite > MOST_WAITING && this.#failure === undefined) await this.#raw.drained();
  }

  /** Ends the session; an open transaction is rolled back. What has no answers yet is given up. */
  async close(): Promise<void> {
    if (this.#lost === undefined && this.#stretches.length === 1) await this.#raw.end();
    else this.abandon();
  }

  /** Whether answers are waited for, or the server does not take what it is sent. */
  get waits(): boolean {
    return this.#lost === undefined && (this.#stretches.length > 1 || this.#raw.bytesToWrite > 0);
  }

  /** Changes with every byte that moves, either way. */
  get bytesMoved(): number {
    return this.#raw.bytesRead + this.#raw.bytesTaken;
  }

  /** Gives the session up for that reason. */
  lose(error: Error): void {
    this.#raw.destroy(error);
  }

  /** Closes without a word: a COPY in progress would take the goodbye for data. */
  abandon(): void {
    this.#raw.destroy(this.#failure ?? new Error('Connection terminated: its work was given up'));
  }

  #execute(): void {
    this.out.execute();
    this.#commands++;
  }

  #prepare(sql: string, arrays: number, counted: boolean): string {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      if (this.#statements.size < MOST_STATEMENTS / 2) return known;
      // Back to the end of the queue: the one that was not used for longest goes first.
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    if (this.#statements.size === MOST_STATEMENTS) {
      const [oldest, name] = this.#statements.entries().next().value!;
      this.#statements.delete(oldest);
      this.out.closeStatement(name);
    }
    const name = `t${++this.#prepared}`;
    this.#statements.set(sql, name);
    this.#fresh.push(sql);
    this.out.parse(name, sql, arrays, counted);
    return name;
  }

  #read(type: number, buf: Buffer, start: number, end: number): void {
    const stretch = this.#stretches[0]!;
    switch (type) {
      case Backend.commandComplete:
        stretch.tags.push(readCommandTag(buf, start, end));
        break;
      case Backend.dataRow:
        stretch.rows.push(readDataRow(buf, start, end));
        break;
      case Backend.errorResponse:
        stretch.error ??= readServerError(buf, start, end);
        this.#failure ??= stretch.error;
        break;
      case Backend.readyForQuery:
        this.#stretches.shift();
        stretch.answered.resolve(stretch);
        break;
      default:
    }
  }

  #close(error: Error | undefined): void {
    // The server's last words tell more than the closed socket: "terminating connection due to administrator command".
    const lost = this.#stretches[0]?.error ?? error ?? new Error('Connection terminated');
    this.#failure ??= lost;
    this.#lost = lost;
    for (const { answered } of this.#stretches.splice(0)) {
      answered.promise.catch(() => undefined);
      answered.reject(lost);
    }
    this.#stretches.push(new Stretch());
  }
}
