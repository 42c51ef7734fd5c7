import { OnlyAsText } from '#connectors/postgres/source/relations.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SourceBlock } from '#connectors/contract/source.ts';
import { PgoutputDecoder } from '#connectors/postgres/source/pgoutput.ts';
import {
  BlockReader,
  type BlockTransaction,
  type CellFormat,
  OP_NAMES,
  readRow,
  ROW_IMAGE,
} from '#schemas/block/index.ts';
import { before, comparePositions, endOf, LAST_ORDINAL, type Position } from '#schemas/position.ts';
import * as pgoutput from './messages.ts';
import { UNCHANGED } from './messages.ts';

const protocolError = expect.objectContaining({ code: 'SOURCE_PROTOCOL' }) as Error;
const builtinTypes = new Map([
  [20, 'int8'],
  [25, 'text'],
]);

interface Change {
  readonly position: Position;
  readonly op: string;
  readonly table: string | undefined;
  readonly kind: string;
  readonly before: readonly (string | null | undefined)[] | undefined;
  readonly after: readonly (string | null | undefined)[] | undefined;
  readonly transaction: BlockTransaction;
}

class Run {
  readonly blocks: SourceBlock[] = [];
  readonly decoder: PgoutputDecoder;

  constructor({
    from = before(1, 0n),
    blockBytes = 256 * 1024,
    format = 'text',
  }: { from?: Position; blockBytes?: number; format?: CellFormat } = {}) {
    this.decoder = new PgoutputDecoder({
      format,
      sourceId: 'pacs',
      generation: 1,
      from,
      builtinTypes,
      blockBytes,
      onBlock: (block) => this.blocks.push(block),
    });
  }

  send(...messages: readonly Buffer[]): this {
    for (const message of messages) {
      // Somewhere in a larger chunk, which is used again afterwards.
      const chunk = Buffer.concat([Buffer.from('xx'), message, Buffer.from('yy')]);
      this.decoder.message(chunk, 2, 2 + message.length);
      chunk.fill(0);
    }
    return this;
  }

  /** All changes so far. */
  changes(): Change[] {
    this.decoder.flush();
    return this.blocks.flatMap(changesOf);
  }
}

function changesOf({ bytes }: SourceBlock): Change[] {
  const block = BlockReader.open(bytes);
  const changes: Change[] = [];
  const rowAt = (offset: number) => (offset < 0 ? undefined : readRow(block.bytes, offset));
  while (block.nextTransaction()) {
    const { transaction } = block;
    while (block.nextChange()) {
      changes.push({
        position: { generation: 1, commitLsn: transaction.commitLsn, ordinal: block.ordinal },
        op: OP_NAMES[block.op],
        table: block.header.tables[block.table]?.name,
        kind: ['absent', 'key', 'full'][block.beforeKind]!,
        before: rowAt(block.beforeStart),
        after: rowAt(block.afterStart),
        transaction,
      });
    }
  }
  return changes;
}

const people = pgoutput.relation(1, [
  { name: 'id', type: 20, key: true },
  { name: 'name', type: 25 },
]);

describe('changes become cells as they came (Promise 4)', () => {
  test('inserts, updates and deletes with every kind of old row', () => {
    const changes = new Run()
      .send(
        pgoutput.begin(0x100n),
        people,
        pgoutput.insert(1, ['1', 'Ann 😀']),
        pgoutput.insert(1, ['2', null]),
        pgoutput.insert(1, ['', '']),
        pgoutput.update(1, ['1', UNCHANGED]),
        pgoutput.update(1, ['3', 'x'], { kind: 'K', row: ['1', null] }),
        pgoutput.update(1, ['3', 'y'], { kind: 'O', row: ['3', 'x'] }),
        pgoutput.remove(1, { kind: 'K', row: ['3', null] }),
        pgoutput.remove(1, { kind: 'O', row: ['2', null] }),
        pgoutput.commit(0x100n),
      )
      .changes();
    expect(changes.map(({ op, kind, before, after }) => [op, kind, before, after])).toEqual([
      ['insert', 'absent', undefined, ['1', 'Ann 😀']],
      ['insert', 'absent', undefined, ['2', null]],
      ['insert', 'absent', undefined, ['', '']],
      ['update', 'absent', undefined, ['1', undefined]],
      ['update', 'key', ['1', null], ['3', 'x']],
      ['update', 'full', ['3', 'x'], ['3', 'y']],
      ['delete', 'key', ['3', null], undefined],
      ['delete', 'full', ['2', null], undefined],
    ]);
    expect(changes.map(({ position }) => position.ordinal)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('values in binary stay the bytes that they are, and texts are texts; the columns tell', () => {
    const seven = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]);
    const run = new Run({ format: 'binary' }).send(
      pgoutput.relation(1, [
        { name: 'id', type: 20, key: true },
        { name: 'name', type: 25 },
      ]),
      pgoutput.begin(0x100n),
      pgoutput.insert(1, [seven, Buffer.from('seven')]),
      pgoutput.update(1, [seven, UNCHANGED], { kind: 'K', row: [seven, null] }),
      pgoutput.update(1, [seven, null]),
      pgoutput.commit(0x100n),
    );
    run.decoder.flush();
    const [block] = run.blocks.map(({ bytes }) => BlockReader.open(bytes));
    const { columns } = block!.header.tables[0]!;
    expect(columns.map(({ format }) => format)).toEqual(['binary', 'text']);
    const rows: unknown[] = [];
    while (block!.nextTransaction())
      while (block!.nextChange()) rows.push(readRow(block!.bytes, block!.afterStart, columns));
    expect(rows).toEqual([
      ['7', 'seven'],
      ['7', undefined],
      ['7', null],
    ]);
  });

  /** Of a table of bytea. */
  function expectRow(block: BlockReader, row: pgoutput.Row): void {
    const { columns } = block.header.tables[0]!;
    const expected = row.map((one) => (one instanceof Uint8Array ? `\\x${Buffer.from(one).toString('hex')}` : one));
    for (const at of [block.beforeStart, block.afterStart].filter((start) => start >= 0)) {
      expect(readRow(block.bytes, at, columns)).toEqual(expected);
      expect(block.bytes[at + 1] === ROW_IMAGE).toBe(!row.includes(UNCHANGED));
    }
  }

  test('a row in binary with all of its values is in one piece, any other is not', () => {
    const value = fc.oneof(
      { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }) },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 8000, maxLength: 8400 }) },
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constant(UNCHANGED) },
    );
    const rows = fc
      .integer({ min: 1, max: 70 })
      .chain((width) =>
        fc.array(fc.array(value, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }),
      );
    fc.assert(
      fc.property(rows, (given) => {
        const run = new Run({ format: 'binary' }).send(
          pgoutput.relation(
            1,
            given[0]!.map((_, i) => ({ name: `c${i}`, type: 17, key: i === 0 })),
          ),
          pgoutput.begin(0x100n),
          ...given.map((row, i) =>
            i % 2 === 0 ? pgoutput.insert(1, row) : pgoutput.update(1, row, { kind: 'O', row }),
          ),
          pgoutput.commit(0x100n),
        );
        run.decoder.flush();
        const left = [...given];
        for (const block of run.blocks.map(({ bytes }) => BlockReader.open(bytes))) {
          while (block.nextTransaction()) while (block.nextChange()) expectRow(block, left.shift()!);
        }
        expect(left).toEqual([]);
      }),
      // A smaller one takes its minutes.
      { endOnFailure: true },
    );
  });

  test('a type of which only the text is known ends a stream of values in binary before any change of its table', () => {
    const float = pgoutput.relation(1, [{ name: 'f', type: 701 }]);
    expect(() => new Run({ format: 'binary' }).send(pgoutput.begin(0x100n), float)).toThrow(OnlyAsText);
    new Run().send(pgoutput.begin(0x100n), float);
  });

  test('a transaction keeps its number, time to the microsecond and origin', () => {
    const run = new Run().send(
      pgoutput.begin(0x100n, { xid: 0xffff_fffe, time: 1_700_000_000_123_457n }),
      pgoutput.origin('elsewhere'),
      people,
      pgoutput.insert(1, ['1', 'a']),
      pgoutput.commit(0x100n),
      pgoutput.begin(0x200n),
      pgoutput.insert(1, ['2', 'b']),
      pgoutput.commit(0x200n),
    );
    expect(run.changes().map(({ transaction }) => transaction)).toEqual([
      { xid: 0xffff_fffe, commitLsn: 0x100n, commitTime: 1_700_000_000_123_457, origin: 'elsewhere' },
      { xid: 7, commitLsn: 0x200n, commitTime: 1_700_000_000_000_001, origin: undefined },
    ]);
    expect(run.blocks).toMatchObject([
      { changes: 2, transactions: 2, lastCommitTime: 1_700_000_000_000_001, last: endOf(1, 0x200n) },
    ]);
    expect(run.decoder.receivedLsn).toBe(0x230n);
  });

  test('a truncate is one change a table with one ordinal, its options told', () => {
    const other = pgoutput.relation(2, []);
    const changes = new Run()
      .send(pgoutput.begin(0x100n), people, other)
      .send(
        pgoutput.insert(1, ['1', 'a']),
        pgoutput.truncate([1, 2]),
        pgoutput.truncate([2], 3),
        pgoutput.commit(0x100n),
      )
      .changes();
    expect(changes.map(({ op, table, position, after }) => [op, table, position.ordinal, after])).toEqual([
      ['insert', 't1', 0, ['1', 'a']],
      ['truncate', 't1', 1, [null, null]],
      ['truncate', 't2', 1, [null, null]],
      ['truncate', 't2', 2, ['cascade', 'restart identity']],
    ]);
  });

  test('logical messages travel in order; one outside of transactions has no position and is left out', () => {
    const changes = new Run()
      .send(pgoutput.message('loose', Buffer.from('x'), false), pgoutput.begin(0x100n), people)
      .send(pgoutput.insert(1, ['1', 'a']), pgoutput.message('my.fence', Buffer.from([0x31, 0x32])))
      .send(pgoutput.commit(0x100n))
      .changes();
    expect(changes.map(({ op, table, position, after }) => [op, table, position.ordinal, after])).toEqual([
      ['insert', 't1', 0, ['1', 'a']],
      ['message', undefined, 1, ['my.fence', '12']],
    ]);
  });

  test('types: built-in ones by the list, others as announced, unknown ones by their number', () => {
    const run = new Run().send(
      pgoutput.begin(0x100n),
      pgoutput.type(16_500, 'geo', 'parcel'),
      pgoutput.type(16_501, '', 'text'),
      pgoutput.relation(
        3,
        [
          { name: 'a', type: 20, key: true },
          { name: 'b', type: 16_500 },
          { name: 'domain', type: 16_501 },
          { name: 'new', type: 9999 },
        ],
        { schema: '', name: 'x', identity: 'i' },
      ),
      pgoutput.truncate([3]),
      pgoutput.commit(0x100n),
    );
    run.decoder.flush();
    const { tables } = BlockReader.open(run.blocks[0]!.bytes).header;
    expect(tables[0]).toMatchObject({ relationId: 3, schema: 'pg_catalog', name: 'x', identity: 'index' });
    expect(
      tables[0]!.columns.map(({ typeSchema, typeName, key, typmod }) => [typeSchema, typeName, key, typmod]),
    ).toEqual([
      ['pg_catalog', 'int8', true, -1],
      ['geo', 'parcel', false, -1],
      ['pg_catalog', 'text', false, -1],
      ['pg_catalog', '9999', false, -1],
    ]);
  });

  test('a table whose shape changes is in the block twice; one that is announced again as it was is not', () => {
    const wider = pgoutput.relation(1, [{ name: 'id', type: 20, key: true }, { name: 'name' }, { name: 'more' }]);
    const run = new Run()
      .send(pgoutput.begin(0x100n), people, pgoutput.insert(1, ['1', 'a']), people, pgoutput.insert(1, ['2', 'b']))
      .send(wider, pgoutput.insert(1, ['3', 'c', 'd']), pgoutput.commit(0x100n));
    expect(run.changes().map(({ after }) => after)).toEqual([
      ['1', 'a'],
      ['2', 'b'],
      ['3', 'c', 'd'],
    ]);
    expect(BlockReader.open(run.blocks[0]!.bytes).header.tables.map(({ columns }) => columns.length)).toEqual([2, 3]);
  });
});

describe('transactions and blocks', () => {
  test('an empty transaction leaves no trace', () => {
    const run = new Run().send(pgoutput.begin(0x100n), people, pgoutput.commit(0x100n));
    expect(run.changes()).toEqual([]);
    expect(run.blocks).toEqual([]);
    expect(run.decoder.receivedLsn).toBe(0x130n);
  });

  test('blocks follow on each other, and each says where its transaction stands', () => {
    const run = new Run({ from: before(1, 0x80n), blockBytes: 1 }).send(
      pgoutput.begin(0x100n),
      people,
      pgoutput.insert(1, ['1', 'a']),
      pgoutput.insert(1, ['2', 'b']),
      pgoutput.commit(0x100n),
      pgoutput.begin(0x200n),
      pgoutput.insert(1, ['3', 'c']),
    );
    run.decoder.flush();
    run.send(pgoutput.commit(0x200n));
    run.decoder.flush();
    run.decoder.flush();
    const told = run.blocks.map(({ bytes }) => {
      const { last, complete, changes } = BlockReader.summary(bytes);
      return [BlockReader.open(bytes).header.after, last, complete, changes];
    });
    expect(told).toEqual([
      [before(1, 0x80n), { generation: 1, commitLsn: 0x100n, ordinal: 0 }, false, 1],
      [{ generation: 1, commitLsn: 0x100n, ordinal: 0 }, endOf(1, 0x100n), true, 1],
      [endOf(1, 0x100n), { generation: 1, commitLsn: 0x200n, ordinal: 0 }, false, 1],
      // Nothing but the end: without it nobody would know that the transaction is complete.
      [{ generation: 1, commitLsn: 0x200n, ordinal: 0 }, endOf(1, 0x200n), true, 0],
    ]);
    expect(run.blocks.map(({ last }) => last)).toEqual(told.map((each) => each[1]));
  });

  test('a truncate of several tables is never split', () => {
    const run = new Run({ blockBytes: 1 })
      .send(pgoutput.begin(0x100n), people, pgoutput.relation(2, []), pgoutput.truncate([1, 2]))
      .send(pgoutput.truncate([2, 1]), pgoutput.commit(0x100n));
    run.decoder.flush();
    expect(run.blocks.map((block) => changesOf(block).length)).toEqual([2, 2]);
  });
});

describe('going on after a restart', () => {
  test('a transaction that is held is skipped whole', () => {
    const run = new Run({ from: endOf(1, 0x200n) });
    for (const lsn of [0x100n, 0x200n, 0x300n]) {
      run.send(pgoutput.begin(lsn), people, pgoutput.insert(1, [String(lsn), 'a']), pgoutput.commit(lsn));
    }
    expect(run.changes().map(({ after }) => after?.[0])).toEqual([String(0x300n)]);
    expect(BlockReader.open(run.blocks[0]!.bytes).header.after).toEqual(endOf(1, 0x200n));
  });

  test('the consistent point itself holds nothing: a commit that begins there is news', () => {
    const run = new Run({ from: before(1, 0x100n) });
    run.send(pgoutput.begin(0x100n), people, pgoutput.insert(1, ['1', 'a']), pgoutput.commit(0x100n));
    expect(run.changes()).toHaveLength(1);
  });

  test('half of a transaction is held: the other half follows, or if there is none, its end', () => {
    const whole = [
      pgoutput.begin(0x100n),
      people,
      pgoutput.insert(1, ['1', 'a']),
      pgoutput.message('m', Buffer.alloc(0)),
      pgoutput.commit(0x100n),
    ];
    const rest = new Run({ from: { generation: 1, commitLsn: 0x100n, ordinal: 0 } }).send(...whole);
    expect(rest.changes().map(({ op }) => op)).toEqual(['message']);
    const end = new Run({ from: { generation: 1, commitLsn: 0x100n, ordinal: 1 } }).send(...whole);
    expect(end.changes()).toEqual([]);
    expect(end.blocks.map(({ last }) => last)).toEqual([endOf(1, 0x100n)]);
  });

  test('stopped after any block and begun again, whatever the cut, the changes are the same', () => {
    const value = fc.oneof(fc.string({ maxLength: 80 }), fc.constant(null), fc.constant(UNCHANGED));
    const change = fc.oneof(
      fc.tuple(value, value).map(([a, b]) => pgoutput.insert(1, [a, b])),
      fc.tuple(value, value).map(([a, b]) => pgoutput.update(1, [a, b], { kind: 'K', row: [a, null] })),
      value.map((a) => pgoutput.remove(1, { kind: 'O', row: [a, null] })),
      fc.subarray([1, 2], { minLength: 1 }).map((oids) => pgoutput.truncate(oids)),
      fc.uint8Array({ maxLength: 10 }).map((content) => pgoutput.message('p', content)),
    );
    const transactions = fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 6 });
    const size = fc.integer({ min: 1, max: 400 });
    fc.assert(
      fc.property(transactions, size, size, fc.nat(), fc.array(fc.boolean()), (all, one, other, stop, flushes) => {
        const stream = all.flatMap((changes, i) => {
          const lsn = BigInt(i + 1) * 0x100n;
          return [pgoutput.begin(lsn), people, pgoutput.relation(2, []), ...changes, pgoutput.commit(lsn)];
        });
        const run = (options: { from?: Position; blockBytes: number }) => {
          const running = new Run(options);
          stream.forEach((message, i) => {
            running.send(message);
            if (flushes[i] === true) running.decoder.flush();
          });
          running.decoder.flush();
          return running;
        };
        const whole = run({ blockBytes: one });
        const kept = whole.blocks.slice(0, stop % (whole.blocks.length + 1));
        const from = kept.at(-1)?.last ?? before(1, 0n);
        const resumed = run({ from, blockBytes: other });
        const blocks = [...kept, ...resumed.blocks];

        expect(blocks.flatMap(changesOf)).toEqual(whole.blocks.flatMap(changesOf));
        expect(blocks.at(-1)?.last).toEqual(whole.blocks.at(-1)?.last);
        let reached: Position = before(1, 0n);
        for (const block of blocks) {
          expect(BlockReader.open(block.bytes).header.after).toEqual(reached);
          expect(comparePositions(block.last, reached)).toBeGreaterThan(0);
          reached = block.last;
        }
        if (blocks.length > 0) expect(reached.ordinal).toBe(LAST_ORDINAL);
      }),
    );
  });
});

describe('what the protocol does not allow is SOURCE_PROTOCOL, never a crash, a hang or a half row', () => {
  const inTransaction = [pgoutput.begin(0x100n), people];

  test.each([
    ['an unknown type of message', [Buffer.from('?')]],
    ['an empty message', [Buffer.alloc(0)]],
    ['a change outside of a transaction', [people, pgoutput.insert(1, ['1', 'a'])]],
    ['a transactional message outside of a transaction', [pgoutput.message('a', Buffer.alloc(0))]],
    ['a commit outside of a transaction', [pgoutput.commit(0x100n)]],
    ['a transaction within a transaction', [pgoutput.begin(1n), pgoutput.begin(2n)]],
    ['a commit at another place', [pgoutput.begin(0x100n), pgoutput.commit(0x200n)]],
    ['a table that was not announced', [...inTransaction, pgoutput.insert(2, ['1'])]],
    ['a truncated table that was not announced', [...inTransaction, pgoutput.truncate([1, 2])]],
    ['a row of another width', [...inTransaction, pgoutput.insert(1, ['1'])]],
    ['an origin after a change', [...inTransaction, pgoutput.insert(1, ['1', 'a']), pgoutput.origin('x')]],
    ['a binary value', [...inTransaction, Buffer.from('I\0\0\0\x01N\0\x02b\0\0\0\x01an', 'latin1')]],
    ['an unknown replica identity', [pgoutput.relation(1, [], { identity: 'x' })]],
    ['a location beyond 63 bits', [pgoutput.begin(1n << 63n)]],
    ['a message of a later protocol version (stream start)', [Buffer.from('S\0\0\0\x01\x01', 'latin1')]],
  ])('%s', (_, messages) => {
    expect(() => new Run().send(...messages)).toThrow(protocolError);
  });

  test('a value in the other form than the stream was asked for', () => {
    const seven = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7]);
    const started = [pgoutput.relation(1, [{ name: 'id', type: 20, key: true }]), pgoutput.begin(0x100n)];
    expect(() => new Run().send(...started, pgoutput.insert(1, [seven]))).toThrow(protocolError);
    expect(() => new Run({ format: 'binary' }).send(...started, pgoutput.insert(1, ['7']))).toThrow(protocolError);
  });

  test('any message cut short or made longer', () => {
    const messages = [
      pgoutput.insert(1, ['1', 'abc']),
      pgoutput.update(1, ['1', 'abc']),
      pgoutput.update(1, ['1', UNCHANGED], { kind: 'K', row: ['1', null] }),
      pgoutput.remove(1, { kind: 'O', row: ['1', null] }),
      pgoutput.truncate([1]),
      pgoutput.message('p', Buffer.from('content')),
      pgoutput.type(16_500, 's', 'n'),
      pgoutput.relation(2, [{ name: 'a' }]),
      pgoutput.commit(0x100n),
      pgoutput.origin('o'),
    ];
    for (const message of messages) {
      new Run().send(...inTransaction, message);
      expect(() => new Run().send(...inTransaction, Buffer.concat([message, Buffer.from('x')]))).toThrow(protocolError);
      for (let length = 0; length < message.length; length++) {
        expect(() => new Run().send(...inTransaction, message.subarray(0, length))).toThrow(protocolError);
      }
    }
  });

  test('arbitrary bytes after any letter, and good messages with a byte changed', () => {
    const garbage = fc
      .tuple(fc.constantFrom(...Array.from('BCOYRIUDTMSEcA')), fc.uint8Array({ maxLength: 60 }))
      .map(([letter, bytes]) => Buffer.concat([Buffer.from(letter), bytes]));
    const damaged = fc
      .tuple(
        fc.constantFrom(people, pgoutput.insert(1, ['1', 'abc']), pgoutput.truncate([1]), pgoutput.commit(0x100n)),
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
      )
      .map(([good, at, byte]) => {
        const bad = Buffer.from(good);
        bad[at % bad.length] = byte;
        return bad;
      });
    fc.assert(
      fc.property(fc.array(fc.oneof(garbage, damaged), { minLength: 1, maxLength: 6 }), (messages) => {
        const run = new Run({ blockBytes: 50 }).send(...inTransaction);
        try {
          run.send(...messages);
        } catch (error) {
          expect(error).toMatchObject({ code: 'SOURCE_PROTOCOL' });
        }
        // What was closed before is whole.
        for (const block of run.blocks) changesOf(block);
      }),
      { numRuns: 500 },
    );
  });
});
