import { createHash } from 'node:crypto';
import type { HeldTable, NewsTable, SchemaNews, SchemaStep } from '#connectors/contract/target.ts';
import {
  BlockReader,
  type BlockColumn,
  type BlockTable,
  Op,
  readRow,
  splitBefore,
  withoutChanges,
} from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition, TableInput } from '#schemas/pairs.ts';
import { comparePositions, formatPosition, type Position } from '#schemas/position.ts';
import { parseSchemaMessage, SCHEMA_PREFIX, type SchemaMessage, type SourceTable } from '#schemas/source-tables.ts';
import { formatTableName, parseTableName, type TableName } from '#schemas/tables.ts';
import { HeldTables, isFollowable, SYSTEM, type HeldShapes, type IsLoaded } from './held-tables.ts';
import { guessed, reconcile } from './reconcile.ts';

/** What the gate asks of the source, whose answer is later than the stream. */
export interface SourceCatalog {
  tableStates(relationIds: readonly number[]): Promise<SourceTable[]>;
  typeNames(types: readonly { readonly oid: number; readonly typmod: number }[]): Promise<(string | undefined)[]>;
}

/** What is to be done at the target, and where in the stream. */
export interface SchemaChange {
  /** The same again after a restart, as long as the same is to be done in the same place. */
  readonly id: string;
  readonly position: Position;
  readonly steps: readonly SchemaStep[];
}

export function schemaChange(position: Position, steps: readonly SchemaStep[]): SchemaChange {
  const text = JSON.stringify([formatPosition(position), steps.map(({ what, sql }) => [what, sql])]);
  return { id: createHash('sha256').update(text).digest('hex').slice(0, 16), position, steps };
}

/**
 * The stream has come upon a table that is not held. Rows of it are left out: whoever takes the table in loads it at a later moment.
 * @param held names at the source of all that are
 */
export type NewTable = (table: SourceTable, held: readonly TableName[]) => Promise<void>;

/** Where in a block something new stands. */
interface Place {
  readonly at: Position;
  /** The table in its new shape, or what a message says. */
  readonly table: BlockTable | undefined;
  readonly message: SchemaMessage | undefined;
  readonly xid: number;
}

/** A stretch of a block, or what stands between two of them. */
export type Piece = { readonly bytes: Buffer } | { readonly news: SchemaNews; readonly at: Position };

const prefixBytes = Buffer.from(SCHEMA_PREFIX);

/**
 * Stands before the target and looks whether tables are still what they were when they were last brought in line there: by messages that
 * the source's event trigger puts into the stream, and by the shapes that the stream announces. Blocks are cut where something is
 * new, so that the target is altered exactly there: after all that came before, before all that follows. (CHECKLIST 19)
 */
export class SchemaGate {
  readonly #definition: PairDefinition;
  readonly #catalog: SourceCatalog;
  readonly #newTable: NewTable;
  readonly #held: HeldTables;
  /** Oids of tables that are no part of the pair and have been told of. */
  readonly #strangers = new Set<number>();

  constructor(
    definition: PairDefinition,
    shapes: HeldShapes,
    catalog: SourceCatalog,
    newTable: NewTable,
    isLoaded: IsLoaded = () => false,
  ) {
    this.#definition = definition;
    this.#catalog = catalog;
    this.#newTable = newTable;
    this.#held = new HeldTables(shapes, isLoaded);
  }

  /** What stands at the target from here on. */
  note(held: readonly HeldTable[], forget: readonly number[]): void {
    this.#held.note(held, forget);
  }

  /** The block in pieces. What news has led to is noted before the next piece is asked for. */
  async *cut(bytes: Buffer, from?: Position): AsyncGenerator<Piece, void, undefined> {
    let rest = await this.#withoutNew(bytes);
    let handled = from;
    for (;;) {
      const place = this.#find(rest, handled);
      if (place === undefined) break;
      handled = place.at;
      const { head, tail } = splitBefore(rest, place.at);
      rest = tail!;
      const news = place.message ? await this.#told(place.message, place) : await this.#seen(place.table!);
      if (head !== undefined) yield { bytes: head };
      if (news === undefined) continue;
      yield { news, at: place.at };
      // A new label of an enum can be used once its transaction is committed: nothing of the next one goes along.
      const next = nextTransaction(rest);
      if (next === undefined) continue;
      const parts = splitBefore(rest, next);
      if (parts.head !== undefined) yield* this.cut(parts.head, handled);
      if (parts.tail === undefined) return;
      rest = parts.tail;
    }
    yield { bytes: rest };
  }

  /**
   * Another pair may have the source publish tables that came after this pair's load. Nothing else may have told of them: they are told of
   * here, before their first row is left out. (Promise 2)
   */
  async #withoutNew(bytes: Buffer): Promise<Buffer> {
    const { tables } = BlockReader.open(bytes).header;
    const isNew = tables.map((table) => this.#isNew(table));
    if (!isNew.includes(true)) return bytes;
    const unknown = tables.filter(({ relationId }, i) => isNew[i] && !this.#strangers.has(relationId));
    if (unknown.length > 0) {
      const states = await this.#catalog.tableStates(unknown.map(({ relationId }) => relationId));
      for (const state of states) if (isFollowable(state)) await this.#tellNew(state);
      for (const { relationId } of unknown) this.#strangers.add(relationId);
    }
    return withoutChanges(bytes, (_transaction, table) => isNew[table] === true);
  }

  #tellNew(table: SourceTable): Promise<void> {
    return this.#newTable(table, this.#held.names());
  }

  #isNew(table: BlockTable): boolean {
    return (
      this.#definition.tables === undefined &&
      !this.#held.isEmpty &&
      this.#held.get(table.relationId) === undefined &&
      !SYSTEM.test(table.schema)
    );
  }

  /** The first place after `handled` where something may be new. */
  #find(bytes: Buffer, handled: Position | undefined): Place | undefined {
    const block = BlockReader.open(bytes);
    const { tables, generation } = block.header;
    const differs = tables.map((table) => this.#differs(table));
    const mayTell = bytes.includes(prefixBytes);
    if (!mayTell && !differs.includes(true)) return undefined;
    while (block.nextTransaction()) {
      const { commitLsn, xid } = block.transaction;
      while (block.nextChange()) {
        const at = { generation, commitLsn, ordinal: block.ordinal };
        if (block.table >= 0) {
          if (differs[block.table]) return { at, table: tables[block.table], message: undefined, xid };
        } else if (mayTell && block.op === Op.message && (!handled || comparePositions(at, handled) > 0)) {
          const [prefix, content] = readRow(block.bytes, block.afterStart);
          const message = prefix === SCHEMA_PREFIX ? parseSchemaMessage(content ?? '') : undefined;
          if (message) return { at, table: undefined, message, xid };
        }
      }
    }
    return undefined;
  }

  /** Whether a table is announced in another shape, or by another name, than it was last applied in. */
  #differs(table: BlockTable): boolean {
    if (SYSTEM.test(table.schema)) return false;
    const entry = this.#entryOf(table);
    if (entry !== undefined && entry.columns !== 'same') return false;
    const held = this.#held.get(table.relationId);
    if (!held) return true;
    if (formatTableName(held.target) !== formatTableName(table)) return true;
    const exclude = new Set(entry?.exclude);
    const columns = held.source.columns.filter(({ name, generated }) => !generated && !exclude.has(name));
    return (
      columns.length !== table.columns.length ||
      columns.some((column, index) => {
        const { name, typeOid, typmod, key } = table.columns[index]!;
        return column.name !== name || column.type_oid !== typeOid || column.typmod !== typmod || column.key !== key;
      })
    );
  }

  /** A table in a shape that nothing in the stream has told of. */
  async #seen(table: BlockTable): Promise<SchemaNews> {
    const { relationId, schema, name } = table;
    const held = this.#held.get(relationId);
    const entry = this.#entryOf(table);
    const occupant = this.#held
      .values()
      .find(
        (other) => other.source.relation_id !== relationId && formatTableName(other.target) === formatTableName(table),
      );
    const ids = [relationId, ...(occupant ? [occupant.source.relation_id] : [])];
    const states = await this.#catalog.tableStates(ids);
    const stateOf = (id: number): SourceTable | undefined => states.find((state) => state.relation_id === id);
    const now = stateOf(relationId);
    const exclude = entry?.exclude ?? [];
    const names = await this.#typeNames(table, [...(held?.source.columns ?? []), ...(now?.columns ?? [])]);
    const seen = { header: table, held: held?.source, now, exclude, typeName: (column: BlockColumn) => names(column) };
    const source = reconcile(seen);
    const called = entry ? (held?.source ?? parseTableName(entry.source)) : table;
    const news: NewsTable = {
      source: { ...source, schema: called.schema, name: called.name },
      target: { schema, name },
      exclude,
      rewritten: 'perhaps',
      attached: 'perhaps',
      guessed: guessed(seen),
    };
    const gone = occupant && stateOf(occupant.source.relation_id) === undefined;
    return { tables: [news], dropped: gone ? [occupant.source.relation_id] : [] };
  }

  async #typeNames(
    { columns }: BlockTable,
    known: readonly SourceTable['columns'][number][],
  ): Promise<(column: BlockColumn) => string> {
    const key = (oid: number, typmod: number): string => `${oid}/${typmod}`;
    const names = new Map(known.map((column) => [key(column.type_oid, column.typmod), column.type]));
    const unknown = columns.filter(({ typeOid, typmod }) => !names.has(key(typeOid, typmod)));
    if (unknown.length > 0) {
      const found = await this.#catalog.typeNames(unknown.map(({ typeOid, typmod }) => ({ oid: typeOid, typmod })));
      for (const [index, { typeOid, typmod, typeName }] of unknown.entries()) {
        names.set(key(typeOid, typmod), found[index] ?? typeName);
      }
    }
    return ({ typeOid, typmod }) => names.get(key(typeOid, typmod))!;
  }

  /** What a message means for the pair; undefined when nothing. @throws PAIR_TABLE_GONE */
  async #told(message: SchemaMessage, place: Place): Promise<SchemaNews | undefined> {
    const tables: NewsTable[] = [];
    const past = this.#held.past(place.at, place.xid);
    for (const table of message.tables) {
      if (past.has(table.relation_id)) continue;
      const news = await this.#newsOf(table, rewrittenBy(message, table), message);
      if (news) tables.push(news);
    }
    const dropped = message.dropped.filter((relationId) => !past.has(relationId) && this.#follows(relationId));
    const told = new Set(tables.map(({ source }) => source.relation_id));
    for (const { source, target } of this.#held.values()) {
      const left = source.partitions.filter((part) => !message.dropped.includes(part.relation_id));
      if (left.length === source.partitions.length || told.has(source.relation_id)) continue;
      if (past.has(source.relation_id)) continue;
      const exclude = this.#entryOf(target)?.exclude ?? [];
      tables.push({
        source: { ...source, partitions: left },
        target,
        exclude,
        rewritten: 'no',
        attached: 'perhaps',
        guessed: [],
      });
    }
    return tables.length === 0 && dropped.length === 0 ? undefined : { tables, dropped };
  }

  async #newsOf(
    table: SourceTable,
    rewritten: NewsTable['rewritten'],
    { command, partitions_empty: empty }: SchemaMessage,
  ): Promise<NewsTable | undefined> {
    const held = this.#held.get(table.relation_id);
    const name = formatTableName(table);
    const entry = this.#definition.tables?.find(({ source }) => canonical(source) === name);
    const followsNames = this.#definition.tables === undefined;
    if (held && !followsNames) this.#stillNamed(held, table, entry);
    if (!held) {
      if (isFollowable(table) || entry !== undefined) await this.#tellNew(table);
      return undefined;
    }
    if (entry && entry.columns !== 'same') return undefined;
    const same = JSON.stringify(held.source) === JSON.stringify(table);
    if (same && (rewritten === 'no' || rewritten === 'perhaps')) return undefined;
    const target = followsNames ? { schema: table.schema, name: table.name } : held.target;
    // A partition that is made with its table is empty, one that is attached may hold rows.
    const attached = empty || command === 'CREATE TABLE' ? 'empty' : 'perhaps';
    return { source: table, target, exclude: entry?.exclude ?? [], rewritten, attached, guessed: [] };
  }

  /** A pair that names its tables does not follow one to another name: somebody has to say what is meant. */
  #stillNamed({ source, target }: HeldTable, table: SourceTable, entry: TableInput | undefined): void {
    if (formatTableName(source) === formatTableName(table)) return;
    if (entry && canonical(entry.target ?? entry.source) === formatTableName(target)) return;
    const known = this.#definition.tables!.some((other) => canonical(other.source) === formatTableName(source));
    if (known) throw tableGone(source, `is called ${formatTableName(table)} now`);
  }

  /** Whether the pair still has the table that was dropped. @throws PAIR_TABLE_GONE for a table that is mapped: what is at the target is not the source's */
  #follows(relationId: number): boolean {
    const held = this.#held.get(relationId);
    if (!held) return false;
    if (this.#definition.tables === undefined) return true;
    const entry = this.#definition.tables.find(({ source }) => canonical(source) === formatTableName(held.source));
    if (entry && entry.columns !== 'same') throw tableGone(held.source, 'was dropped');
    return entry !== undefined;
  }

  /** The pair's entry for a table of a block that has been through its chain: named as at the target. */
  #entryOf(table: TableName): TableInput | undefined {
    const name = formatTableName(table);
    return this.#definition.tables?.find(({ source, target }) => canonical(target ?? source) === name);
  }
}

function rewrittenBy(message: SchemaMessage, { relation_id }: SourceTable): NewsTable['rewritten'] {
  if (message.command === '') return 'perhaps';
  if (!message.rewritten.includes(relation_id)) return 'no';
  return message.by_expression ? 'all' : 'cast';
}

function tableGone(table: TableName, how: string): TerraFusionError {
  const name = formatTableName(table);
  return new TerraFusionError('PAIR_TABLE_GONE', `Table ${name}, which the pair names, ${how} at the source`, {
    details: { table: name },
  });
}

const canonical = (name: string): string => formatTableName(parseTableName(name));

/** Where the block's second transaction begins. */
function nextTransaction(bytes: Buffer): Position | undefined {
  const block = BlockReader.open(bytes);
  if (!block.nextTransaction()) return undefined;
  while (block.nextChange());
  if (!block.nextTransaction()) return undefined;
  return { generation: block.header.generation, commitLsn: block.transaction.commitLsn, ordinal: -1 };
}
