import type { ConstraintModel, SchemaModel, TableModel } from '#connectors/contract/schema.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import type { Attempts } from './attempt.ts';
import { sameConstraint, sameIndex } from './compare.ts';
import * as ddl from './ddl.ts';
import type { Present } from './make-tables.ts';
import { objectName } from './names.ts';
import type { TargetState } from './target-state.ts';

/** In which order constraints are made: foreign keys need the keys they point to. */
const ORDER: readonly ConstraintModel['kind'][] = ['primary', 'unique', 'exclusion', 'check', 'notNull', 'foreign'];

/** What is better made once the rows are there. Each object in a transaction of its own; repeated after a kill it goes on where it was. */
export class Completion {
  readonly #model: SchemaModel;
  readonly #state: TargetState;
  readonly #attempts: Attempts;
  readonly #present: Present;

  constructor(model: SchemaModel, state: TargetState, attempts: Attempts, present: Present) {
    this.#model = model;
    this.#state = state;
    this.#attempts = attempts;
    this.#present = present;
  }

  async make(): Promise<void> {
    const tables = this.#model.tables.filter(({ name }) => this.#isOurs(name));
    for (const table of tables) for (const index of table.indexes) await this.#index(table, index);
    for (const kind of ORDER)
      for (const table of tables)
        for (const constraint of table.constraints)
          if (constraint.kind === kind) await this.#constraint(table, constraint);
    for (const table of tables) await this.#replicaIdentity(table);
    await this.#comments(tables);
  }

  #isOurs(name: TableName): boolean {
    return this.#present.get(formatTableName(name))?.ours === true;
  }

  #there(name: TableName): TableModel | undefined {
    return this.#state.tables.get(formatTableName(name));
  }

  async #index(table: TableModel, index: TableModel['indexes'][number]): Promise<void> {
    const object = objectName.index(table.name, index.name);
    const statements = [ddl.createIndex(table.name, index)];
    const there = this.#there(table.name)?.indexes.find(({ name }) => name === index.name);
    if (there === undefined) {
      // The one by which the stream finds rows is made with its table.
      if (table.replicaIdentity.kind === 'index' && table.replicaIdentity.index === index.name && this.#attempts.plan)
        return;
      await this.#add(object, statements, [table.name]);
    } else this.#recognise(object, statements, sameIndex(table, there, index), ddl.createIndex(table.name, there));
  }

  async #constraint(table: TableModel, constraint: ConstraintModel): Promise<void> {
    const object = objectName.constraint(table.name, constraint);
    const statements = [ddl.addConstraint(table.name, constraint)];
    const there = this.#there(table.name)?.constraints.find(({ name }) => name === constraint.name);
    if (there !== undefined && constraint.kind === 'primary' && sameConstraint(there, constraint)) {
      // Came with its table.
      return;
    } else if (there !== undefined) {
      this.#recognise(object, statements, sameConstraint(there, constraint), ddl.constraintDefinition(there));
    } else if (constraint.kind === 'primary') {
      // Made with its table, or told there why not.
      return;
    } else if (constraint.kind === 'foreign' && !this.#isOurs(constraint.references)) {
      const parent = formatTableName(constraint.references);
      const known = this.#present.has(parent);
      this.#attempts.skip(
        object,
        known
          ? `It points to ${parent}, which was at the target before us and gets nothing added.`
          : `It points to ${parent}, which the pair does not keep.`,
        known
          ? `If it is wanted, at the target: ${statements.join()}.`
          : `Make ${parent} part of the pair and resync, or do without.`,
      );
    } else {
      await this.#add(
        object,
        statements,
        constraint.kind === 'foreign' ? [table.name, constraint.references] : [table.name],
      );
    }
  }

  #recognise(object: string, statements: readonly string[], same: boolean, there: string): void {
    if (this.#state.made.statements.get(object) === statements.join(';\n')) this.#attempts.made(object);
    else if (same) this.#attempts.found(object);
    else
      this.#attempts.skip(
        object,
        `The target has something else of this name, which is left as it is: ${there}.`,
        `Drop or rename it at the target, then: ${statements.join()}.`,
      );
  }

  /** A plan locks nothing that is in use: there it is only told. */
  async #add(object: string, statements: readonly string[], touched: readonly TableName[]): Promise<void> {
    if (this.#attempts.plan && !touched.every((name) => this.#present.get(formatTableName(name))?.new === true)) {
      this.#attempts.made(object);
      return;
    }
    await this.#attempts.inTransaction(() => this.#attempts.make(object, statements));
  }

  async #replicaIdentity(table: TableModel): Promise<void> {
    const { replicaIdentity: wanted } = table;
    const has = this.#there(table.name)?.replicaIdentity ?? { kind: 'default' };
    if (this.#attempts.plan || wanted.kind === 'default' || JSON.stringify(has) === JSON.stringify(wanted)) return;
    const statement = ddl.setReplicaIdentity(table.name, wanted);
    const refusal = await this.#attempts.inTransaction(() => this.#attempts.tryAll([statement]));
    if (refusal)
      this.#attempts.skip(
        `replica identity of ${formatTableName(table.name)}`,
        `The target refuses it: ${refusal.message}`,
        `It matters only where the target is replicated further: ${statement}.`,
      );
  }

  /** All in one transaction: they are many and cost nothing. */
  async #comments(tables: readonly TableModel[]): Promise<void> {
    if (this.#attempts.plan) return;
    const wanted: [on: string, text: string | undefined, there: string | undefined][] = [];
    for (const type of this.#model.types)
      if (this.#state.made.statements.has(objectName.type(type)))
        wanted.push([
          ddl.commentable.type(type),
          type.comment,
          this.#state.types.get(formatTableName(type.name))?.comment,
        ]);
    for (const sequence of this.#model.sequences) {
      const owner = sequence.ownedBy?.table;
      if (
        sequence.identity
          ? owner && this.#isOurs(owner)
          : this.#state.made.statements.has(objectName.sequence(sequence.name))
      )
        wanted.push([
          ddl.commentable.sequence(sequence.name),
          sequence.comment,
          this.#state.sequences.get(formatTableName(sequence.name))?.comment,
        ]);
    }
    for (const table of tables) wanted.push(...this.#commentsOf(table));
    const missing = wanted.filter(([, text, there]) => text !== undefined && text !== there);
    if (missing.length === 0) return;
    await this.#attempts.inTransaction(async () => {
      for (const [on, text] of missing) {
        const refusal = await this.#attempts.tryAll([ddl.comment(on, text!)]);
        if (refusal)
          this.#attempts.skip(
            objectName.comment(on),
            `The target refuses it: ${refusal.message}`,
            'Nothing needs to be done: nothing rests on it.',
          );
      }
    });
  }

  #commentsOf(table: TableModel): [string, string | undefined, string | undefined][] {
    const there = this.#there(table.name);
    const of = (
      objects: readonly { readonly name: string; readonly comment: string | undefined }[] | undefined,
      name: string,
    ) => objects?.find((each) => each.name === name);
    const told: [string, string | undefined, string | undefined][] = [
      [ddl.commentable.table(table.name), table.comment, there?.comment],
    ];
    for (const { name, comment } of table.columns)
      // A column that could not be made has been told of.
      if (of(there?.columns, name))
        told.push([ddl.commentable.column(table.name, name), comment, of(there?.columns, name)?.comment]);
    for (const constraint of table.constraints)
      if (
        this.#attempts.isMade(objectName.constraint(table.name, constraint)) ||
        of(there?.constraints, constraint.name)
      )
        told.push([
          ddl.commentable.constraint(table.name, constraint.name),
          constraint.comment,
          of(there?.constraints, constraint.name)?.comment,
        ]);
    for (const index of table.indexes)
      if (this.#attempts.isMade(objectName.index(table.name, index.name)))
        told.push([
          ddl.commentable.index(table.name, index.name),
          index.comment,
          of(there?.indexes, index.name)?.comment,
        ]);
    return told;
  }
}
