import type pg from 'pg';
import type { ColumnModel, SchemaModel, TableModel } from '#connectors/contract/schema.ts';
import { formatTableName } from '#schemas/tables.ts';
import { translateError } from '../errors.ts';
import { quoteTable } from '../identifiers.ts';
import { requireTypes } from '../target/create-tables.ts';
import { type Attempts, fixOf, reasonOf } from './attempt.ts';
import { differences } from './compare.ts';
import * as ddl from './ddl.ts';
import { makeFoundations, makeSequences, ownSequences } from './foundations.ts';
import { objectName } from './names.ts';
import type { TargetState } from './target-state.ts';

/** Tables a transaction: each takes a few of the server's locks until it ends. */
const TABLES_A_TRANSACTION = 100;

/** A table that is no partition of another one, with all below it, parents first. */
interface Tree {
  readonly root: TableModel;
  readonly partitions: readonly TableModel[];
}

/** Which of the model's tables are there now, and whether we have made them. */
export type Present = ReadonlyMap<string, { readonly ours: boolean; readonly new: boolean }>;

/** All that the load and the stream need to be right. Repeated after a kill it goes on where it was. */
export class TableMaker {
  readonly #client: pg.ClientBase;
  readonly #model: SchemaModel;
  readonly #state: TargetState;
  readonly #attempts: Attempts;
  readonly #present = new Map<string, { ours: boolean; new: boolean }>();

  constructor(client: pg.ClientBase, model: SchemaModel, state: TargetState, attempts: Attempts) {
    this.#client = client;
    this.#model = model;
    this.#state = state;
    this.#attempts = attempts;
    for (const { name } of model.tables) {
      const key = formatTableName(name);
      if (state.tables.has(key) || state.otherRelations.has(key))
        this.#present.set(key, { ours: state.made.statements.has(objectName.table(name)), new: false });
    }
  }

  get present(): Present {
    return this.#present;
  }

  /** @throws {TerraFusionError} TARGET_TYPE_MISSING, with nothing made; what the server says to a table that cannot be made at all */
  async make(): Promise<void> {
    const trees = this.#trees();
    const missing = trees.filter(({ root }) => !this.#present.has(formatTableName(root.name)));
    const serving = this.#model.tables.some(({ name }) => this.#serves(name, true));
    const ours = this.#model.sequences.filter(({ ownedBy }) => this.#serves(ownedBy?.table, serving));
    await this.#attempts.inTransaction(async () => {
      if (serving) await makeFoundations(this.#model, this.#state, this.#attempts);
      await requireTypes(
        this.#client,
        missing.map(({ root: { name, columns } }) => ({ table: name, columns })),
      );
      await makeSequences(ours, this.#state, this.#attempts);
    });
    for (let first = 0; first < trees.length; first += TABLES_A_TRANSACTION)
      await this.#attempts.inTransaction(async () => {
        for (const tree of trees.slice(first, first + TABLES_A_TRANSACTION)) await this.#tree(tree);
      });
    await this.#attempts.inTransaction(() => ownSequences(ours, this.#state, this.#attempts));
  }

  #trees(): Tree[] {
    const byRoot = new Map<string, { root: TableModel; partitions: TableModel[] }>();
    for (const table of this.#model.tables) {
      const tree = table.partitionOf && byRoot.get(formatTableName(table.partitionOf.table));
      if (tree) tree.partitions.push(table);
      byRoot.set(formatTableName(table.name), tree ?? { root: table, partitions: [] });
    }
    return [...new Set(byRoot.values())];
  }

  /** A table that was there before us keeps what it rests on; what belongs to no table is made when one is ours. */
  #serves(table: TableModel['name'] | undefined, serving: boolean): boolean {
    if (table === undefined) return serving;
    const there = this.#present.get(formatTableName(table));
    return there === undefined || there.ours;
  }

  async #tree({ root, partitions }: Tree): Promise<void> {
    const key = formatTableName(root.name);
    const there = this.#state.tables.get(key);
    if (!this.#present.has(key)) return this.#create(root, partitions);
    if (there === undefined || !this.#present.get(key)!.ours) {
      this.#leave(root, there);
      return;
    }
    this.#attempts.made(objectName.table(root.name));
    await this.#complete(root, there);
    if (there.partitionKey === undefined) {
      if (root.partitionKey !== undefined) this.#notPartitioned(root, 'It was made as a plain table.', NO_PARTITIONS);
      return;
    }
    for (const partition of partitions) {
      const object = objectName.table(partition.name);
      if (this.#present.has(formatTableName(partition.name))) this.#attempts.made(object);
      else if (await this.#attempts.make(object, this.#partition(partition), quoteTable(partition.name)))
        this.#isMade(partition);
    }
  }

  /** As it is at the source, or else as much of it as the target takes. */
  async #create(root: TableModel, partitions: readonly TableModel[]): Promise<void> {
    const whole = await this.#tryTree(root, partitions);
    if (whole === undefined) {
      await this.#completeKey(root);
      return;
    }
    const bare: TableModel = {
      ...root,
      options: [],
      columns: root.columns.filter(({ value }) => value.kind !== 'generated').map(ddl.plainColumn),
    };
    const plain: TableModel = { ...bare, partitionKey: undefined };
    const variants: [TableModel, readonly TableModel[]][] = [[bare, partitions]];
    if (root.partitionKey !== undefined) variants.push([plain, []]);
    variants.push([{ ...plain, constraints: [] }, []]);
    let refusal = whole;
    for (const [table, parts] of variants) {
      const next = await this.#tryTree(table, parts);
      if (next !== undefined) {
        refusal = next;
        continue;
      }
      if (root.partitionKey !== undefined && table.partitionKey === undefined)
        this.#notPartitioned(root, reasonOf(refusal), fixOf(refusal));
      await this.#complete(root, table);
      return;
    }
    throw translateError(refusal, 'target', `Could not create table ${formatTableName(root.name)} at the target`);
  }

  async #tryTree(root: TableModel, partitions: readonly TableModel[]): Promise<ReturnType<Attempts['tryAll']>> {
    const key = root.constraints.find(({ kind }) => kind === 'primary');
    const made: [TableModel, string[]][] = [
      [root, [ddl.createTable(root, (column) => this.#setting(column), key)]],
      ...partitions.map((partition): [TableModel, string[]] => [partition, this.#partition(partition)]),
    ];
    const refusal = await this.#attempts.tryAll(made.flatMap(([, statements]) => statements));
    if (refusal) return refusal;
    for (const [table, statements] of made) {
      await this.#attempts.note(objectName.table(table.name), statements, quoteTable(table.name));
      this.#isMade(table);
    }
    this.#tellStored(root);
    return undefined;
  }

  #isMade({ name }: TableModel): void {
    this.#present.set(formatTableName(name), { ours: true, new: true });
  }

  /** A partition has its parent's columns; what it has otherwise is set. */
  #partition(partition: TableModel): string[] {
    const statements = [ddl.createPartition(partition, partition.partitionOf!)];
    const parent = this.#model.tables.find(
      ({ name }) => formatTableName(name) === formatTableName(partition.partitionOf!.table),
    );
    for (const column of partition.columns) {
      const inherited = parent?.columns.find(({ name }) => name === column.name);
      if (column.notNull && inherited?.notNull === false) statements.push(ddl.setNotNull(partition.name, column.name));
      const { value } = column;
      if ((value.kind === 'default' || value.kind === 'sequence') && !sameValue(value, inherited?.value))
        statements.push(ddl.setDefault(partition.name, column.name, value));
    }
    const key = partition.constraints.find(({ kind }) => kind === 'primary');
    if (key) statements.push(ddl.addConstraint(partition.name, key));
    return statements;
  }

  /** Adds what a table of ours lacks, one by one. */
  async #complete(wanted: TableModel, there: TableModel): Promise<void> {
    const { name: table } = wanted;
    const columns = new Map(there.columns.map((column) => [column.name, column]));
    for (const column of wanted.columns) {
      const has = columns.get(column.name);
      const { value } = column;
      if (has === undefined && value.kind === 'generated')
        await this.#attempts.make(objectName.column(table, column.name), [
          ddl.addColumn(table, column, this.#setting(column)),
        ]);
      if (has === undefined) continue;
      if (column.collation !== undefined && has.collation === undefined)
        await this.#attempts.make(objectName.collationOf(table, column.name), [ddl.setCollation(table, column)]);
      if ((value.kind === 'default' || value.kind === 'sequence') && has.value.kind === 'none')
        await this.#attempts.make(objectName.default(table, column.name), [ddl.setDefault(table, column.name, value)]);
    }
    const key = wanted.constraints.find(({ kind }) => kind === 'primary');
    const comes = this.#state.lateKeys.has(formatTableName(table));
    if (key && !comes && !there.constraints.some(({ kind }) => kind === 'primary'))
      await this.#attempts.make(objectName.constraint(table, key), [ddl.addConstraint(table, key)]);
    if (wanted.options.length > 0 && there.options.length === 0 && wanted.partitionKey === undefined)
      await this.#attempts.make(`storage parameters of ${formatTableName(table)}`, [ddl.setOptions(wanted)]);
    await this.#completeKey(wanted, there);
  }

  /** The stream finds rows by it: it must be there before the stream begins. */
  async #completeKey(wanted: TableModel, there?: TableModel): Promise<void> {
    const { replicaIdentity: identity, name } = wanted;
    if (identity.kind !== 'index' || there?.indexes.some((index) => index.name === identity.index)) return;
    const index = wanted.indexes.find((each) => each.name === identity.index);
    if (index) await this.#attempts.make(objectName.index(name, index.name), [ddl.createIndex(name, index)]);
  }

  #setting(column: ColumnModel): ddl.ColumnSetting {
    const { value } = column;
    const identity =
      value.kind === 'identity'
        ? this.#model.sequences.find(({ name }) => formatTableName(name) === formatTableName(value.sequence))
        : undefined;
    return { serverVersion: this.#state.serverVersion, identity };
  }

  #tellStored({ name, columns }: TableModel): void {
    if (this.#state.serverVersion >= ddl.VIRTUAL_SINCE) return;
    for (const column of columns)
      if (column.value.kind === 'generated' && !column.value.stored)
        this.#attempts.skip(
          `virtual column ${formatTableName(name)}.${column.name}`,
          'The target is older than 18 and stores what it generates: the column is there, stored.',
          'Nothing needs to be done.',
        );
  }

  #notPartitioned(root: TableModel, reason: string, fix: string): void {
    this.#attempts.skip(objectName.partitioning(root.name), `${reason} All rows are in one plain table.`, fix);
  }

  #leave(wanted: TableModel, there: TableModel | undefined): void {
    const object = objectName.table(wanted.name);
    const told = there === undefined ? ['no table'] : differences(there, wanted);
    if (told.length === 0) {
      this.#attempts.found(object);
      return;
    }
    this.#attempts.skip(
      object,
      `It was at the target before us and is left as it is. Other than at the source: ${told.join('; ')}.`,
      "Add by hand what is needed there. To have the table made like the source's, drop it and resync the pair.",
    );
  }
}

const NO_PARTITIONS = 'To have it partitioned, drop it at the target and resync the pair.';

function sameValue(one: ColumnModel['value'], other: ColumnModel['value'] | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
