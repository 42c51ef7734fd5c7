import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestDatabase } from '#test/support/database.ts';
import type { Installation, NewTestPair, RunningService, TestPair } from '#test/support/installation.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

/**
 * What is committed between the place from which a pair's stream begins and the snapshot of its first load is in both of them.
 * It must have happened once all the same. (Promise 2)
 */
describe('changes that the snapshot shows already and the stream brings again', () => {
  let installation: Installation;
  let service: RunningService;

  beforeAll(async () => {
    installation = await freshInstallation();
    service = installation.start();
  });

  afterAll(() => service.stop());

  test('an insert into a table without a key is there once', async () => {
    const { source, target } = await loadAround({
      schema: 'CREATE TABLE event (kind text); ALTER TABLE event REPLICA IDENTITY FULL',
      table: { source: 'public.event' },
      inBetween: ["INSERT INTO event VALUES ('sale'), ('sale'), ('split')"],
    });
    expect(await expectSameRows(source, target, ['public.event'])).toEqual({ 'public.event': 3 });
  });

  test('an update of one of two equal rows of a table without a key happens once', async () => {
    const { source, target } = await loadAround({
      schema: `CREATE TABLE event (kind text); ALTER TABLE event REPLICA IDENTITY FULL;
        INSERT INTO event VALUES ('sale'), ('sale'), ('sale')`,
      table: { source: 'public.event' },
      inBetween: ["UPDATE event SET kind = 'split' WHERE ctid = (SELECT min(ctid) FROM event)"],
    });
    await expectSameRows(source, target, ['public.event']);
  });

  test('rows that change keys keep the large values that the stream does not send', async () => {
    const { source, target } = await loadAround({
      schema: `CREATE TABLE parcel (id int PRIMARY KEY, note text);
        ALTER TABLE parcel ALTER note SET STORAGE EXTERNAL;
        INSERT INTO parcel VALUES (1, repeat('one ', 2000)), (2, repeat('two ', 2000))`,
      table: { source: 'public.parcel' },
      inBetween: [
        'UPDATE parcel SET id = 3 WHERE id = 1',
        'UPDATE parcel SET id = 1 WHERE id = 2',
        'UPDATE parcel SET id = 2 WHERE id = 3',
      ],
    });
    await expectSameRows(source, target, ['public.parcel']);
  });

  test('a row whose identity is another index than the primary key follows both', async () => {
    const { source, target } = await loadAround({
      schema: `CREATE TABLE account (id int PRIMARY KEY, number text NOT NULL, memo text);
        CREATE UNIQUE INDEX account_number ON account (number); ALTER TABLE account REPLICA IDENTITY USING INDEX account_number;
        ALTER TABLE account ALTER memo SET STORAGE EXTERNAL; INSERT INTO account VALUES (1, 'A', repeat('memo ', 1000))`,
      table: { source: 'public.account' },
      inBetween: [
        "UPDATE account SET id = 2, number = 'B' WHERE id = 1",
        "INSERT INTO account VALUES (1, 'A', 'new')",
        "UPDATE account SET id = 3, number = 'C' WHERE id = 2",
        "DELETE FROM account WHERE number = 'A'",
      ],
    });
    await expectSameRows(source, target, ['public.account']);
  });

  test('a row that breaks a rule is one dead letter', async () => {
    const { pair } = await loadAround({
      schema: 'CREATE TABLE note (id int PRIMARY KEY, amount int)',
      table: {
        source: 'public.note',
        rules: [{ name: 'not negative', check: 'row.amount >= 0', on_failure: 'quarantine' }],
      },
      inBetween: ['INSERT INTO note VALUES (1, -1), (2, 2)'],
    });
    expect(await pair.countDeadLetters()).toBe(1);
  });

  interface Overlap {
    readonly schema: string;
    readonly table: NonNullable<NewTestPair['tables']>[number];
    /** Statements of one transaction that is in the stream and in the snapshot. */
    readonly inBetween: readonly string[];
  }

  async function loadAround({ schema, table, inBetween }: Overlap): Promise<{
    source: TestDatabase;
    target: TestDatabase;
    pair: TestPair;
  }> {
    const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
    await source.query(`CREATE TABLE other (id int PRIMARY KEY); ${schema}`);
    // A pair that streams already: the stream is there, and the next pair's begins at its end.
    const system = { source, target: await freshDatabase('target') };
    const first = await installation.addPair({ ...system, tables: [{ source: 'public.other' }] });
    await first.until('streaming');

    // A transaction that writes holds up the next snapshot, while what follows it is streamed.
    const holder = await source.connect();
    await holder.query('BEGIN');
    await holder.query('INSERT INTO other VALUES (1)');
    const pair = await installation.addPair({ source, target, sourceOf: first, tables: [table] });
    await pair.untilBegun();
    const client = await source.connect();
    await client.query('BEGIN');
    for (const statement of inBetween) await client.query(statement);
    await client.query('COMMIT');
    await holder.query('COMMIT');
    await pair.until('streaming');
    await pair.fence();
    return { source, target, pair };
  }
});
