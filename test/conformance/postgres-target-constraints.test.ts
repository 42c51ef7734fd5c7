import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import { freshDatabase } from '#test/support/servers.ts';
import { type Cells, insert, Pair, remove, table, update } from './postgres-target-fixture.ts';

let database: TestDatabase;
let pair: Pair;
const parent = table('public.parent', ['id*', 'name']);
const child = table('public.child', ['id*', 'parent_id', 'note']);
const coded = table('public.coded', ['id*', 'code']);

beforeAll(async () => {
  database = await freshDatabase('target');
});

beforeEach(async () => {
  await database.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  pair = new Pair(database);
  await pair.start();
});

describe('what only an order in between would break (CHECKLIST 38)', () => {
  test('parents and children arrive and leave in one batch, in any order of the tables', async () => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, note text)`);
    const row = (i: number): string => String(i);
    const children = Array.from({ length: 50 }, (_, i) => insert(child, [row(i), row(i), null]));
    const parents = Array.from({ length: 50 }, (_, i) => insert(parent, [row(i), 'p']));
    expect(await pair.applyWithFallback([pair.history.block(parents, children)])).toBe('set');
    const gone = [remove(child, ['1', null, null]), remove(parent, ['1', null]), insert(parent, ['60', 'q'])];
    expect(await pair.applyWithFallback([pair.history.block([...gone, update(child, ['2', '60', null])])])).toBe('set');
    expect(await database.value('SELECT count(*) FROM child JOIN parent ON parent.id = parent_id')).toBe('49');
  });

  test('a child that moves away before its parent is deleted is repeated in order', async () => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent, note text);
      INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1, 'n')`);
    const block = pair.history.block([update(child, ['1', '2', 'n']), remove(parent, ['1', null])]);
    expect(await pair.applyWithFallback([block])).toBe('ordered');
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('parent')).toEqual([['2', 'b']]);
  });

  test('a unique value that changes hands by way of another one', async () => {
    await database.query(`CREATE TABLE coded (id int PRIMARY KEY, code text UNIQUE);
      INSERT INTO coded VALUES (1, 'a'), (2, 'b'), (3, 'c')`);
    const block = pair.history.block([
      update(coded, ['1', 'tmp']),
      update(coded, ['2', 'a']),
      update(coded, ['1', 'b']),
      remove(coded, ['3', null]),
      insert(coded, ['4', 'c']),
    ]);
    expect(await pair.applyWithFallback([block])).toBe('ordered');
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('coded')).toEqual([
      ['1', 'b'],
      ['2', 'a'],
      ['4', 'c'],
    ]);
  });

  test('a constraint that may wait, waits', async () => {
    await database.query(`CREATE TABLE coded (id int PRIMARY KEY, code text UNIQUE DEFERRABLE);
      INSERT INTO coded VALUES (1, 'a'), (2, 'b')`);
    const block = pair.history.block([update(coded, ['1', 'b']), update(coded, ['2', 'a'])]);
    await pair.apply([block], 'ordered');
    expect(await pair.rows('coded')).toEqual([
      ['1', 'b'],
      ['2', 'a'],
    ]);
  });

  test('tables that point at each other, and a table that points at itself', async () => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name int);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent, note text);
      ALTER TABLE parent ADD FOREIGN KEY (name) REFERENCES child DEFERRABLE;
      CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE)`);
    const tree = table('public.tree', ['id*', 'up']);
    await pair.applyWithFallback([
      pair.history.block(
        [insert(parent, ['1', '1']), insert(child, ['1', '1', null])],
        [insert(tree, ['1', null]), insert(tree, ['3', '1']), insert(tree, ['2', '3'])],
      ),
    ]);
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('tree')).toEqual([
      ['1', null],
      ['2', '3'],
      ['3', '1'],
    ]);
    await pair.applyWithFallback([pair.history.block([remove(tree, ['2', null]), remove(tree, ['3', null])])]);
    expect(await pair.rows('tree')).toEqual([['1', null]]);
  });

  test.each(['set', 'ordered'] as const)('what the target deletes by itself is no conflict, %s', async (mode) => {
    await database.query(`CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE child (id int PRIMARY KEY, parent_id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, note text);
      CREATE TABLE part (parent_id int REFERENCES parent ON UPDATE CASCADE, no int, note text, PRIMARY KEY (parent_id, no));
      INSERT INTO parent VALUES (1, 'a'), (2, 'b'); INSERT INTO child VALUES (1, 1, 'n'), (2, 1, 'n'), (3, 2, 'm');
      INSERT INTO part VALUES (2, 1, 'x')`);
    const part = table('public.part', ['parent_id*', 'no*', 'note']);
    // As the source tells it: the parent first, then what followed from it.
    const block = pair.history.block(
      [remove(parent, ['1', null]), remove(child, ['1', null, null]), remove(child, ['2', null, null])],
      [
        update(parent, ['5', undefined], ['2', null]),
        update(child, ['3', '5', undefined]),
        update(part, ['5', '1', undefined], ['2', '1', null]),
      ],
    );
    if (mode === 'set') await pair.applyWithFallback([block]);
    else await pair.apply([block], mode);
    expect(pair.letters).toEqual([]);
    expect(await pair.rows('child')).toEqual([['3', '5', 'm']]);
    expect(await pair.rows('part')).toEqual([['5', '1', 'x']]);
  });
});

describe('dead letters', () => {
  const strict = table('public.strict', ['id*', 'owner', 'note', 'kind']);

  beforeEach(async () => {
    await database.query(`CREATE TYPE kind AS ENUM ('a', 'b');
      CREATE TABLE parent (id int PRIMARY KEY, name text);
      CREATE TABLE strict (id int PRIMARY KEY, owner varchar(5) NOT NULL, note text CHECK (note <> 'bad'), kind kind,
        UNIQUE (owner), FOREIGN KEY (id) REFERENCES parent);
      INSERT INTO parent SELECT i, 'p' FROM generate_series(1, 50) AS i; INSERT INTO strict VALUES (1, 'Ann', 'n', 'a')`);
  });

  test.each<[string, Cells, string, RegExp]>([
    [
      'a text that is too long is refused, not cut',
      ['2', 'Bobby Tables', null, null],
      'TARGET_ROW_REJECTED',
      /too long/,
    ],
    ['NULL where none may be', ['2', null, null, null], 'TARGET_ROW_REJECTED', /null value/],
    ['a check', ['2', 'Bob', 'bad', null], 'TARGET_ROW_REJECTED', /check constraint/],
    ['a value that the type does not know', ['2', 'Bob', null, 'c'], 'TARGET_ROW_REJECTED', /enum public.kind: "c"/],
    ['no number', ['two', 'Bob', null, null], 'TARGET_ROW_REJECTED', /integer: "two"/],
    ['bytes that are no text (CHECKLIST 40)', ['2', 'B\0b', null, null], 'TARGET_ROW_REJECTED', /0x00/],
    ['a unique value that is taken', ['2', 'Ann', null, null], 'TARGET_CONFLICT', /\(owner\)=\(Ann\) already exists/],
    ['a parent that is not there', ['99', 'Bob', null, null], 'TARGET_CONFLICT', /is not present in table "parent"/],
  ])('%s', async (_, row, code, reason) => {
    const good = (i: number) => insert(strict, [String(i), `o${i}`, null, 'b']);
    const block = pair.history.block(
      [good(10), good(11)],
      [good(12), insert(strict, row), good(13)],
      [update(strict, ['10', 'o99', 'x', null])],
    );
    expect(await pair.applyWithFallback([block])).toBe('ordered');
    expect(pair.letters).toHaveLength(1);
    expect(pair.letters[0]).toMatchObject({
      stage: 'apply',
      op: 'insert',
      code,
      target_table: { schema: 'public', name: 'strict' },
      position: '1:0/4B0:1',
      row: { id: row[0], owner: row[1] },
    });
    expect(pair.letters[0]!.reason).toMatch(reason);
    // The dashboard says by it what the target means.
    expect(pair.letters[0]!.sqlstate).toMatch(code === 'TARGET_CONFLICT' ? /^23(505|503)$/ : /^2[23]/);
    expect((await pair.rows('strict')).map(([id, owner]) => [id, owner])).toEqual([
      ['1', 'Ann'],
      ['10', 'o99'],
      ['11', 'o11'],
      ['12', 'o12'],
      ['13', 'o13'],
    ]);
  });

  test('a RAISE in a trigger of the target', async () => {
    await database.query(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF new.note = 'no' THEN RAISE EXCEPTION 'not on a Sunday'; END IF; RETURN new; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON strict FOR EACH ROW EXECUTE FUNCTION refuse()`);
    const block = pair.history.block([
      insert(strict, ['2', 'Bob', 'no', null]),
      insert(strict, ['3', 'Cem', 'yes', null]),
    ]);
    await pair.applyWithFallback([block]);
    expect(pair.letters).toMatchObject([{ code: 'TARGET_ROW_REJECTED', reason: 'not on a Sunday' }]);
  });

  test('every row of a batch refused: each once, and repeating the batch tells the same ones', async () => {
    const changes = Array.from({ length: 600 }, (_, i) =>
      i % 7 === 3
        ? insert(strict, [String(1000 + i), 'o', null, null])
        : update(parent, [String((i % 50) + 1), `n${i}`]),
    );
    const block = pair.history.block(changes);
    let calls = 0;
    {
      await using writer = await pair.open();
      const applying = writer.apply(pair.batch([block], 'ordered'), async (letters) => {
        calls++;
        pair.letters.push(...letters);
        throw new Error('the control database is down');
      });
      await expect(applying).rejects.toThrow('the control database is down');
    }
    const first = pair.letters.splice(0);
    expect(await database.value('SELECT count(*) FROM parent WHERE name <> $1', ['p'])).toBe('0');
    const outcome = await pair.apply([block], 'ordered');
    expect(calls).toBe(1);
    expect(pair.letters).toEqual(first);
    expect(new Set(first.map(({ position }) => position)).size).toBe(86);
    // What became a dead letter is not counted with its table.
    expect(outcome).toMatchObject({
      rejected: 86,
      inserted: 0,
      updated: 514,
      tables: [{ table: { schema: 'public', name: 'parent' }, changes: 514 }],
    });
    expect(await database.value('SELECT count(*) FROM parent WHERE name <> $1', ['p'])).toBe('50');
  });

  // A refused change takes those before it along, and they come again; what the target says then is its own affair.
  test('a change that passed at first and is refused when it comes again, with one behind it', async () => {
    // What a sequence has given is not taken back: the trigger counts every try.
    await database.query(`CREATE SEQUENCE tries;
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('public.tries') = 8 THEN RAISE EXCEPTION 'the eighth try'; END IF; RETURN new; END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON strict FOR EACH ROW EXECUTE FUNCTION refuse()`);
    // The first five are tried, the sixth is; then they come again, and the eighth try is the second one's.
    const ids = ['2', '3', '4', '5', '6', '99', '7', '8'];
    await pair.apply([pair.history.block(ids.map((id) => insert(strict, [id, `o${id}`, null, null])))], 'ordered');
    expect(pair.letters.map(({ row }) => row['id'])).toEqual(['99', '3']);
    expect((await pair.rows('strict')).map(([id]) => id).toSorted()).toEqual(['1', '2', '4', '5', '6', '7', '8']);
  });

  test('a constraint that waited until the commit is looked at change by change at last', async () => {
    await database.query('ALTER TABLE strict ALTER CONSTRAINT strict_id_fkey DEFERRABLE INITIALLY DEFERRED');
    const block = pair.history.block([
      insert(strict, ['99', 'Bob', null, null]),
      insert(strict, ['2', 'Cem', null, null]),
    ]);
    expect(await pair.applyWithFallback([block])).toBe('immediate');
    expect(pair.letters).toMatchObject([{ row: { id: '99' }, code: 'TARGET_CONFLICT' }]);
    expect((await pair.rows('strict')).map(([id]) => id)).toEqual(['1', '2']);
  });

  test('in a transaction that is cut over blocks, with its dead letters told block by block', async () => {
    const slices = pair.history.cut([
      [insert(strict, ['2', 'Bob', null, null]), insert(strict, ['99', 'Cem', null, null])],
      [insert(strict, ['98', 'Dee', null, null])],
      [insert(strict, ['3', 'Eve', null, null])],
    ]);
    await using writer = await pair.open();
    for (const [i, slice] of slices.entries()) {
      const outcome = await writer.apply(pair.batch([slice], 'ordered'), pair.reject);
      expect(outcome.committed).toBe(i === 2);
      expect(pair.letters).toHaveLength(Math.min(i + 1, 2));
      expect(await database.value('SELECT count(*) FROM strict')).toBe(i === 2 ? '3' : '1');
    }
  });
});
