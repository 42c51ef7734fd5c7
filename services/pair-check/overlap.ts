import type { PairDefinition } from '#schemas/pairs.ts';
import { formatTableName, type TableName } from '#schemas/tables.ts';
import { at, named, type Entry } from './entries.ts';
import { wrong } from './fits.ts';
import type { Report } from './report.ts';

/** Our own schema at every system we write to. (CHECKLIST 36) */
const OWN_SCHEMA = '_terrafusion';

/** A pair beside this one. */
export interface OtherPair {
  readonly name: string;
  /** Equal for equal places. */
  readonly source: string;
  readonly target: string;
  readonly tables: PairDefinition['tables'];
}

export interface Surroundings {
  /** Where this pair's ends are. */
  readonly source: string;
  readonly target: string;
  readonly others: readonly OtherPair[];
}

/** Whether the pair writes where it reads, by itself or by way of other pairs, or where another pair writes. (CHECKLIST 36) */
export function checkOverlap(entries: readonly Entry[], around: Surroundings, report: Report): void {
  for (const entry of entries) {
    ownSchema(entry, report);
    if (around.source === around.target && same(entry.source, entry.target)) {
      const name = formatTableName(entry.source);
      const message = `${name} would be copied onto itself: source and target are the same place`;
      report.check(entry, at(entry, 'target'), wrong(`loop:${name}`, 'PAIR_INVALID', message));
      continue;
    }
    loop(entry, around, report);
    shared(entry, around, report);
  }
}

function ownSchema(entry: Entry, report: Report): void {
  for (const end of ['source', 'target'] as const) {
    if (entry[end].schema !== OWN_SCHEMA) continue;
    const name = formatTableName(entry[end]);
    report.check(
      entry,
      at(entry, end),
      wrong(
        `own:${name}`,
        'PAIR_INVALID',
        `${name} is in ${OWN_SCHEMA}, where this product keeps its own positions: it is never replicated`,
        'Leave the table out of the pair.',
      ),
    );
  }
}

/** A table at a place. */
interface Node {
  readonly place: string;
  readonly table: TableName;
}

function loop(entry: Entry, { source, target, others }: Surroundings, report: Report): void {
  const home: Node = { place: source, table: entry.source };
  const seen = new Set<string>();
  const open: { node: Node; by: string[] }[] = [{ node: { place: target, table: entry.target }, by: [] }];
  for (let step = open.shift(); step; step = open.shift()) {
    const { node, by } = step;
    if (node.place === home.place && same(node.table, home.table)) {
      const name = formatTableName(entry.target);
      report.check(
        entry,
        at(entry, 'target'),
        wrong(
          `loop:${name}`,
          'PAIR_INVALID',
          `What is written to ${name} comes back to ${formatTableName(entry.source)} by way of ${by.map((pair) => `pair ${pair}`).join(' and ')}: a change would go round for ever`,
          'Take the table out of one of the pairs.',
        ),
      );
      return;
    }
    const key = `${node.place} ${formatTableName(node.table)}`;
    if (seen.has(key)) continue;
    seen.add(key);
    for (const other of others) {
      const next = other.source === node.place ? carriedTo(other, node.table) : undefined;
      if (next) open.push({ node: { place: other.target, table: next }, by: [...by, other.name] });
    }
  }
}

/** Where a pair brings a table; undefined when it does not have it. */
function carriedTo({ tables }: OtherPair, table: TableName): TableName | undefined {
  if (tables === undefined) return table.schema === OWN_SCHEMA ? undefined : table;
  return named({ tables }).find(({ source }) => same(source, table))?.target;
}

function shared(entry: Entry, { source, target, others }: Surroundings, report: Report): void {
  const name = formatTableName(entry.target);
  for (const other of others) {
    if (other.target !== target) continue;
    const theirs =
      other.tables === undefined
        ? [{ source: entry.target, target: entry.target }]
        : named({ tables: other.tables }).filter((each) => same(each.target, entry.target));
    for (const their of theirs) {
      // The same rows twice are a mistake; rows of two sources side by side may be what somebody wants. Every table of a pair without a
      // list is only a guess: the source may not have one of that name.
      const twice = other.source === source && same(their.source, entry.source);
      if (other.tables === undefined && !twice) continue;
      const check = wrong(
        `shared:${name}`,
        'PAIR_INVALID',
        `The target table ${name} is written by pair ${other.name} already, from ${formatTableName(their.source)}`,
        'Write to a table of its own. Where two sources are meant to meet in one table, their keys must never be the same, and a TRUNCATE or resync of one takes the rows of both.',
      );
      report.check(entry, at(entry, 'target'), { ...check, required: twice });
    }
  }
}

const same = (a: TableName, b: TableName): boolean => a.schema === b.schema && a.name === b.name;
