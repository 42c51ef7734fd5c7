import {
  Before,
  BlockReader,
  BlockWriter,
  isBinary,
  OP_NAMES,
  readRow,
  textual,
  type BlockTable,
} from '#schemas/block/index.ts';
import type { DeadLetter } from '#schemas/dead-letters.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { PairDefinition } from '#schemas/pairs.ts';
import { formatPosition } from '#schemas/position.ts';
import { formatTableName, parseTableName, type TableName } from '#schemas/tables.ts';
import { isNonEmpty, problemsError, type Problem } from './problems.ts';
import { TableRewriter, type Verdict } from './rewriter.ts';
import { type Route, routeProblems, Router } from './route.ts';
import { planTable, sameColumn, type TablePlan } from './table-plan.ts';

/** Changes of a block by what became of them; messages are not counted. `in` = `out` + `filtered` + `rejected`. */
export interface Counts {
  readonly in: number;
  readonly out: number;
  /** Of tables that the pair does not have, or outside its `where`. */
  readonly filtered: number;
  /** Dead letters. */
  readonly rejected: number;
  /** Rows that broke a rule whose policy is "warn", by rule; they are also in `out`. */
  readonly warned: Readonly<Record<string, number>>;
}

export interface ProcessedBlock {
  /** The very buffer that was given when nothing had to be changed. */
  readonly bytes: Buffer;
  /** To be stored before the position that the block reaches is. */
  readonly deadLetters: readonly DeadLetter[];
  /** Counted when first asked for, where nothing had to be looked into. */
  readonly counts: Counts;
}

/** A table of the pair as it was when last brought in line with the target. */
export interface KnownTable {
  readonly relationId: number;
  readonly source: TableName;
  readonly target: TableName;
}

export interface PairOptions {
  /** Its tables, where they have been brought in line with the target before. */
  readonly known?: readonly KnownTable[];
  /** Whether rows may stay in binary; otherwise they are given as text. */
  readonly takesBinary?: boolean;
}

/** A pair's chain. A pure function of the block: the same block gives the same result, however often. */
export interface Processor {
  /**
   * @param inputOffset offset of the block in its topic: goes into the header of a block that is written anew
   * @throws {TerraFusionError} PAIR_ROW_INVALID when a row fails and its policy is "halt"; PAIR_INVALID, PAIR_EXPRESSION_INVALID,
   * SOURCE_COLUMN_MISSING when the pair does not fit a table of the block; BLOCK_CORRUPT, BLOCK_VERSION_UNKNOWN
   */
  process(bytes: Buffer, inputOffset: bigint): ProcessedBlock;
}

/**
 * Compiles a pair. What depends on the tables' columns is compiled when a block first brings them, and again when they change.
 * @throws {TerraFusionError} PAIR_INVALID for tables that cannot be in one pair
 */
export function compilePair(definition: PairDefinition, options: PairOptions = {}): Processor {
  const problems = routeProblems(definition);
  if (isNonEmpty(problems)) throw problemsError(problems);
  return new PairProcessor(definition, options);
}

/** A table in one shape, with what the pair makes of it: undefined when the pair does not have it. */
interface Chain {
  readonly shape: BlockTable;
  readonly plan: TablePlan | undefined;
  readonly rewriter: TableRewriter | undefined;
}

interface Tally {
  in: number;
  out: number;
  filtered: number;
  rejected: number;
  warned: Record<string, number>;
}

/** Shapes of one table that are remembered; one whose columns change all the time is compiled more often. */
const SHAPES_KEPT = 4;

class PairProcessor implements Processor {
  readonly #definition: PairDefinition;
  readonly #router: Router;
  readonly #known: ReadonlyMap<number, KnownTable>;
  readonly #takesBinary: boolean;
  readonly #writer = new BlockWriter();
  /** By the table's oid, newest shape first. */
  readonly #chains = new Map<number, Chain[]>();
  #tally: Tally = newTally();

  constructor(definition: PairDefinition, { known = [], takesBinary = false }: PairOptions) {
    this.#definition = definition;
    this.#takesBinary = takesBinary;
    this.#router = new Router(definition);
    this.#known = new Map(known.map((table) => [table.relationId, table]));
  }

  process(bytes: Buffer, inputOffset: bigint): ProcessedBlock {
    const block = BlockReader.open(bytes);
    const { tables } = block.header;
    if (!this.#takesBinary && tables.some(isBinary)) return this.process(textual(block.bytes), inputOffset);
    const chains = tables.map((table) => this.#chainOf(table));
    if (isUntouched(block, chains)) return untouched(block.bytes);
    if (chains.some(({ plan }) => plan?.takesForm === false)) return this.process(textual(block.bytes), inputOffset);
    block.rewind();
    try {
      return this.#rewrite(block, chains, inputOffset);
    } finally {
      this.#writer.reset();
    }
  }

  #rewrite(block: BlockReader, chains: readonly Chain[], inputOffset: bigint): ProcessedBlock {
    const writer = this.#writer;
    const tally = (this.#tally = newTally());
    const deadLetters: DeadLetter[] = [];
    const indexes = new Int32Array(chains.length).fill(-1);
    let chain: Chain | undefined;
    // Only tables that still have changes are described in the new header.
    const table = () => {
      const index = indexes[block.table]!;
      return index >= 0 ? index : (indexes[block.table] = writer.addTable(chain!.plan!.target));
    };
    while (block.nextTransaction()) {
      writer.beginTransaction(block.transaction);
      while (block.nextChange()) {
        if (block.table < 0) {
          writer.beginChange(-1, block.op, block.ordinal);
          writer.raw(block.bytes, block.imagesStart, block.changeEnd);
          continue;
        }
        tally.in++;
        chain = chains[block.table]!;
        if (!chain.plan) tally.filtered++;
        else if (chain.rewriter) {
          const verdict = chain.rewriter.rewrite(block, writer, table);
          if (verdict.fate === 'rejected') {
            deadLetters.push(this.#reject(block, chain.plan, verdict));
            tally.rejected++;
          } else tally[verdict.fate]++;
        } else {
          writer.beginChange(table(), block.op, block.ordinal);
          writer.raw(block.bytes, block.imagesStart, block.changeEnd);
          tally.out++;
        }
      }
      // The end is written even when every change is gone: the position must move.
      writer.endTransaction(block.complete, block.end.ordinal);
    }
    const { source, generation, after } = block.header;
    return { bytes: writer.finish(source, generation, after, inputOffset), deadLetters, counts: tally };
  }

  /**
   * A row that cannot be written, by the policy of the rule that refused it or else the pair's. Only rules can be warned of: a value
   * that cannot be computed has nothing that could be written in its place, so there "warn" quarantines.
   * What the target holds stays as it is: a quarantined update leaves the older row there.
   */
  #reject(block: BlockReader, plan: TablePlan, { rule, reason = '' }: Verdict): DeadLetter {
    const { generation } = block.header;
    const { source, target } = plan;
    // A snapshot (generation 0) has no commit positions, and numbers each table's rows from 0: the table's oid keeps them apart.
    const commitLsn = generation === 0 ? BigInt(source.relationId) : block.transaction.commitLsn;
    const position = formatPosition({ generation, commitLsn, ordinal: block.ordinal });
    if ((rule?.policy ?? plan.onInvalid) === 'halt') {
      throw new TerraFusionError(
        'PAIR_ROW_INVALID',
        `A row of ${formatTableName(source)} at position ${position} cannot be written to ${formatTableName(target)}: ${reason}`,
        { details: { table: formatTableName(source), rule: rule?.name, position } },
      );
    }
    const { bytes, beforeStart, afterStart } = block;
    const keyOnly = block.beforeKind === Before.key;
    const before = beforeStart < 0 ? undefined : named(source, readRow(bytes, beforeStart, source.columns), keyOnly);
    return {
      position,
      stage: 'process',
      source_table: { schema: source.schema, name: source.name },
      target_table: { schema: target.schema, name: target.name },
      op: OP_NAMES[block.op] as DeadLetter['op'],
      rule: rule?.name,
      code: 'PAIR_ROW_INVALID',
      reason,
      row: afterStart < 0 ? (before ?? {}) : named(source, readRow(bytes, afterStart, source.columns)),
      before,
    };
  }

  #chainOf(table: BlockTable): Chain {
    const known = this.#chains.get(table.relationId) ?? [];
    const at = known.findIndex(({ shape }) => sameShape(shape, table));
    if (at === 0) return known[0]!;
    const chain = at > 0 ? known[at]! : this.#compile(table);
    this.#chains.set(table.relationId, [chain, ...known.filter((other) => other !== chain)].slice(0, SHAPES_KEPT));
    return chain;
  }

  /** By its oid a table is known under whatever name: one that the pair names would else be left out in silence. (Promise 2) */
  #assertStillNamed(shape: BlockTable, route: Route | undefined): void {
    const known = this.#known.get(shape.relationId);
    if (!this.#definition.tables || !known || formatTableName(known.source) === formatTableName(shape)) return;
    const entry = route && formatTableName(parseTableName(route.input.target ?? route.input.source));
    if (entry === formatTableName(known.target) || !this.#router.routeOf(known.source)) return;
    const name = formatTableName(known.source);
    throw new TerraFusionError(
      'PAIR_TABLE_GONE',
      `Table ${name}, which the pair names, is called ${formatTableName(shape)} at the source now`,
      { details: { table: name } },
    );
  }

  #compile(shape: BlockTable): Chain {
    const route = this.#router.routeOf(shape);
    this.#assertStillNamed(shape, route);
    if (!route) return { shape, plan: undefined, rewriter: undefined };
    const problems: Problem[] = [];
    const plan = planTable(route.input, shape, this.#definition.config, route.path, problems);
    if (isNonEmpty(problems)) throw problemsError(problems);
    const warn = (rule: string) => {
      const { warned } = this.#tally;
      warned[rule] = (warned[rule] ?? 0) + 1;
    };
    return { shape, plan, rewriter: plan?.work === 'rows' ? new TableRewriter(plan, warn) : undefined };
  }
}

/** Whether every change of the block is of a table that goes over as it is. */
function isUntouched(block: BlockReader, chains: readonly Chain[]): boolean {
  if (chains.every(({ plan }) => plan?.work === 'identity')) return true;
  while (block.nextTransaction()) {
    while (block.nextChange()) {
      if (block.table >= 0 && chains[block.table]!.plan?.work !== 'identity') return false;
    }
  }
  return true;
}

function untouched(bytes: Buffer): ProcessedBlock {
  let counts: Counts | undefined;
  return {
    bytes,
    deadLetters: [],
    get counts() {
      return (counts ??= countAll(bytes));
    },
  };
}

function countAll(bytes: Buffer): Counts {
  const block = BlockReader.open(bytes);
  let changes = 0;
  while (block.nextTransaction()) while (block.nextChange()) if (block.table >= 0) changes++;
  return { ...newTally(), in: changes, out: changes };
}

function newTally(): Tally {
  return { in: 0, out: 0, filtered: 0, rejected: 0, warned: Object.create(null) as Record<string, number> };
}

/** Cells by column name, without those that the source did not send: of a key-only row everything but the key. */
function named(
  table: BlockTable,
  cells: readonly (string | null | undefined)[],
  keyOnly = false,
): Record<string, string | null> {
  const row: [string, string | null][] = [];
  for (const [index, { name, key }] of table.columns.entries()) {
    const cell = cells[index];
    if (cell !== undefined && (key || !keyOnly)) row.push([name, cell]);
  }
  return Object.fromEntries(row);
}

function sameShape(a: BlockTable, b: BlockTable): boolean {
  return (
    a.schema === b.schema &&
    a.name === b.name &&
    a.identity === b.identity &&
    a.tolerant === b.tolerant &&
    a.columns.length === b.columns.length &&
    a.columns.every((column, index) => sameColumn(column, b.columns[index]!))
  );
}
