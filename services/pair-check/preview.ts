import type { TableShape } from '#connectors/contract/source.ts';
import { BlockReader, BlockWriter, readRow } from '#schemas/block/index.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { HIDDEN, MOST_SHOWN, type PairPreviewReply } from '#schemas/http/pair-preview.ts';
import type { PairConfig, PairDefinition, RuleInput, TableInput } from '#schemas/pairs.ts';
import { columnChains } from '#services/stream-processor/column-chains.ts';
import { compilePair, type Processor } from '#services/stream-processor/compile.ts';
import { targetColumns } from '#services/stream-processor/target-columns.ts';

type Row = PairPreviewReply['rows'][number];
type Cells = readonly (string | null)[];

export interface TableToPreview {
  /** One that fits the shape: `checkPair` has found nothing. */
  readonly input: TableInput;
  readonly shape: TableShape;
  readonly config: PairConfig;
  /** Inserts, as the source's `sampleRows` gives them. */
  readonly blocks: readonly Buffer[];
  /** Rows that are wanted; the others are only counted. */
  readonly limit: number;
}

/**
 * What the pair's own chain makes of rows, one by one. Nothing halts: that the pair would stop at a row is told with it.
 * Values of columns that the pair masks or hashes wherever they go are shown to nobody. (Promise 8)
 */
export function previewTable(
  table: TableToPreview,
): Pick<PairPreviewReply, 'source_columns' | 'target_columns' | 'rows' | 'counts' | 'rules'> {
  const { input, shape, config, blocks, limit } = table;
  const policies = new Map(input.rules.map((rule) => [rule, rule.on_failure ?? config.on_invalid]));
  const chain = compiled(input, config, (rule) => (policies.get(rule) === 'warn' ? 'warn' : 'quarantine'));
  const eachRule = input.rules.length === 0 ? undefined : compiled(input, config, () => 'warn');
  const hidden = hiddenColumns(input, shape);
  const counts = { read: 0, written: 0, filtered: 0, rejected: 0 };
  const failed = new Map<string, number>();
  // Rows that are not simply written are what one looks for: up to half of what is shown is kept for them.
  const shownRows = new Map<number, Row>();
  const special: number[] = [];
  for (const { block, cells } of rowsOf(shape, blocks)) {
    counts.read++;
    const outcome = judge(chain, block);
    counts[outcome.fate]++;
    for (const rule of eachRule === undefined ? [] : warnings(eachRule, block))
      failed.set(rule, (failed.get(rule) ?? 0) + 1);
    const isSpecial = outcome.fate !== 'written' || outcome.warnings.length > 0;
    if (isSpecial && special.length < Math.ceil(limit / 2)) special.push(counts.read);
    else if (counts.read > limit) continue;
    const policy = input.rules.find(({ name }) => name === outcome.rule);
    shownRows.set(counts.read, {
      ...outcome,
      before: cells.map((cell, index) => (cell !== null && hidden.has(index) ? HIDDEN : shown(cell))),
      after: outcome.after?.map(shown) ?? null,
      reason: outcome.reason === null ? null : withoutHidden(outcome.reason, cells, hidden),
      consequence:
        outcome.fate !== 'rejected'
          ? null
          : (policy === undefined ? config.on_invalid : policies.get(policy)) === 'halt'
            ? 'halt'
            : 'quarantine',
    });
  }
  const planned = targetColumns(input, shape);
  return {
    ...columnsOf(shape, hidden),
    target_columns: planned.columns.map(({ name, type }) => ({ name, type, key: planned.primaryKey.includes(name) })),
    rows: choose(shownRows, special, limit),
    counts,
    rules: input.rules.map((rule) => ({
      name: rule.name,
      on_failure: policies.get(rule)!,
      failed: failed.get(rule.name) ?? 0,
    })),
  };
}

/** The special ones and the first others, in the order of the sample. */
function choose(rows: ReadonlyMap<number, Row>, special: readonly number[], limit: number): Row[] {
  const others = [...rows.keys()].filter((number) => !special.includes(number)).slice(0, limit - special.length);
  return [...special, ...others].sort((a, b) => a - b).map((number) => rows.get(number)!);
}

/** The rows as they are, for a table that is not written right yet. */
export function showRows(
  shape: TableShape,
  blocks: readonly Buffer[],
  limit: number,
): Pick<PairPreviewReply, 'source_columns' | 'target_columns' | 'rows' | 'counts' | 'rules'> {
  const all = [...rowsOf(shape, blocks)];
  return {
    ...columnsOf(shape, new Set()),
    target_columns: [],
    rows: all.slice(0, limit).map(({ cells }) => ({
      before: cells.map(shown),
      after: null,
      fate: 'written',
      rule: null,
      reason: null,
      consequence: null,
      warnings: [],
    })),
    counts: { read: all.length, written: 0, filtered: 0, rejected: 0 },
    rules: [],
  };
}

function columnsOf(
  { table, typeNames }: TableShape,
  hidden: ReadonlySet<number>,
): Pick<PairPreviewReply, 'source_columns'> {
  return {
    source_columns: table.columns.map(({ name, key }, index) => ({
      name,
      type: typeNames.get(name)!,
      key,
      hidden: hidden.has(index),
    })),
  };
}

function compiled(
  input: TableInput,
  config: PairConfig,
  policy: (rule: RuleInput) => 'warn' | 'quarantine',
): Processor {
  const rules = input.rules.map((rule) => ({ ...rule, on_failure: policy(rule) }));
  const definition: PairDefinition = {
    version: 1,
    tables: [{ ...input, rules }],
    config: { ...config, on_invalid: 'quarantine' },
  };
  return compilePair(definition);
}

/** Each row in a block of its own, so that what becomes of it can be told. */
function* rowsOf({ table }: TableShape, blocks: readonly Buffer[]): Generator<{ block: Buffer; cells: Cells }> {
  const writer = new BlockWriter();
  for (const bytes of blocks) {
    const block = BlockReader.open(bytes);
    while (block.nextTransaction()) {
      while (block.nextChange()) {
        const cells = readRow(block.bytes, block.afterStart).map(whole);
        const index = writer.addTable(table);
        writer.beginTransaction(block.transaction);
        writer.beginChange(index, block.op, block.ordinal);
        writer.raw(block.bytes, block.imagesStart, block.changeEnd);
        writer.endTransaction(true, block.ordinal);
        yield { block: writer.finish('', block.header.generation, block.header.after), cells };
      }
    }
  }
}

function whole(cell: string | null | undefined): string | null {
  if (cell === undefined) throw new TerraFusionError('INTERNAL', 'a row that was whole came with a gap');
  return cell;
}

function judge(chain: Processor, bytes: Buffer): Pick<Row, 'after' | 'fate' | 'rule' | 'reason' | 'warnings'> {
  const { bytes: out, deadLetters, counts } = chain.process(bytes, -1n);
  const [letter] = deadLetters;
  if (letter) {
    return { after: null, fate: 'rejected', rule: letter.rule ?? null, reason: letter.reason, warnings: [] };
  }
  const block = BlockReader.open(out);
  while (block.nextTransaction()) {
    while (block.nextChange()) {
      const after = readRow(block.bytes, block.afterStart).map(whole);
      return { after, fate: 'written', rule: null, reason: null, warnings: Object.keys(counts.warned) };
    }
  }
  return { after: null, fate: 'filtered', rule: null, reason: null, warnings: [] };
}

const warnings = (chain: Processor, bytes: Buffer): string[] => Object.keys(chain.process(bytes, -1n).counts.warned);

/** Source columns that are masked or hashed and go nowhere else. */
function hiddenColumns(input: TableInput, shape: TableShape): ReadonlySet<number> {
  const uses = columnChains(input, shape);
  const hiding = new Set(uses.filter(({ hides }) => hides).flatMap(({ sources }) => sources));
  const open = new Set(uses.filter(({ hides }) => !hides).flatMap(({ sources }) => sources));
  return new Set(
    shape.table.columns.flatMap(({ name }, index) => (hiding.has(name) && !open.has(name) ? [index] : [])),
  );
}

function withoutHidden(reason: string, cells: Cells, hidden: ReadonlySet<number>): string {
  return [...hidden].reduce((text, index) => {
    const value = cells[index];
    return value === null || value === undefined || value === '' ? text : text.replaceAll(value, HIDDEN);
  }, reason);
}

function shown(cell: string | null): string | null {
  return cell !== null && cell.length > MOST_SHOWN ? `${cell.slice(0, MOST_SHOWN)}…` : cell;
}
