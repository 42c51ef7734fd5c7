import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError, type ErrorCode } from '#schemas/errors.ts';
import type { DeadLetterState } from '#schemas/http/dead-letters.ts';
import { formatLsn } from '#schemas/lsn.ts';
import { parseTableName, type TableName } from '#schemas/tables.ts';
import type { Queryable } from '#services/kernel/database/index.ts';
import { DEAD_LETTERS_COUNTED } from './pair-records.ts';
import { pairWithin, type Scope } from './scope.ts';
import { Conditions, containing, cutPage, decodeCursor, type Page, type PageRequest } from './pages.ts';

/** A dead letter that is kept. */
export interface DeadLetterRecord extends DeadLetter {
  /** Grows with every letter. */
  readonly id: string;
  readonly pair: { readonly id: string; readonly name: string };
  readonly state: DeadLetterState;
  readonly createdAt: Date;
  readonly resolvedAt: Date | undefined;
  readonly resolvedBy: string | undefined;
}

export interface DeadLetterFilter {
  readonly pairId?: string | undefined;
  readonly state?: DeadLetterState | undefined;
  /** Source or target table, as text. */
  readonly table?: string | undefined;
  readonly code?: ErrorCode | undefined;
  /** Name of the rule that refused them. */
  readonly rule?: string | undefined;
  readonly sqlstate?: string | undefined;
  /** Anywhere in reason, rule or row, upper or lower case. */
  readonly text?: string | undefined;
  /** By when they were set aside. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Up to this id, itself included: what came later is left out. */
  readonly through?: string | undefined;
  /** Beyond this id. */
  readonly after?: string | undefined;
}

/** Letters that have one cause. */
export interface DeadLetterGroup {
  readonly pair: { readonly id: string; readonly name: string };
  readonly sourceTable: TableName;
  readonly rule: string | undefined;
  readonly code: ErrorCode;
  readonly sqlstate: string | undefined;
  readonly count: number;
  readonly latestAt: Date;
}

export interface DeadLetterSummary {
  readonly total: number;
  /** The last one that is counted. */
  readonly latestId: string | undefined;
  /** The largest first. */
  readonly groups: readonly DeadLetterGroup[];
}

interface Row {
  readonly id: bigint;
  readonly pair_id: string;
  readonly pair_name: string;
  readonly position: string;
  readonly stage: DeadLetter['stage'];
  readonly source_schema: string;
  readonly source_table: string;
  readonly target_schema: string;
  readonly target_table: string;
  readonly op: DeadLetter['op'];
  readonly rule: string | null;
  readonly code: ErrorCode;
  readonly reason: string;
  readonly sqlstate: string | null;
  readonly row: Record<string, string | null>;
  readonly before: Record<string, string | null> | null;
  readonly state: DeadLetterState;
  readonly created_at: Date;
  readonly resolved_at: Date | null;
  readonly resolved_by: string | null;
}

/** Causes that a summary names. */
const GROUPS = 200;

const select = `SELECT d.id, d.pair_id, p.name AS pair_name, d.position, d.stage, d.source_schema, d.source_table, d.target_schema,
    d.target_table, d.op, d.rule, d.code, d.reason, d.sqlstate, d.row, d.before, d.state, d.created_at, d.resolved_at, d.resolved_by
  FROM terrafusion.dead_letters d JOIN terrafusion.sync_pairs p ON p.id = d.pair_id`;

/** Changes that could not go on, kept until somebody has looked at them. */
export class DeadLetters {
  readonly #db: Queryable;
  readonly #scope: Scope;

  constructor(db: Queryable, scope: Scope = null) {
    this.#db = db;
    this.#scope = scope;
  }

  /**
   * Forgets what an earlier load of the pair, or of these source tables, has refused: the next one looks at every row again.
   * (Its positions have generation 0.)
   */
  async forgetLoad(pairId: string, tables?: readonly TableName[]): Promise<void> {
    await this.#db.run(
      `DELETE FROM terrafusion.dead_letters WHERE pair_id = $1 AND position LIKE '0:%' AND ($2::jsonb IS NULL OR
         jsonb_build_object('schema', source_schema, 'name', source_table) IN (SELECT jsonb_array_elements($2::jsonb)))`,
      [pairId, tables ? JSON.stringify(tables.map(({ schema, name }) => ({ schema, name }))) : null],
    );
  }

  /** Forgets those of a part of one source table: its rows with ordinals from `first` to before `end`. */
  async forgetChunk(pairId: string, relationId: number, first: number, end: number): Promise<void> {
    await this.#db.run(
      `DELETE FROM terrafusion.dead_letters WHERE pair_id = $1 AND position LIKE $2
         AND split_part(position, ':', 3)::numeric >= $3::numeric AND split_part(position, ':', 3)::numeric < $4::numeric`,
      [pairId, `0:${formatLsn(BigInt(relationId))}:%`, String(first), String(end)],
    );
  }

  /**
   * Keeps the letters; durable on return. Those that are kept already (same pair, position, stage and target table) stay as they are:
   * repeating a batch never doubles one. (Promise 2) Returns how many were new.
   */
  async store(pairId: string, letters: readonly DeadLetter[]): Promise<number> {
    if (letters.length === 0) return 0;
    const rows = letters.map((letter) => ({
      position: letter.position,
      stage: letter.stage,
      source_schema: letter.source_table.schema,
      source_table: letter.source_table.name,
      target_schema: letter.target_table.schema,
      target_table: letter.target_table.name,
      op: letter.op,
      rule: letter.rule ?? null,
      code: letter.code,
      reason: letter.reason,
      sqlstate: letter.sqlstate ?? null,
      row: letter.row,
      before: letter.before ?? null,
    }));
    return await this.#db.run(
      `INSERT INTO terrafusion.dead_letters
         (pair_id, position, stage, source_schema, source_table, target_schema, target_table, op, rule, code, reason,
          sqlstate, row, before)
       SELECT $1, l.position, l.stage, l.source_schema, l.source_table, l.target_schema, l.target_table, l.op, l.rule, l.code,
              l.reason, l.sqlstate, l.row, nullif(l.before, 'null')
         FROM jsonb_to_recordset($2::jsonb) AS l (position text, stage text, source_schema text, source_table text,
              target_schema text, target_table text, op text, rule text, code text, reason text, sqlstate text, row jsonb, before jsonb)
       ON CONFLICT (pair_id, position, stage, target_schema, target_table) DO NOTHING`,
      [pairId, storableJson(rows)],
    );
  }

  /** @throws NOT_FOUND */
  async get(id: string): Promise<DeadLetterRecord> {
    const row = isId(id)
      ? await this.#db.one<Row>(`${select} WHERE d.id = $1 AND ${pairWithin('p', '$2')}`, [id, this.#scope])
      : undefined;
    if (!row) throw new TerraFusionError('NOT_FOUND', `There is no dead letter "${id}"`, { details: { id } });
    return toRecord(row);
  }

  /** Latest first. */
  async list(filter: DeadLetterFilter, { limit, cursor }: PageRequest): Promise<Page<DeadLetterRecord>> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, 'number')[0];
    const where = conditions(filter).add('d.id < ?::bigint', idOf(after));
    const rows = await this.#db.query<Row>(
      `${select} WHERE p.deleted_at IS NULL AND ${where.toString()} AND ${pairWithin('p', where.bind(this.#scope))}
        ORDER BY d.id DESC LIMIT ${where.bind(limit + 1)}`,
      where.values,
    );
    return cutPage(rows, limit, ({ id }) => [id.toString()], toRecord);
  }

  /** The open ones that match, in the order in which their changes were made: what is replayed later is the newer row. */
  async next(filter: DeadLetterFilter, limit: number): Promise<DeadLetterRecord[]> {
    const where = conditions({ ...filter, state: 'open' });
    const rows = await this.#db.query<Row>(
      `${select} WHERE p.deleted_at IS NULL AND ${where.toString()} AND ${pairWithin('p', where.bind(this.#scope))}
        ORDER BY d.id LIMIT ${where.bind(limit)}`,
      where.values,
    );
    return rows.map(toRecord);
  }

  /** How many match, and why they are there. */
  async summary(filter: DeadLetterFilter): Promise<DeadLetterSummary> {
    const where = conditions(filter);
    const rows = await this.#db.query<
      Pick<Row, 'pair_id' | 'pair_name' | 'source_schema' | 'source_table' | 'rule' | 'code' | 'sqlstate'> & {
        readonly count: number;
        readonly latest_at: Date;
        readonly total: number;
        readonly latest_id: bigint;
      }
    >(
      `SELECT d.pair_id, p.name AS pair_name, d.source_schema, d.source_table, d.rule, d.code, d.sqlstate,
              count(*)::int AS count, max(d.created_at) AS latest_at,
              (sum(count(*)) OVER ())::int AS total, max(max(d.id)) OVER () AS latest_id
         FROM terrafusion.dead_letters d JOIN terrafusion.sync_pairs p ON p.id = d.pair_id
        WHERE p.deleted_at IS NULL AND ${where.toString()} AND ${pairWithin('p', where.bind(this.#scope))}
        GROUP BY d.pair_id, p.name, d.source_schema, d.source_table, d.rule, d.code, d.sqlstate
        ORDER BY count(*) DESC, p.name, d.source_schema, d.source_table, d.rule, d.code, d.sqlstate
        LIMIT ${GROUPS}`,
      where.values,
    );
    return {
      total: rows[0]?.total ?? 0,
      latestId: rows[0]?.latest_id.toString(),
      groups: rows.map((row) => ({
        pair: { id: row.pair_id, name: row.pair_name },
        sourceTable: { schema: row.source_schema, name: row.source_table },
        rule: row.rule ?? undefined,
        code: row.code,
        sqlstate: row.sqlstate ?? undefined,
        count: row.count,
        latestAt: row.latest_at,
      })),
    };
  }

  /** Marks all open ones that match as discarded. Returns how many. */
  async discardAll(filter: DeadLetterFilter, by: string): Promise<number> {
    const where = conditions({ ...filter, state: 'open' });
    const [matching, scope] = [where.toString(), where.bind(this.#scope)];
    return await this.#db.run(
      `UPDATE terrafusion.dead_letters d SET state = 'discarded', resolved_at = clock_timestamp(), resolved_by = ${where.bind(by)}
         FROM terrafusion.sync_pairs p
        WHERE p.id = d.pair_id AND p.deleted_at IS NULL AND ${matching} AND ${pairWithin('p', scope)}`,
      where.values,
    );
  }

  /** Marks an open letter as done. @throws NOT_FOUND; CONFLICTING_STATE when it is not open any more */
  async resolve(id: string, state: 'replayed' | 'discarded', by: string): Promise<DeadLetterRecord> {
    const touched = isId(id)
      ? await this.#db.run(
          `UPDATE terrafusion.dead_letters d SET state = $2, resolved_at = clock_timestamp(), resolved_by = $3
             FROM terrafusion.sync_pairs p
            WHERE d.id = $1 AND d.state = 'open' AND p.id = d.pair_id AND ${pairWithin('p', '$4')}`,
          [id, state, by, this.#scope],
        )
      : 0;
    const letter = await this.get(id);
    if (touched === 0) throw notOpen(letter);
    return letter;
  }

  /** By name of pair, counted up to {@link DEAD_LETTERS_COUNTED}; pairs without any are among them. */
  async openByPair(): Promise<readonly { readonly pair: string; readonly open: number }[]> {
    return await this.#db.query<{ pair: string; open: number }>(
      `SELECT p.name AS pair, (SELECT count(*)::int FROM (
                SELECT FROM terrafusion.dead_letters d WHERE d.pair_id = p.id AND d.state = 'open' LIMIT ${DEAD_LETTERS_COUNTED}) counted
              ) AS open
         FROM terrafusion.sync_pairs p WHERE p.deleted_at IS NULL ORDER BY p.name`,
    );
  }

  /**
   * Open ones that streams have set aside within the last so many minutes, by name of pair; of each pair's newest thousand, which is enough for an
   * alarm. What a load refuses is what it found, not what goes wrong now: its operation tells of it.
   */
  async newByPair(minutes: number): Promise<readonly { readonly pair: string; readonly count: number }[]> {
    return await this.#db.query<{ pair: string; count: number }>(
      `SELECT p.name AS pair, n.count FROM terrafusion.sync_pairs p CROSS JOIN LATERAL (
         SELECT count(*)::int AS count FROM (
           SELECT d.created_at FROM terrafusion.dead_letters d
            WHERE d.pair_id = p.id AND d.state = 'open' AND d.position NOT LIKE '0:%' ORDER BY d.id DESC LIMIT 1000
         ) newest WHERE newest.created_at > clock_timestamp() - make_interval(mins => $1::int)) n
        WHERE p.deleted_at IS NULL AND n.count > 0 ORDER BY p.name`,
      [minutes],
    );
  }

  /** Of all pairs that are not deleted. */
  async countOpen(): Promise<number> {
    const row = await this.#db.one<{ count: number }>(
      `SELECT count(*)::int AS count FROM terrafusion.dead_letters d JOIN terrafusion.sync_pairs p ON p.id = d.pair_id
        WHERE d.state = 'open' AND p.deleted_at IS NULL AND ${pairWithin('p', '$1')}`,
      [this.#scope],
    );
    return row!.count;
  }
}

export function notOpen(letter: DeadLetterRecord): TerraFusionError {
  return new TerraFusionError('CONFLICTING_STATE', `Dead letter ${letter.id} is ${letter.state} already`, {
    details: { id: letter.id, state: letter.state },
  });
}

/**
 * JSON that jsonb takes: it has no NUL, and no half of a surrogate pair. A letter with such a cell is kept with a replacement
 * character rather than not at all: it must not stop the pair. (CHECKLIST 40)
 */
function storableJson(value: unknown): string {
  return JSON.stringify(value, (_name, field: unknown) =>
    typeof field === 'string' ? field.toWellFormed().replaceAll('\0', '\uFFFD') : field,
  );
}

/** The text of a table in a filter; one that cannot be read matches no table. */
function tableOf(text: string): TableName {
  try {
    return parseTableName(text);
  } catch {
    return { schema: '', name: text };
  }
}

function conditions(filter: DeadLetterFilter): Conditions {
  const table = filter.table === undefined ? undefined : tableOf(filter.table);
  return new Conditions()
    .add('d.pair_id = ?', filter.pairId)
    .add('d.state = ?', filter.state)
    .add('d.code = ?', filter.code)
    .add('d.rule = ?', filter.rule)
    .add('d.sqlstate = ?', filter.sqlstate)
    .add(
      '((d.source_schema = ? AND d.source_table = ?) OR (d.target_schema = ? AND d.target_table = ?))',
      table?.schema,
      table?.name,
      table?.schema,
      table?.name,
    )
    .add(`concat_ws(' ', d.reason, d.rule, d.row::text) ILIKE ?`, containing(filter.text))
    .add('d.created_at >= ?', filter.since)
    .add('d.created_at < ?', filter.until)
    .add('d.id <= ?::bigint', idOf(filter.through))
    .add('d.id > ?::bigint', idOf(filter.after));
}

/** What is no id stands before all of them. */
const idOf = (id: string | undefined): string | undefined => (id === undefined || isId(id) ? id : '0');

const isId = (id: string): boolean => /^[1-9]\d{0,17}$/.test(id);

function toRecord(row: Row): DeadLetterRecord {
  return {
    id: row.id.toString(),
    pair: { id: row.pair_id, name: row.pair_name },
    position: row.position,
    stage: row.stage,
    source_table: { schema: row.source_schema, name: row.source_table },
    target_table: { schema: row.target_schema, name: row.target_table },
    op: row.op,
    rule: row.rule ?? undefined,
    code: row.code,
    reason: row.reason,
    sqlstate: row.sqlstate ?? undefined,
    row: row.row,
    before: row.before ?? undefined,
    state: row.state,
    createdAt: row.created_at,
    resolvedAt: row.resolved_at ?? undefined,
    resolvedBy: row.resolved_by ?? undefined,
  };
}
