import type { BlockColumn, BlockTable } from '#schemas/block/index.ts';
import type { SourceColumn, SourceTable } from '#schemas/source-tables.ts';

export interface ReconcileInput {
  /** What the stream announces, at its place. */
  readonly header: BlockTable;
  /** What was last applied, earlier in the stream. */
  readonly held: SourceTable | undefined;
  /** What the source's catalog says now, later than the stream; undefined when the table is gone by now. */
  readonly now: SourceTable | undefined;
  /** Columns that the header does not have because they do not go over. */
  readonly exclude: readonly string[];
  typeName(column: BlockColumn): string;
}

/** Columns of which neither earlier nor later is anything known get numbers that no column has, between those of their neighbours. */
const BETWEEN = 1 / 4096;
const IDENTITIES = { default: 'd', nothing: 'n', full: 'f', index: 'i' } as const;

/**
 * The table at the header's place in the stream. A header tells names and types in the order of the columns' numbers, and not the numbers:
 * they follow from what was before and what is afterwards, since a column keeps its number and its order. (CHECKLIST 19) What a header
 * cannot tell is taken from the later state only where it cannot be wrong for rows in between: that a column may be NULL, a new label.
 */
export function reconcile(input: ReconcileInput): SourceTable {
  const { header, held, now, exclude } = input;
  const numbers = align(input);
  const was = byNumber(held);
  const is = byNumber(now);
  const columns = header.columns.map((column, place): SourceColumn => {
    const attnum = numbers[place]!;
    const [old, later] = [was.get(attnum), is.get(attnum)];
    return {
      attnum,
      name: column.name,
      type: input.typeName(column),
      type_oid: column.typeOid,
      typmod: column.typmod,
      // A later NOT NULL says nothing of the rows in between.
      not_null: old !== undefined && old.not_null && later?.not_null !== false,
      default: (later ?? old)?.default ?? null,
      missing: later?.missing ?? null,
      has_missing: later?.has_missing ?? false,
      identity: (later ?? old)?.identity ?? false,
      generated: false,
      key: column.key,
    };
  });
  const apart = (now ?? held)?.columns.filter(({ name, generated }) => generated || exclude.includes(name)) ?? [];
  const all = [...columns, ...apart.filter(({ attnum }) => !numbers.includes(attnum))];
  return {
    relation_id: header.relationId,
    schema: header.schema,
    name: header.name,
    kind: (held ?? now)?.kind ?? 'r',
    identity: IDENTITIES[header.identity],
    permanent: true,
    partition: false,
    primary_key: primaryKey(columns, header, held, now),
    columns: all.toSorted((a, b) => a.attnum - b.attnum),
    enums: enumsOf(held, now),
    partitions: (held ?? now)?.partitions ?? [],
  };
}

/**
 * Columns whose number is a guess, by name: neither what was before nor what is afterwards has one of that name in its place, only one of
 * that type. It may have been renamed to it and again since, or be another that has come where the first has gone; what the older rows
 * hold in it depends on which.
 */
export function guessed(input: ReconcileInput): string[] {
  const [was, is] = [byNumber(input.held), byNumber(input.now)];
  const numbers = align(input);
  return input.header.columns
    .filter(({ name }, place) => {
      const [old, later] = [was.get(numbers[place]!), is.get(numbers[place]!)];
      return (old !== undefined || later !== undefined) && old?.name !== name && later?.name !== name;
    })
    .map(({ name }) => name);
}

const byNumber = (table: SourceTable | undefined): Map<number, SourceColumn> =>
  new Map(table?.columns.map((column) => [column.attnum, column]));

/** The best assignment of the header's columns to numbers, growing ones; like the longest common subsequence, by weights. */
function align({ header, held, now, exclude }: ReconcileInput): number[] {
  const [was, is] = [byNumber(held), byNumber(now)];
  const follows = (column: SourceColumn | undefined): boolean =>
    column !== undefined && !column.generated && !exclude.includes(column.name);
  const known = [...new Set([...was.keys(), ...is.keys()])]
    .filter((attnum) => follows(was.get(attnum)) || follows(is.get(attnum)))
    .sort((a, b) => a - b);
  const { columns } = header;
  const weight = (column: BlockColumn, attnum: number): number =>
    Math.max(likeness(column, is.get(attnum), 10, 2), likeness(column, was.get(attnum), 9, 1));
  // best[i][k]: of the columns from i on with the numbers from k on.
  const width = known.length + 1;
  const best = new Int32Array((columns.length + 1) * width);
  for (let i = columns.length - 1; i >= 0; i--) {
    for (let k = known.length - 1; k >= 0; k--) {
      const here = weight(columns[i]!, known[k]!);
      best[i * width + k] = Math.max(
        here === 0 ? 0 : here + best[(i + 1) * width + k + 1]!,
        best[(i + 1) * width + k]!,
        best[i * width + k + 1]!,
      );
    }
  }
  const numbers: number[] = [];
  for (let i = 0, k = 0; i < columns.length;) {
    const left = best[i * width + k]!;
    const here = k < known.length ? weight(columns[i]!, known[k]!) : 0;
    if (here > 0 && left === here + best[(i + 1) * width + k + 1]!) {
      numbers.push(known[k]!);
      i++;
      k++;
    } else if (k < known.length && left === best[i * width + k + 1]!) k++;
    else {
      let attnum = numbers.at(-1) ?? 0;
      do attnum += BETWEEN;
      while (was.has(attnum));
      numbers.push(attnum);
      i++;
    }
  }
  return numbers;
}

/** How likely a column of the stream is the one of the catalog: by its name and type, by its name, or, renamed, by its type. */
function likeness(column: BlockColumn, known: SourceColumn | undefined, most: number, least: number): number {
  if (known === undefined) return 0;
  const sameType = known.type_oid === column.typeOid && known.typmod === column.typmod;
  if (known.name === column.name) return sameType ? most : most - 2;
  return sameType ? least : 0;
}

function primaryKey(
  columns: readonly SourceColumn[],
  { identity }: BlockTable,
  held: SourceTable | undefined,
  now: SourceTable | undefined,
): number[] {
  const there = new Set(columns.map(({ attnum }) => attnum));
  if (identity !== 'default') return (held ?? now)?.primary_key.filter((attnum) => there.has(attnum)) ?? [];
  const keys = columns.filter(({ key }) => key).map(({ attnum }) => attnum);
  const same = (other: readonly number[] | undefined): other is number[] =>
    other?.length === keys.length && other.every((attnum) => keys.includes(attnum));
  // In which order the key's columns stand is not told.
  return same(held?.primary_key) ? held.primary_key : same(now?.primary_key) ? now.primary_key : keys;
}

/** New labels may come early; another name must not, since rows with the old one may be on their way. */
function enumsOf(held: SourceTable | undefined, now: SourceTable | undefined): SourceTable['enums'] {
  if (!held || !now) return (held ?? now)?.enums ?? [];
  return now.enums.map(({ type, labels }) => {
    const old = new Map(held.enums.find((each) => each.type === type)?.labels.map(({ oid, label }) => [oid, label]));
    return { type, labels: labels.map(({ oid, label }) => ({ oid, label: old.get(oid) ?? label })) };
  });
}
