import { describe, expect, test } from 'vitest';
import { BLOCK_FORMAT, BlockReader, BlockWriter, CellCursor, Op, readRow } from '#schemas/block/index.ts';
import { LAST_ORDINAL, ORIGIN } from '#schemas/position.ts';
import { compilePair } from '#services/stream-processor/compile.ts';
import { read, write, writeWithAvro, type ModelChange } from '#test/unit/schemas/block-model.ts';
import { block, definition, full, insert, key, remove, run, table, update } from './fixture.ts';

const property = table('pacs.property', ['prop_id* int4', 'geo_id text', 'kind text', 'value numeric', 'note text']);
const owner = table('pacs.owner', ['owner_id* int4', 'name text']);

describe('a block that nothing has to be done to', () => {
  const changes = [insert(['1', 'A-1', 'R', '1.50', null]), insert(['7', 'KING'], 1)];

  test.each([
    ['when the pair takes every table', definition(undefined)],
    ['when it takes them as they are', definition([{ source: 'pacs.property' }, { source: 'pacs.owner' }])],
    [
      'when other tables are in its header only',
      definition([{ source: 'pacs.property' }, { source: 'pacs.owner' }, { source: 'pacs.situs', target: 'x.y' }]),
    ],
  ])('is the very same buffer %s', (_when, pair) => {
    const bytes = write(block([property, owner, table('pacs.situs', ['a* int4'])], changes));
    const result = compilePair(pair).process(bytes, 5n);
    expect(result.bytes).toBe(bytes);
    expect(result.deadLetters).toEqual([]);
    expect(result.counts).toEqual({ in: 2, out: 2, filtered: 0, rejected: 0, warned: {} });
  });

  test('is the same buffer though the pair maps a table that it describes but has no change of', () => {
    const pair = definition([{ source: 'pacs.property', target: 'cama.parcel' }, { source: 'pacs.owner' }]);
    const bytes = write(block([property, owner], [insert(['7', 'KING'], 1)]));
    expect(compilePair(pair).process(bytes, 5n).bytes).toBe(bytes);
  });

  test('of an older format comes out in the current one', () => {
    const bytes = writeWithAvro(block([property], changes.slice(0, 1)), 1);
    const result = compilePair(definition(undefined)).process(bytes, 5n);
    expect(BlockReader.open(result.bytes).header).toMatchObject({ format: BLOCK_FORMAT, after: ORIGIN });
    expect(result.counts.out).toBe(1);
  });
});

describe('cells in binary', () => {
  const parcel = table('pacs.parcel', ['id* int8', 'name text']);
  const inBinary = {
    ...parcel,
    columns: parcel.columns.map((column) =>
      column.name === 'id' ? { ...column, typeOid: 20, format: 'binary' as const } : column,
    ),
  };
  const seven = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7]);
  const given = (): Buffer => write(block([inBinary], [insert([seven, 'A']), insert([null, null])]));

  test('stay where rows go over as they are, for a target that takes them', () => {
    const bytes = given();
    expect(compilePair(definition(undefined), { takesBinary: true }).process(bytes, 5n).bytes).toBe(bytes);
  });

  test.each([
    ['where rows are looked into', definition([{ source: 'pacs.parcel', where: 'row.id == 7 || row.id == null' }])],
    ['where they go to another table', definition([{ source: 'pacs.parcel', target: 'cama.parcel' }])],
  ])('stay %s', (_where, pair) => {
    const made = read(compilePair(pair, { takesBinary: true }).process(given(), 5n).bytes);
    expect(made.tables[0]?.columns.map(({ format }) => format)).toEqual(['binary', 'text']);
    expect(made.transactions[0]?.changes.map(({ after }) => after)).toEqual([
      [seven, 'A'],
      [null, null],
    ]);
  });

  test('go on in one piece, with what was computed among them', () => {
    const pair = definition([
      {
        source: 'pacs.parcel',
        columns: {
          name: { from: 'name' },
          id: { from: 'id' },
          next: { compute: 'row.id + 1' },
          share: { compute: 'decimal(row.id) / 4' },
          label: { concat: ['name', 'id'] },
        },
      },
    ]);
    const image = write(block([inBinary], [insert([seven, Buffer.from('ä')])]));
    const { bytes } = compilePair(pair, { takesBinary: true }).process(image, 5n);
    const out = BlockReader.open(bytes);
    expect(out.header.tables[0]!.columns.map(({ format }) => format)).toEqual([
      'text',
      'binary',
      'binary',
      'binary',
      'text',
    ]);
    out.nextTransaction();
    out.nextChange();
    const cells = new CellCursor(bytes);
    cells.start(out.afterStart);
    expect(cells.imageStart).toBeGreaterThan(0);
    expect(readRow(bytes, out.afterStart, out.header.tables[0]!.columns)).toEqual([
      'ä',
      '7',
      '8',
      '1.7500000000000000',
      'ä 7',
    ]);
  });

  const seventh = { from: 'id', type: 'integer' };
  test.each([
    ['for a target that does not take them', definition(undefined), false],
    [
      'where one goes into a column of another type',
      definition([{ source: 'pacs.parcel', columns: { id: seventh } }]),
      true,
    ],
    [
      'where the server alone can tell whether a value fits',
      definition([
        { source: 'pacs.parcel', columns: { id: { from: 'id' }, next: { compute: 'row.id', type: 'smallint' } } },
      ]),
      true,
    ],
  ])('become text %s', (_where, pair, takesBinary) => {
    const { bytes } = compilePair(pair, { takesBinary }).process(given(), 5n);
    const made = read(bytes);
    expect(made.tables[0]?.columns.every(({ format }) => format === 'text')).toBe(true);
    expect(made.transactions[0]?.changes[0]?.after?.[0]).toBe('7');
  });
});

describe('routing', () => {
  const message: ModelChange = {
    table: -1,
    op: Op.message,
    ordinal: 0,
    before: undefined,
    after: ['terrafusion.heartbeat', new Uint8Array([1, 2])],
  };

  test('drops tables that the pair does not have, and keeps every transaction with its end', () => {
    const pair = definition([{ source: 'pacs.owner' }]);
    const input = block([property, owner], [insert(['1', 'A', 'R', '1', null]), insert(['7', 'KING'], 1)]);
    const { model, lines, counts } = run(pair, input.tables, input.transactions[0]!.changes);
    expect(lines).toEqual(['insert 7|KING']);
    expect(model.tables.map(({ name }) => name)).toEqual(['owner']);
    expect(model.transactions[0]!.changes[0]!.ordinal).toBe(1);
    expect(counts).toEqual({ in: 2, out: 1, filtered: 1, rejected: 0, warned: {} });
  });

  test('moves the position with a block of which nothing is left', () => {
    const input = block([property], [insert(['1', 'A', 'R', '1', null])]);
    const { bytes, model } = run(definition([{ source: 'pacs.owner' }]), input.tables, input.transactions[0]!.changes);
    expect(BlockReader.summary(bytes).last).toEqual(BlockReader.summary(write(input)).last);
    expect(model).toMatchObject({
      source: 's1',
      generation: 2,
      after: input.after,
      inputOffset: 7n,
      tables: [],
      transactions: [{ xid: 700, commitLsn: 0x20n, changes: [], complete: true }],
    });
  });

  test('keeps the end of a slice of a transaction', () => {
    const input = block([property], [insert(['1', 'A', 'R', '1', null])]);
    const slice = { ...input.transactions[0]!, complete: false, lastOrdinal: 41 };
    const bytes = write({ ...input, transactions: [slice] });
    const out = compilePair(definition([{ source: 'pacs.owner' }])).process(bytes, 0n).bytes;
    expect(read(out).transactions[0]).toMatchObject({ complete: false, lastOrdinal: 41 });
  });

  test('passes messages on, truncates and schema changes under the target name', () => {
    const truncate: ModelChange = { ...insert([null, 'cascade']), op: Op.truncate };
    const schema: ModelChange = { table: 0, op: Op.schema, ordinal: 0, before: undefined, after: undefined };
    const pair = definition([
      { source: 'pacs.property', target: 'cama.parcel', columns: { pin: { from: 'prop_id' } } },
    ]);
    const { model, lines } = run(pair, [property], [message, truncate, schema]);
    expect(lines).toEqual(['message terrafusion.heartbeat|1,2', 'truncate ∅|cascade', 'schema']);
    expect(model.tables).toMatchObject([{ schema: 'cama', name: 'parcel' }]);
  });

  test('knows names with dots, quotes and capitals (CHECKLIST 26)', () => {
    const odd = { ...property, schema: 'My.Schema', name: 'Say "hi"' };
    const pair = definition([{ source: '"My.Schema"."Say ""hi"""', target: 'T.Upper' }]);
    const { model } = run(pair, [odd], [insert(['1', 'A', 'R', '1', null])]);
    expect(model.tables).toMatchObject([{ schema: 'T', name: 'Upper' }]);
  });

  test('never carries our own tables on (CHECKLIST 36)', () => {
    const own = { ...owner, schema: '_terrafusion', name: 'applied_positions' };
    expect(run(definition(undefined), [own], [insert(['1', 'x'])]).lines).toEqual([]);
  });

  test('copies changes without a look at the cells when only names change', () => {
    const pair = definition([
      {
        source: 'pacs.owner',
        target: 'crm.contact',
        columns: { contact_id: { from: 'owner_id' }, full_name: { from: 'name' } },
      },
    ]);
    // More cells than the table has columns: who looked would refuse it.
    const { lines, model } = run(pair, [owner], [insert(['1', 'A', 'unseen']), update([undefined, 'B'])]);
    expect(lines).toEqual(['insert 1|A|unseen', 'update ~|B']);
    expect(model.tables[0]).toMatchObject({
      schema: 'crm',
      name: 'contact',
      relationId: owner.relationId,
      tolerant: false,
      columns: [
        { name: 'contact_id', key: true, typeName: 'int4' },
        { name: 'full_name', key: false, typeName: 'text' },
      ],
    });
  });

  test('describes a table twice whose shape changes within the block', () => {
    const wider = table('pacs.owner', ['owner_id* int4', 'name text', 'phone text']);
    const pair = definition([{ source: 'pacs.owner', target: 'crm.contact', exclude: ['name'] }]);
    const { lines, model } = run(
      pair,
      [owner, wider],
      [insert(['1', 'A']), insert(['2', 'B', '555'], 1), insert(['3', 'C'])],
    );
    expect(lines).toEqual(['insert 1', 'insert 2|555', 'insert 3']);
    expect(model.tables.map(({ columns }) => columns.length)).toEqual([1, 2]);
    expect(model.transactions[0]!.changes.map((change) => change.table)).toEqual([0, 1, 0]);
  });
});

describe('mapping columns', () => {
  const mapped = (columns: object, changes: readonly ModelChange[]) =>
    run(definition([{ source: 'pacs.property', columns: columns as never }]), [property], changes);

  test('takes, orders, renames, joins, transforms and computes them', () => {
    const { lines, model } = mapped(
      {
        parcel_pin: { from: 'geo_id', transforms: [{ replace: { find: '-', with: '' } }, { pad_left: { length: 6 } }] },
        id: { from: 'prop_id' },
        double_value: { compute: 'row.value * 2' },
        label: { concat: ['kind', 'note', 'geo_id'], separator: '/' },
        note: { from: 'note' },
        kind: { from: 'kind', transforms: [{ lookup: { values: { R: 'Real' } } }, { prefix: '>' }] },
      },
      [insert(['1', 'A-12', 'R', '10.25', null]), insert(['2', '', null, '-1', ''])],
    );
    expect(lines).toEqual(['insert 000A12|1|20.50|R/A-12|∅|>Real', 'insert 000000|2|-2|||∅']);
    expect(model.tables[0]!.columns.map(({ name, typeName, key: isKey }) => [name, typeName, isKey])).toEqual([
      ['parcel_pin', 'text', false],
      ['id', 'int4', true],
      ['double_value', 'numeric', false],
      ['label', 'text', false],
      ['note', 'text', false],
      ['kind', 'text', false],
    ]);
  });

  test('copies values byte for byte, whatever they are (Promise 4)', () => {
    const odd = ['1', 'NaN', '😀'.repeat(50), '100.00', '\\x00', null];
    const wide = table('pacs.odd', ['a* int4', 'b numeric', 'c text', 'd numeric', 'e bytea', 'f text']);
    const pair = definition([
      {
        source: 'pacs.odd',
        columns: {
          a: { from: 'a' },
          e: { from: 'e' },
          f: { from: 'f' },
          b: { from: 'b' },
          d: { from: 'd' },
          c: { from: 'c' },
        },
      },
    ]);
    const { model } = run(
      pair,
      [wide],
      [insert(odd), { ...insert(['2', undefined, new Uint8Array([255]), null, 'x', 'y']), op: Op.update }],
    );
    expect(model.transactions[0]!.changes.map(({ after }) => after)).toEqual([
      ['1', '\\x00', null, 'NaN', '100.00', '😀'.repeat(50)],
      ['2', 'x', 'y', undefined, null, new Uint8Array([255])],
    ]);
  });

  test('leaves columns out', () => {
    const pair = definition([{ source: 'pacs.property', exclude: ['note', 'geo_id'] }]);
    expect(run(pair, [property], [insert(['1', 'A', 'R', '1', 'n'])]).lines).toEqual(['insert 1|R|1']);
  });

  test('carries the key along in updates and deletes, through its transforms', () => {
    const keyed = table('pacs.p', ['pin* text', 'v text']);
    const pair = definition([
      {
        source: 'pacs.p',
        columns: { v: { from: 'v' }, pin: { from: 'pin', transforms: [{ replace: { find: '-', with: '' } }] } },
      },
    ]);
    const { lines } = run(
      pair,
      [keyed],
      [
        update(['1-2', 'x']),
        update(['1-3', 'x'], key('1-2', null)),
        // Another way to write the same pin: no change of the key at the target.
        update(['13', 'y'], key('1-3', null)),
        remove(key('1-3', null)),
      ],
    );
    expect(lines).toEqual(['update x|12', 'update key(∅|12) x|13', 'update y|13', 'delete key(∅|13)']);
  });

  test('takes a key value that was stored out of line from the old key', () => {
    const keyed = table('pacs.p', ['big* text', 'v text']);
    const pair = definition([
      {
        source: 'pacs.p',
        columns: { big: { from: 'big', transforms: ['upper'] }, raw: { from: 'big' }, v: { from: 'v' } },
      },
    ]);
    expect(run(pair, [keyed], [update([undefined, 'x'], key('long', null))]).lines).toEqual(['update LONG|~|x']);
  });

  test('maps whole rows before with REPLICA IDENTITY FULL', () => {
    const whole = table('pacs.p', ['a int4', 'b text'], 'full');
    const pair = definition(
      [{ source: 'pacs.p', columns: { up: { from: 'b', transforms: ['upper'] }, a2: { compute: 'row.a * 2' } } }],
      { on_invalid: 'halt' },
    );
    const { lines, model } = run(pair, [whole], [update(['2', 'y'], full('1', 'x')), remove(full('2', 'y'))]);
    expect(lines).toEqual(['update full(X|2) Y|4', 'delete full(Y|4)']);
    expect(model.tables[0]!.columns.every((column) => column.key)).toBe(true);
    expect(model.tables[0]!.tolerant).toBe(false);
  });
});

describe('a filter', () => {
  const filtered = (changes: readonly ModelChange[], where = "row.kind == 'R'", of = property) =>
    run(definition([{ source: 'pacs.property', where }]), [of], changes);
  const row = (id: string, kind: string | null | undefined) => [id, 'g', kind, '1', 'n'];

  test('lets inserts in or not, and marks the table tolerant', () => {
    const { lines, model, counts } = filtered([insert(row('1', 'R')), insert(row('2', 'P')), insert(row('3', null))]);
    expect(lines).toEqual(['insert 1|g|R|1|n']);
    expect(model.tables[0]!.tolerant).toBe(true);
    expect(counts).toMatchObject({ in: 3, out: 1, filtered: 2 });
  });

  test('turns an update that leaves it into a delete by the old key, or by the key that stays', () => {
    const { lines } = filtered([update(row('1', 'P')), update(row('2', 'P'), key('1', null, null, null, null))]);
    expect(lines).toEqual(['delete key(1|∅|∅|∅|∅)', 'delete key(1|∅|∅|∅|∅)']);
  });

  test('lets updates within it and into it through as updates, when the older row is not known', () => {
    expect(filtered([update(row('1', 'R'))]).lines).toEqual(['update 1|g|R|1|n']);
  });

  test('lets deletes through, when the older row is not known', () => {
    expect(filtered([remove(key('1', null, null, null, null))]).lines).toEqual(['delete key(1|∅|∅|∅|∅)']);
  });

  test('knows with REPLICA IDENTITY FULL who enters, leaves, stays and stays out', () => {
    const whole = table(
      'pacs.property',
      ['prop_id int4', 'geo_id text', 'kind text', 'value numeric', 'note text'],
      'full',
    );
    const changes = [
      update([...row('1', 'R').slice(0, 4), undefined], full(...row('1', 'P'))),
      update(row('2', 'P'), full(...row('2', 'R'))),
      update([...row('3', 'R').slice(0, 4), undefined], full(...row('3', 'R'))),
      update(row('4', 'P'), full(...row('4', 'M'))),
      remove(full(...row('5', 'R'))),
      remove(full(...row('6', 'P'))),
    ];
    const { lines, counts } = filtered(changes, undefined, whole);
    expect(lines).toEqual([
      // The value that was not sent is filled in: at the target there is no older row to keep it.
      'insert 1|g|R|1|n',
      'delete full(2|g|R|1|n)',
      'update full(3|g|R|1|n) 3|g|R|1|n',
      'delete full(5|g|R|1|n)',
    ]);
    expect(counts).toMatchObject({ out: 4, filtered: 2 });
  });

  test('on key columns knows it always, and needs no tolerance', () => {
    const changes = [
      insert(row('5', 'R')),
      insert(row('50', 'R')),
      update(row('5', 'P')),
      update(row('50', 'P')),
      update(row('6', 'R'), key('5', null, null, null, null)),
      update(row('60', 'R'), key('6', null, null, null, null)),
      update(row('7', 'R'), key('60', null, null, null, null)),
      update([...row('8', 'R').slice(0, 4), undefined], key('80', null, null, null, null)),
      remove(key('7', null, null, null, null)),
      remove(key('70', null, null, null, null)),
    ];
    const { lines, model } = filtered(changes, 'row.prop_id < 10');
    expect(lines).toEqual([
      'insert 5|g|R|1|n',
      'update 5|g|P|1|n',
      'update key(5|∅|∅|∅|∅) 6|g|R|1|n',
      'delete key(6|∅|∅|∅|∅)',
      'insert 7|g|R|1|n',
      // It enters, but not whole: the writer must find an older row or say that it cannot.
      'update key(80|∅|∅|∅|∅) 8|g|R|1|~',
      'delete key(7|∅|∅|∅|∅)',
    ]);
    expect(model.tables[0]!.tolerant).toBe(false);
  });

  test('sees the source row, and works with columns that are not written', () => {
    const pair = definition([
      { source: 'pacs.property', where: 'row.value > 0.5', columns: { id: { from: 'prop_id' } } },
    ]);
    const { lines } = run(pair, [property], [insert(['1', 'g', 'R', '0.50', '']), insert(['2', 'g', 'R', '0.51', ''])]);
    expect(lines).toEqual(['insert 2']);
  });

  test('that gives neither true nor false for a row makes it a dead letter', () => {
    const { deadLetters, lines } = filtered([insert(row('1', 'R'))], "row.kind == 'R' ? dyn(null) : dyn(true)");
    expect(lines).toEqual([]);
    expect(deadLetters[0]!.reason).toContain('gives NULL, not true or false');
  });
});

describe('a value that the source did not send (CHECKLIST 16)', () => {
  const big = table('pacs.doc', ['id* int4', 'small text', 'body text']);
  const columns = {
    id: { from: 'id' },
    body: { from: 'body' },
    upper: { from: 'body', transforms: ['upper'] },
    both: { concat: ['small', 'body'] },
    length: { compute: 'row.body.size()' },
    small: { from: 'small' },
  } as const;
  const pair = (left: readonly (keyof typeof columns)[], more: object = {}) =>
    definition([
      { source: 'pacs.doc', columns: Object.fromEntries(left.map((name) => [name, columns[name]])) as never, ...more },
    ]);
  const sent = update(['1', 's', undefined]);

  test('stays unsent, alone and in what is made of it alone', () => {
    expect(run(pair(['id', 'body', 'upper', 'length', 'small']), [big], [sent]).lines).toEqual(['update 1|~|~|~|s']);
  });

  test('makes a dead letter of what needs it beside a value that was sent', () => {
    const { lines, deadLetters } = run(pair(['id', 'both']), [big], [sent]);
    expect(lines).toEqual([]);
    expect(deadLetters).toMatchObject([
      {
        code: 'PAIR_ROW_INVALID',
        reason: expect.stringMatching(/^column both: the source did not send column body/) as string,
        row: { id: '1', small: 's' },
        before: undefined,
      },
    ]);
  });

  test('makes a dead letter of a change whose filter or rule needs it', () => {
    const where = run(pair(['id'], { where: 'row.body != ""' }), [big], [sent]);
    expect(where.deadLetters[0]!.reason).toContain('REPLICA IDENTITY FULL');
    const rule = run(pair(['id', 'body'], { rules: [{ name: 'has text', check: 'row.body != ""' }] }), [big], [sent]);
    expect(rule.deadLetters[0]).toMatchObject({
      rule: 'has text',
      reason: expect.stringContaining('cannot be answered') as string,
    });
    const computed = run(
      pair(['id', 'upper'], { rules: [{ name: 'has text', check: 'row.upper != ""' }] }),
      [big],
      [sent],
    );
    expect(computed.deadLetters[0]!.reason).toContain('column upper is made of columns that the source did not send');
  });

  test('is not needed when the answer does not depend on it', () => {
    expect(run(pair(['id'], { where: 'row.small == "s" || row.body != ""' }), [big], [sent]).lines).toEqual([
      'update 1',
    ]);
  });

  test('comes from the whole row before', () => {
    const whole = table('pacs.doc', ['id int4', 'small text', 'body text'], 'full');
    const all = pair(['id', 'both', 'upper', 'length', 'small'], {
      where: 'row.body != ""',
      rules: [{ name: 'r', check: 'row.upper == "B"' }],
    });
    const { lines, deadLetters } = run(all, [whole], [update(['1', 's', undefined], full('1', 'o', 'b'))]);
    expect(deadLetters).toEqual([]);
    expect(lines).toEqual(['update full(1|o b|B|1|o) 1|s b|B|1|s']);
  });
});

describe('rules', () => {
  const rules = (list: readonly object[], changes: readonly ModelChange[], config = {}) =>
    run(
      definition([{ source: 'pacs.property', target: 'cama.parcel', rules: list as never }], config),
      [property],
      changes,
    );
  const bad = insert(['1', '', 'R', '-5', null]);
  const good = insert(['2', 'g', 'R', '5', null]);
  const positive = { name: 'value is positive', check: 'row.value > 0' };

  test('quarantine by default: a dead letter, the change dropped, the rest goes on', () => {
    const { lines, deadLetters, counts, model } = rules([positive], [bad, good]);
    expect(lines).toEqual(['insert 2|g|R|5|∅']);
    expect(deadLetters).toEqual([
      {
        position: '2:0/20:0',
        stage: 'process',
        source_table: { schema: 'pacs', name: 'property' },
        target_table: { schema: 'cama', name: 'parcel' },
        op: 'insert',
        rule: 'value is positive',
        code: 'PAIR_ROW_INVALID',
        reason: 'rule "value is positive" is broken: row.value > 0',
        row: { prop_id: '1', geo_id: '', kind: 'R', value: '-5', note: null },
        before: undefined,
      },
    ]);
    expect(counts).toEqual({ in: 2, out: 1, filtered: 0, rejected: 1, warned: {} });
    // A row that was refused and is mended later comes as an update of what the target does not have.
    expect(model.tables[0]!.tolerant).toBe(true);
  });

  test('warn: counted by rule, and written', () => {
    const warn = { ...positive, on_failure: 'warn' };
    const { lines, deadLetters, counts, model } = rules([warn, { ...warn, name: 'again' }], [bad, good, bad]);
    expect(lines).toHaveLength(3);
    expect(deadLetters).toEqual([]);
    expect(counts).toEqual({ in: 3, out: 3, filtered: 0, rejected: 0, warned: { 'value is positive': 2, again: 2 } });
    expect(model.tables[0]!.tolerant).toBe(false);
  });

  test('halt: the pair stops, and the error names table, rule and position', () => {
    const halt = { ...positive, on_failure: 'halt' };
    expect(() => rules([halt], [good, bad])).toThrow(
      expect.objectContaining({
        code: 'PAIR_ROW_INVALID',
        heals: false,
        message: expect.stringMatching(
          /pacs\.property at position 2:0\/20:1 .* cama\.parcel: rule "value is positive" is broken/,
        ) as string,
        details: { table: 'pacs.property', rule: 'value is positive', position: '2:0/20:1' },
      }) as Error,
    );
  });

  test("the pair's policy is what a rule without one has", () => {
    expect(() => rules([positive], [bad], { on_invalid: 'halt' })).toThrow('is broken');
    expect(rules([positive], [bad], { on_invalid: 'warn' }).counts.warned).toEqual({ 'value is positive': 1 });
    expect(rules([{ ...positive, on_failure: 'quarantine' }], [bad], { on_invalid: 'halt' }).deadLetters).toHaveLength(
      1,
    );
  });

  test('see the row as it would be written', () => {
    const pair = definition([
      {
        source: 'pacs.property',
        columns: {
          pin: { from: 'geo_id', transforms: ['trim', { pad_left: { length: 4 } }] },
          id: { from: 'prop_id', type: 'text' },
          twice: { compute: 'row.value * 2' },
          year: { from: 'note', transforms: ['digits_only'], type: 'integer' },
        },
        rules: [{ name: 'all', check: 'row.pin == "00ab" && row.twice == 3 && row.id == "1" && row.year + 1 == 2025' }],
      },
    ]);
    expect(run(pair, [property], [{ ...bad, after: ['1', ' ab ', 'R', '1.50', 'y2024'] }]).lines).toEqual([
      'insert 00ab|1|3.00|2024',
    ]);
    expect(
      run(pair, [property], [{ ...bad, after: ['1', ' ab ', 'R', '1.50', 'none'] }]).deadLetters[0]!.reason,
    ).toContain('rule "all" cannot be answered: year holds "", which is no whole number');
  });

  test('are not asked about deletes', () => {
    const before = key('1', null, null, null, null);
    expect(rules([positive], [remove(before)]).lines).toEqual(['delete key(1|∅|∅|∅|∅)']);
  });

  test('of updates: the refused one leaves the older row, and carries key and row to the dead letters', () => {
    const { lines, deadLetters } = rules(
      [positive],
      [update(['2', 'g', 'R', '-5', undefined], key('1', null, null, null, null))],
    );
    expect(lines).toEqual([]);
    expect(deadLetters[0]).toMatchObject({
      op: 'update',
      row: { prop_id: '2', geo_id: 'g', kind: 'R', value: '-5' },
      before: { prop_id: '1' },
    });
    expect(Object.keys(deadLetters[0]!.row)).not.toContain('note');
    expect(Object.keys(deadLetters[0]!.before!)).toEqual(['prop_id']);
  });
});

describe('a row that cannot be computed', () => {
  const pair = (config: object, transforms: readonly object[] = []) =>
    definition(
      [
        {
          source: 'pacs.property',
          columns: {
            id: { from: 'prop_id' },
            kind: { from: 'kind', transforms: transforms as never },
            v: { compute: 'row.value + 1' },
          },
        },
      ],
      config,
    );
  const nan = insert(['1', 'g', 'R', 'NaN', null]);

  test('is quarantined, also under "warn": there is no value to write in its place', () => {
    for (const on_invalid of ['quarantine', 'warn']) {
      const { deadLetters, lines } = run(pair({ on_invalid }), [property], [nan]);
      expect(lines).toEqual([]);
      expect(deadLetters).toMatchObject([
        { rule: undefined, reason: 'column v: value: "NaN" is not a decimal that can be computed with' },
      ]);
    }
  });

  test('halts the pair when told to', () => {
    expect(() => run(pair({ on_invalid: 'halt' }), [property], [nan])).toThrow('column v: value: "NaN"');
  });

  test('for a transform that refuses it', () => {
    const lookup = { lookup: { values: { R: 'Real' }, otherwise: 'reject' } };
    const { deadLetters, lines } = run(
      pair({}, [lookup]),
      [property],
      [insert(['1', 'g', 'X', '1', null]), insert(['2', 'g', 'R', '1', null])],
    );
    expect(lines).toEqual(['insert 2|Real|2']);
    expect(deadLetters[0]!.reason).toBe('column kind: "X" is not in the lookup\'s list');
  });

  test('leaves no trace of itself in the block, and the processor as it was', () => {
    const processor = compilePair(pair({ on_invalid: 'halt' }));
    const fine = write(block([property], [insert(['2', 'g', 'R', '1', null])]));
    const before = processor.process(fine, 1n).bytes;
    expect(() => processor.process(write(block([property], [insert(['2', 'g', 'R', '1', null]), nan])), 1n)).toThrow();
    expect(processor.process(fine, 1n).bytes.equals(before)).toBe(true);
  });

  test('with REPLICA IDENTITY FULL was not at the target before either: its mended version is inserted', () => {
    const whole = table(
      'pacs.property',
      ['prop_id int4', 'geo_id text', 'kind text', 'value numeric', 'note text'],
      'full',
    );
    const mended = update(['1', 'g', 'R', '5', null], full('1', 'g', 'R', 'NaN', null));
    expect(run(pair({}), [whole], [mended]).lines).toEqual(['insert 1|R|6']);
  });

  test('whose key cannot be mapped is a dead letter even as a delete', () => {
    const keyed = table('pacs.k', ['code* text']);
    const reject = definition([
      {
        source: 'pacs.k',
        columns: { code: { from: 'code', transforms: [{ lookup: { values: { A: '1' }, otherwise: 'reject' } }] } },
      },
    ]);
    const { lines, deadLetters } = run(reject, [keyed], [remove(key('A')), remove(key('B')), update(['A'], key('B'))]);
    expect(lines).toEqual(['delete key(1)', 'update 1']);
    expect(deadLetters).toMatchObject([{ op: 'delete', row: { code: 'B' }, before: { code: 'B' } }]);
  });
});

test('dead letters of a snapshot are kept apart by their table', () => {
  const snapshot = (of: typeof property, cells: readonly string[]) => {
    const input = block([of], [insert(cells)]);
    return write({
      ...input,
      generation: 0,
      after: ORIGIN,
      transactions: [{ ...input.transactions[0]!, commitLsn: 0n, complete: false, lastOrdinal: 0 }],
    });
  };
  const never = { name: 'never', check: 'false' };
  const pair = compilePair(
    definition([
      { source: 'pacs.property', rules: [never] },
      { source: 'pacs.owner', rules: [never] },
    ]),
  );
  const positions = [
    ...pair.process(snapshot(property, ['1', 'g', 'R', '1', 'n']), -1n).deadLetters,
    ...pair.process(snapshot(owner, ['1', 'n']), -1n).deadLetters,
  ].map(({ position }) => position);
  expect(new Set(positions).size).toBe(2);
});

describe('exact numbers', () => {
  const numbers = table('pacs.n', ['id* int8', 'a numeric', 'b numeric']);
  const sum = definition([
    {
      source: 'pacs.n',
      columns: { id: { compute: 'row.id' }, key: { from: 'id' }, sum: { compute: 'row.a + row.b' } },
    },
  ]);
  test.each([
    ['9007199254740993', '0.1', '0.2', '9007199254740993|9007199254740993|0.3'],
    [
      '9223372036854775807',
      '1234567890123456789012345678.0123456789',
      '0.0000000001',
      '9223372036854775807|9223372036854775807|1234567890123456789012345678.0123456790',
    ],
    ['-1', '9007199254740993', '-9007199254740992', '-1|-1|1'],
  ])('%s, %s + %s', (id, a, b, row) => {
    expect(run(sum, [numbers], [insert([id, a, b])]).lines).toEqual([`insert ${row}`]);
  });
});

describe('a pair that does not fit', () => {
  test('a table of the block stops with everything that is wrong', () => {
    const pair = definition([
      { source: 'pacs.property', where: 'row.nope', columns: { pin: { from: 'gone' }, v: { compute: 'row.value +' } } },
    ]);
    expect(() => run(pair, [property], [insert(['1', 'g', 'R', '1', null])])).toThrow(
      expect.objectContaining({
        code: 'SOURCE_COLUMN_MISSING',
        message: expect.stringMatching(
          /tables\[0\]\.columns\.pin\.from: .*"gone"[\s\S]*columns\.v\.compute[\s\S]*tables\[0\]\.where/,
        ) as string,
      }) as Error,
    );
  });

  test('in itself is not compiled', () => {
    expect(() => compilePair(definition([{ source: 'a.b' }, { source: '"a".b', target: 'a.c' }]))).toThrow(
      expect.objectContaining({
        code: 'PAIR_INVALID',
        message: expect.stringContaining('a.b is in tables[0] already') as string,
      }) as Error,
    );
  });

  test('by the number of cells is a corrupt block', () => {
    const pair = definition([{ source: 'pacs.property', where: 'true' }]);
    for (const cells of [['1'], ['1', '2', '3', '4', '5', '6']]) {
      expect(() => run(pair, [property], [insert(cells)])).toThrow(
        expect.objectContaining({ code: 'BLOCK_CORRUPT' }) as Error,
      );
    }
  });
});

test('a block that follows after the transaction of a source is written with its origin', () => {
  const input = block([owner], [insert(['1', 'A'])]);
  const bytes = write({ ...input, transactions: [{ ...input.transactions[0]!, origin: 'crm' }] }, new BlockWriter());
  const out = compilePair(definition([{ source: 'pacs.owner', target: 'x.y' }])).process(bytes, 3n).bytes;
  expect(read(out).transactions[0]).toMatchObject({ origin: 'crm', complete: true, lastOrdinal: LAST_ORDINAL });
});
