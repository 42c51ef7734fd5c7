import { describe, expect, test } from 'vitest';
import type { ApartTables, HeldTable } from '#connectors/contract/target.ts';
import { Before, BlockReader, BlockWriter, Op, type BlockTable } from '#schemas/block/index.ts';
import { pairConfig, tableInput, type PairDefinition } from '#schemas/pairs.ts';
import { ORIGIN, type Position } from '#schemas/position.ts';
import { SCHEMA_PREFIX, sourceTable, type SchemaMessage, type SourceTable } from '#schemas/source-tables.ts';
import type { IsLoaded } from '#services/writer/held-tables.ts';
import { SchemaGate, type Piece } from '#services/writer/schema-gate.ts';

const id = { attnum: 1, name: 'id', type: 'integer', type_oid: 23, typmod: -1, not_null: true, key: true };
const more = { default: null, missing: null, has_missing: false, identity: false, generated: false };

const table = (relation_id: number, name: string, change: Partial<SourceTable> = {}): SourceTable =>
  sourceTable.parse({
    relation_id,
    schema: 'public',
    name,
    kind: 'r',
    identity: 'd',
    permanent: true,
    partition: false,
    primary_key: [1],
    columns: [{ ...id, ...more }],
    enums: [],
    partitions: [],
    ...change,
  });
const held = (source: SourceTable): HeldTable => ({
  source,
  target: { schema: 'public', name: source.name },
  unread: [],
});
const headerOf = ({ relation_id, name }: SourceTable): BlockTable => ({
  relationId: relation_id,
  schema: 'public',
  name,
  identity: 'default',
  tolerant: false,
  columns: [
    { name: 'id', typeOid: 23, typeSchema: 'pg_catalog', typeName: 'int4', typmod: -1, key: true, format: 'text' },
  ],
});

/** A transaction at this LSN: rows of tables, and messages, in order. */
function block(lsn: bigint, ...changes: readonly (SourceTable | Partial<SchemaMessage>)[]): Buffer {
  const writer = new BlockWriter();
  writer.beginTransaction({ xid: 7, commitLsn: lsn, commitTime: 0, origin: undefined });
  for (const [ordinal, change] of changes.entries()) {
    const cells =
      'relation_id' in change
        ? ['1']
        : [
            SCHEMA_PREFIX,
            JSON.stringify({
              version: 1,
              command: 'ALTER TABLE',
              tables: [],
              dropped: [],
              rewritten: [],
              by_expression: false,
              ...change,
            }),
          ];
    if ('relation_id' in change) writer.beginChange(writer.addTable(headerOf(change)), Op.insert, ordinal);
    else writer.beginChange(-1, Op.message, ordinal);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(cells.length);
    for (const cell of cells) writer.textCellOf(cell);
    writer.endRow();
  }
  writer.endTransaction(true, changes.length - 1);
  return writer.finish('source', 1, ORIGIN);
}

const everyTable: PairDefinition = { version: 1, tables: undefined, config: pairConfig.parse({}) };

interface Seen {
  readonly pieces: readonly Piece[];
  /** "new among: held, …" */
  readonly told: readonly string[];
  readonly rows: readonly string[];
}

async function through(
  bytes: Buffer,
  tables: readonly HeldTable[],
  {
    apart = [],
    now = [],
    definition = everyTable,
    isLoaded,
  }: {
    apart?: readonly ApartTables[];
    now?: readonly SourceTable[];
    definition?: PairDefinition;
    isLoaded?: IsLoaded;
  } = {},
): Promise<Seen> {
  const told: string[] = [];
  const catalog = {
    tableStates: (ids: readonly number[]) =>
      Promise.resolve(now.filter(({ relation_id }) => ids.includes(relation_id))),
    typeNames: () => Promise.resolve([]),
  };
  const gate = new SchemaGate(
    definition,
    { held: tables, apart },
    catalog,
    ({ name }, among) => {
      told.push(`${name} among: ${among.map((each) => each.name).join(', ')}`);
      return Promise.resolve();
    },
    isLoaded,
  );
  const pieces: Piece[] = [];
  const rows: string[] = [];
  for await (const piece of gate.cut(bytes)) {
    pieces.push(piece);
    if ('news' in piece) {
      gate.note(
        piece.news.tables.map(({ source, target }) => ({ source, target, unread: [] })),
        piece.news.dropped,
      );
      continue;
    }
    const reader = BlockReader.open(piece.bytes);
    while (reader.nextTransaction())
      while (reader.nextChange()) if (reader.table >= 0) rows.push(reader.header.tables[reader.table]!.name);
  }
  return { pieces, told, rows };
}

const news = ({ pieces }: Seen) => pieces.flatMap((piece) => ('news' in piece ? [piece.news] : []));
const at = (commitLsn: bigint): Position => ({ generation: 1, commitLsn, ordinal: 0 });
const entry = (name: string, until?: Position): ApartTables => ({
  sync: 1,
  tables: [{ source: { schema: 'public', name }, target: { schema: 'public', name } }],
  from: { position: ORIGIN, topic: 't', nextOffset: 0n },
  ...(until && { until }),
});

const a = table(1, 'a');
const b = table(2, 'b');

describe('a table that the target does not hold', () => {
  test('is told of before its first row is left out, once, with what there is', async () => {
    const seen = await through(block(5n, a, b, a, b), [held(a)], { now: [a, b] });
    expect(seen.told).toEqual(['b among: a']);
    expect(seen.rows).toEqual(['a', 'a']);
    expect(news(seen)).toEqual([]);
  });

  test('is told of by a message, partitions and unlogged tables are not; what goes apart is among what there is', async () => {
    const tables = [b, table(3, 'part', { partition: true }), table(4, 'scratch', { permanent: false })];
    const seen = await through(block(5n, { tables }), [held(a)], { apart: [entry('c')] });
    expect(seen.told).toEqual(['b among: a, c']);
  });

  test('of a pair that names its tables is told of by a message alone: its chain lets no row pass', async () => {
    const definition = { ...everyTable, tables: [tableInput.parse({ source: 'public.a' })] };
    expect((await through(block(5n, { tables: [b] }), [held(a)], { definition })).told).toEqual(['b among: a']);
  });
});

describe('a message about a table that goes apart', () => {
  const altered = table(1, 'a', { identity: 'f' });

  test('is the matter of its sync as long as it does, and up to where it has joined', async () => {
    const message = block(5n, { tables: [altered] });
    expect(news(await through(message, [held(a)]))).toMatchObject([{ tables: [{ source: { identity: 'f' } }] }]);
    expect(news(await through(message, [held(a)], { apart: [entry('a')] }))).toEqual([]);
    expect(news(await through(message, [held(a)], { apart: [entry('a', at(5n))] }))).toEqual([]);
    expect(news(await through(message, [held(a)], { apart: [entry('a', at(4n))] }))).toHaveLength(1);
    expect(news(await through(block(5n, { dropped: [1] }), [held(a)], { apart: [entry('a')] }))).toEqual([]);
    expect(news(await through(block(5n, { dropped: [1] }), [held(a)]))).toMatchObject([{ dropped: [1] }]);
  });
});

test('what a message says of a table that was loaded later is past, up to the moment of its load', async () => {
  const isLoaded: IsLoaded = ({ name }, { xid, commitLsn }) => name === 'a' && xid === 7 && commitLsn < 10n;
  const message = { tables: [table(1, 'a', { identity: 'f' }), table(2, 'b', { identity: 'f' })], dropped: [1] };
  const seen = (lsn: bigint) => through(block(lsn, message), [held(a), held(b)], { isLoaded });
  expect(news(await seen(5n))).toMatchObject([{ tables: [{ source: { name: 'b' } }], dropped: [] }]);
  expect(news(await seen(10n))).toMatchObject([{ tables: [{}, {}], dropped: [1] }]);
});

describe('a message that only says how things are', () => {
  const partition = { relation_id: 9, rows: 'year = 1', name: 'p', parent: 'a', bound: 'DEFAULT' };

  test('leaves open what commands have done, and may know that a partition came empty', async () => {
    const parted = table(1, 'a', { partitions: [partition] });
    const said = async (change: Partial<SchemaMessage>) =>
      news(await through(block(5n, { tables: [parted], ...change }), [held(a)]))[0]!.tables[0];
    expect(await said({ command: '' })).toMatchObject({ rewritten: 'perhaps', attached: 'perhaps' });
    expect(await said({ command: '', partitions_empty: true })).toMatchObject({
      rewritten: 'perhaps',
      attached: 'empty',
    });
    expect(await said({ command: 'CREATE TABLE' })).toMatchObject({ rewritten: 'no', attached: 'empty' });
  });

  test('and nothing new is no news', async () => {
    expect(news(await through(block(5n, { command: '', tables: [a] }), [held(a)]))).toEqual([]);
  });
});

describe('a table that the stream announces in another shape', () => {
  /** A row of the table, in a block whose header describes its one column otherwise. */
  function described(change: Partial<BlockTable['columns'][number]>): Buffer {
    const header = headerOf(a);
    const writer = new BlockWriter();
    writer.beginTransaction({ xid: 7, commitLsn: 5n, commitTime: 0, origin: undefined });
    writer.beginChange(writer.addTable({ ...header, columns: [{ ...header.columns[0]!, ...change }] }), Op.insert, 0);
    writer.before(Before.absent);
    writer.after(true);
    writer.beginRow(1);
    writer.textCellOf('1');
    writer.endRow();
    writer.endTransaction(true, 0);
    return writer.finish('source', 1, ORIGIN);
  }

  test.each<[string, Partial<BlockTable['columns'][number]>]>([
    ['another name', { name: 'number' }],
    ['another type', { typeOid: 20, typeName: 'int8' }],
    ['another width of its type', { typmod: 14 }],
    ['another key', { key: false }],
  ])('%s of a column: is brought in line before its first row (CHECKLIST 19)', async (_, change) => {
    const seen = await through(described(change), [held(a)], { now: [a] });
    expect(seen.pieces.map((piece) => ('news' in piece ? 'news' : 'rows'))).toEqual(['news', 'rows']);
  });

  test('that is the one it has goes on as it is', async () => {
    expect(news(await through(described({}), [held(a)], { now: [a] }))).toEqual([]);
  });
});
