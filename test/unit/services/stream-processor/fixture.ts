import { Op, type BlockColumn, type BlockTable, type ReplicaIdentity } from '#schemas/block/index.ts';
import { pairConfig, tableInput, type PairConfig, type PairDefinition, type TableInput } from '#schemas/pairs.ts';
import { LAST_ORDINAL } from '#schemas/position.ts';
import { compilePair, type ProcessedBlock } from '#services/stream-processor/compile.ts';
import { read, write, type ModelBlock, type ModelChange, type ModelRow } from '#test/unit/schemas/block-model.ts';
import type { z } from 'zod';

const types = {
  int2: 21,
  int4: 23,
  int8: 20,
  numeric: 1700,
  text: 25,
  varchar: 1043,
  bool: 16,
  float8: 701,
  bytea: 17,
  date: 1082,
  timestamptz: 1184,
  money: 790,
} as const;
export type TypeName = keyof typeof types;

/** Columns as "name type", those of the key with a star: "prop_id* int4". */
export function table(name: string, columns: readonly string[], identity: ReplicaIdentity = 'default'): BlockTable {
  const [schema = '', local = ''] = name.split('.');
  return {
    relationId: 16000 + Array.from(name).reduce((sum, letter) => sum + letter.codePointAt(0)!, 0),
    schema,
    name: local,
    identity,
    tolerant: false,
    columns: columns.map((text) => column(text, identity)),
  };
}

function column(text: string, identity: ReplicaIdentity): BlockColumn {
  const [, name, star, typeName] = /^(.*?)(\*?) (\w+)$/.exec(text)!;
  return {
    name: name!,
    typeOid: types[typeName as TypeName],
    typeSchema: 'pg_catalog',
    typeName: typeName!,
    typmod: -1,
    key: star === '*' || identity === 'full',
    format: 'text',
  };
}

export function definition(
  tables: readonly z.input<typeof tableInput>[] | undefined,
  config: z.input<typeof pairConfig> = {},
): PairDefinition {
  return { version: 1, tables: tables?.map((input) => tableInput.parse(input)), config: pairConfig.parse(config) };
}

export const parseTable = (input: z.input<typeof tableInput>): TableInput => tableInput.parse(input);
export const quarantine: Pick<PairConfig, 'on_invalid'> = { on_invalid: 'quarantine' };

export const insert = (after: ModelRow, at = 0): ModelChange => ({
  table: at,
  op: Op.insert,
  ordinal: 0,
  before: undefined,
  after,
});
export const update = (after: ModelRow, before?: ModelChange['before']): ModelChange => ({
  table: 0,
  op: Op.update,
  ordinal: 0,
  before,
  after,
});
export const remove = (before: ModelChange['before']): ModelChange => ({
  table: 0,
  op: Op.delete,
  ordinal: 0,
  before,
  after: undefined,
});
export const key = (...cells: ModelRow): ModelChange['before'] => ({ kind: 'key', cells });
export const full = (...cells: ModelRow): ModelChange['before'] => ({ kind: 'full', cells });

/** One whole transaction with the changes numbered from 0. */
export function block(tables: readonly BlockTable[], changes: readonly ModelChange[]): ModelBlock {
  return {
    source: 's1',
    generation: 2,
    after: { generation: 2, commitLsn: 0x10n, ordinal: LAST_ORDINAL },
    inputOffset: -1n,
    tables,
    transactions: [
      {
        xid: 700,
        commitLsn: 0x20n,
        commitTime: 1_700_000_000_000_000,
        origin: undefined,
        changes: changes.map((change, ordinal) => ({ ...change, ordinal })),
        complete: true,
        lastOrdinal: LAST_ORDINAL,
      },
    ],
  };
}

export interface Outcome extends ProcessedBlock {
  readonly model: ModelBlock;
  /** Changes as "insert a|b", in order: cells joined, NULL as ∅, unchanged as ~. */
  readonly lines: string[];
}

export function run(pair: PairDefinition, tables: readonly BlockTable[], changes: readonly ModelChange[]): Outcome {
  const result = compilePair(pair).process(write(block(tables, changes)), 7n);
  const model = read(result.bytes);
  return {
    bytes: result.bytes,
    deadLetters: result.deadLetters,
    counts: result.counts,
    model,
    lines: model.transactions.flatMap((transaction) => transaction.changes.map(line)),
  };
}

const opNames = ['insert', 'update', 'delete', 'truncate', 'schema', 'message'];

export function line({ op, before, after }: ModelChange): string {
  const row = (cells: ModelRow) =>
    cells.map((cell) => (cell === null ? '∅' : cell === undefined ? '~' : String(cell))).join('|');
  const old = before ? ` ${before.kind}(${row(before.cells)})` : '';
  return `${opNames[op]!}${old}${after ? ` ${row(after)}` : ''}`;
}
