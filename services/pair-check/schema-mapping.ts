import type {
  ColumnModel,
  ConstraintModel,
  IndexModel,
  SchemaModel,
  SequenceModel,
  SkippedObject,
  TableModel,
} from '#connectors/contract/schema.ts';
import type { TableShape } from '#connectors/contract/source.ts';
import type { PairConfig, TableInput } from '#schemas/pairs.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';

/** A table of the pair at both ends. */
export interface PlannedTable {
  /** undefined: as it is, under the same name. */
  readonly input: TableInput | undefined;
  readonly shape: TableShape;
  readonly target: TableName;
}

/**
 * The source's schema under the target's names. A table whose columns go over as they are keeps all it has. Of one whose columns are mapped,
 * what is in parts is carried over to the new names (keys, plain indexes, foreign keys); what is a text about the source's columns is not,
 * unless its columns keep their names. Each that is left out is told.
 */
export function targetSchema(
  model: SchemaModel,
  planned: readonly PlannedTable[],
  config: Pick<PairConfig, 'on_invalid'>,
): SchemaModel {
  return new Mapping(model, planned, config).result();
}

interface Mapped {
  readonly planned: PlannedTable;
  readonly target: TableName;
  /** Target column by source column, for values that go over as they are. */
  readonly columns: ReadonlyMap<string, string>;
  readonly whole: boolean;
  /** Rows may be missing at the target: they are filtered, or become dead letters. */
  readonly partial: boolean;
}

class Mapping {
  readonly #model: SchemaModel;
  readonly #byName: ReadonlyMap<string, Mapped>;
  /** Sequences that move with their table to another schema, by the source's name. */
  readonly #sequences: ReadonlyMap<string, TableName>;
  readonly #notCarried: SkippedObject[];

  constructor(model: SchemaModel, planned: readonly PlannedTable[], { on_invalid }: Pick<PairConfig, 'on_invalid'>) {
    this.#model = model;
    this.#byName = new Map(planned.map((each) => [formatTableName(each.shape.table), mapped(each, on_invalid)]));
    this.#sequences = new Map(
      model.sequences.map(({ name, ownedBy }) => [formatTableName(name), this.#moved(name, ownedBy?.table)]),
    );
    this.#notCarried = [...model.notCarried];
  }

  result(): SchemaModel {
    const tables: TableModel[] = [];
    const roots = new Map<string, Mapped>();
    for (const table of this.#model.tables) {
      const own = this.#byName.get(formatTableName(table.name));
      const root = own ?? (table.partitionOf && roots.get(formatTableName(table.partitionOf.table)));
      if (root === undefined) continue;
      roots.set(formatTableName(table.name), root);
      if (root.whole) tables.push(this.#whole(table, root));
      // Partitions of a table whose columns are mapped have their rows in one plain table.
      else if (own) tables.push(this.#columnwise(table, own));
    }
    const kept = new Set(tables.flatMap(({ columns }) => columns.flatMap(({ value }) => sequenceOf(value))));
    return {
      ...this.#model,
      tables,
      sequences: this.#model.sequences.flatMap((sequence) => this.#sequence(sequence, kept)),
      notCarried: this.#notCarried,
    };
  }

  /** A name in the schema of a table moves with the table to another schema. */
  #moved(name: TableName, table: TableName | undefined): TableName {
    const target = table && this.#byName.get(formatTableName(table))?.target;
    return target && name.schema === table.schema ? { schema: target.schema, name: name.name } : name;
  }

  #sequence(sequence: SequenceModel, kept: ReadonlySet<string>): SequenceModel[] {
    const name = this.#sequences.get(formatTableName(sequence.name))!;
    const owner = sequence.ownedBy && this.#byName.get(formatTableName(sequence.ownedBy.table));
    if (owner === undefined) return [{ ...sequence, name, ownedBy: undefined }];
    const column = owner.whole ? sequence.ownedBy!.column : owner.columns.get(sequence.ownedBy!.column);
    // Its column does not go over.
    if (column === undefined && !kept.has(formatTableName(name))) return [];
    return [{ ...sequence, name, ownedBy: column === undefined ? undefined : { table: owner.target, column } }];
  }

  #whole(table: TableModel, root: Mapped): TableModel {
    const name = this.#byName.get(formatTableName(table.name))?.target ?? this.#partitionName(table.name, root);
    const parent = table.partitionOf?.table;
    return {
      ...table,
      name,
      partitionOf: table.partitionOf && {
        ...table.partitionOf,
        table: this.#byName.get(formatTableName(parent!))?.target ?? this.#partitionName(parent!, root),
      },
      columns: table.columns.map((column) => ({ ...column, value: this.#value(column.value) })),
      constraints: table.constraints.flatMap((constraint) => this.#constraint(constraint, table)),
    };
  }

  /** Partitions in their root's schema go with it. */
  #partitionName(name: TableName, { planned, target }: Mapped): TableName {
    return name.schema === planned.shape.table.schema ? { schema: target.schema, name: name.name } : name;
  }

  #value(value: ColumnModel['value']): ColumnModel['value'] {
    if (value.kind !== 'sequence' && value.kind !== 'identity') return value;
    return { ...value, sequence: this.#sequences.get(formatTableName(value.sequence)) ?? value.sequence };
  }

  #columnwise(table: TableModel, { planned, target, columns }: Mapped): TableModel {
    const source = formatTableName(table.name);
    const wanted = targetColumns(planned.input!, planned.shape);
    const origins = new Map([...columns].map(([from, to]) => [to, table.columns.find(({ name }) => name === from)]));
    const constraints = table.constraints.filter(({ kind }) => kind !== 'primary');
    const key: ConstraintModel[] =
      wanted.primaryKey.length === 0 ? [] : [plainKey('primary', `${target.name}_pkey`, wanted.primaryKey)];
    if (table.partitionKey !== undefined)
      this.#leave(`partitioning of ${source}`, "Its columns are mapped, and it is partitioned by the source's.");
    for (const { name, value } of table.columns)
      if (value.kind === 'generated')
        this.#leave(
          `generated column ${source}.${name}`,
          'It is computed from columns of the source, and these are mapped.',
        );
    const carried = constraints.flatMap((constraint) => this.#constraint(constraint, table));
    const indexes = table.indexes.flatMap((index) => this.#index(index, columns, source));
    const { replicaIdentity: identity } = table;
    const found = identity.kind === 'index' && indexes.some(({ name }) => name === identity.index);
    return {
      name: target,
      unlogged: table.unlogged,
      columns: wanted.columns.map(({ name, type, notNull }) => {
        const origin = origins.get(name);
        const value = origin === undefined || origin.value.kind === 'generated' ? NOTHING : this.#value(origin.value);
        return {
          name,
          type,
          collation: origin?.collation,
          notNull,
          notNullName: undefined,
          value,
          comment: origin?.comment,
        };
      }),
      partitionKey: undefined,
      partitionOf: undefined,
      options: [],
      replicaIdentity: found ? identity : { kind: identity.kind === 'full' ? 'full' : 'default' },
      constraints: [...key, ...carried],
      indexes,
      comment: table.comment,
    };
  }

  #constraint(constraint: ConstraintModel, table: TableModel): ConstraintModel[] {
    const object = `${constraint.kind === 'foreign' ? 'foreign key' : constraint.kind} ${constraint.name} of ${formatTableName(table.name)}`;
    const own = this.#byName.get(formatTableName(table.name));
    const to = (names: readonly string[]): string[] | undefined =>
      own === undefined || own.whole ? [...names] : all(names, own.columns);
    const columns = to(constraint.columns);
    if (constraint.kind === 'foreign') {
      const parent = this.#byName.get(formatTableName(constraint.references));
      const references = formatTableName(constraint.references);
      const referenced =
        parent &&
        (parent.whole ? [...constraint.referencedColumns] : all(constraint.referencedColumns, parent.columns));
      const set = to(constraint.onDeleteColumns);
      if (parent === undefined)
        return this.#leave(
          object,
          `It points to ${references}, which the pair does not keep.`,
          `Make ${references} part of the pair and resync, or do without.`,
        );
      if (parent.partial)
        return this.#leave(object, `It points to ${references}, of which not all rows are at the target.`);
      if (!columns || !referenced || !set) return this.#leave(object, 'Not all of its columns go over as they are.');
      return [
        { ...constraint, columns, references: parent.target, referencedColumns: referenced, onDeleteColumns: set },
      ];
    }
    if (own === undefined || own.whole) return [constraint];
    const { kind, name } = constraint;
    if (!columns) return this.#leave(object, 'Not all of its columns go over as they are.');
    if ((kind === 'unique' || kind === 'primary') && constraint.plain)
      return [{ ...plainKey(kind, name, columns), comment: constraint.comment }];
    const same = columns.length > 0 && constraint.columns.every((column, index) => columns[index] === column);
    if (same && kind !== 'exclusion' && kind !== 'unique') return [constraint];
    return this.#leave(object, 'It is a text about columns of the source, and these are mapped.');
  }

  #index(index: IndexModel, columns: ReadonlyMap<string, string>, table: string): IndexModel[] {
    const names = all(index.columns, columns);
    const object = `index ${index.name} of ${table}`;
    if (!index.plain || names === undefined || names.length === 0) {
      this.#leave(
        object,
        names === undefined
          ? 'Not all of its columns go over as they are.'
          : 'It is a text about columns of the source, and these are mapped.',
      );
      return [];
    }
    return [{ ...index, columns: names, definition: `USING btree (${names.map(quote).join(', ')})` }];
  }

  #leave(object: string, reason: string, fix = 'Create it at the target by hand if it is needed there.'): [] {
    this.#notCarried.push({ object, reason, fix });
    return [];
  }
}

const NOTHING: ColumnModel['value'] = { kind: 'none' };

function plainKey(kind: 'primary' | 'unique', name: string, columns: readonly string[]): ConstraintModel {
  const definition = `${kind === 'primary' ? 'PRIMARY KEY' : 'UNIQUE'} (${columns.map(quote).join(', ')})`;
  return { kind, name, comment: undefined, columns, definition, plain: true };
}

/** A name within a definition, which is SQL as a catalog would print it. */
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function sequenceOf(value: ColumnModel['value']): string[] {
  return value.kind === 'sequence' || value.kind === 'identity' ? [formatTableName(value.sequence)] : [];
}

function all(names: readonly string[], columns: ReadonlyMap<string, string>): string[] | undefined {
  const found = names.map((name) => columns.get(name));
  return found.every((name) => name !== undefined) ? found : undefined;
}

function mapped(planned: PlannedTable, onInvalid: PairConfig['on_invalid']): Mapped {
  const { input, target, shape } = planned;
  const whole = input === undefined || (input.columns === 'same' && input.exclude.length === 0);
  return {
    planned,
    target,
    whole,
    columns: copied(
      input,
      shape.table.columns.map(({ name }) => name),
    ),
    partial: input !== undefined && isPartial(input, onInvalid),
  };
}

/** Columns whose values go over untouched, under whatever name. */
function copied(input: TableInput | undefined, names: readonly string[]): Map<string, string> {
  if (input === undefined || input.columns === 'same')
    return new Map(names.filter((name) => input?.exclude.includes(name) !== true).map((name) => [name, name]));
  const columns = new Map<string, string>();
  for (const [to, column] of Object.entries(input.columns))
    if ('from' in column && column.transforms.length === 0 && column.type === undefined && !columns.has(column.from))
      columns.set(column.from, to);
  return columns;
}

/** A row that is filtered, or that a rule, an expression or a transform may refuse, can be missing at the target. */
function isPartial({ where, rules, columns }: TableInput, onInvalid: PairConfig['on_invalid']): boolean {
  if (where !== undefined) return true;
  if (rules.some(({ on_failure }) => (on_failure ?? onInvalid) === 'quarantine')) return true;
  if (columns === 'same' || onInvalid !== 'quarantine') return false;
  return Object.values(columns).some((column) => 'compute' in column || column.transforms.length > 0);
}
