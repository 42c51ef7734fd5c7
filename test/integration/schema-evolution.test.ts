import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableInput } from '#schemas/pairs.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { Installation, NewTestPair, RunningService, TestPair } from '#test/support/installation.ts';
import { ownerUrl } from '#test/support/roles.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { expectSameShapes } from '#test/support/shapes.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

let installation: Installation;
let service: RunningService;

beforeAll(async () => {
  installation = await freshInstallation();
  service = installation.start();
});

afterAll(() => service.stop());

interface Started {
  readonly source: TestDatabase;
  readonly target: TestDatabase;
  readonly pair: TestPair;
  /** Everything is at the target, which looks as the source does. */
  readonly same: () => Promise<void>;
}

/** Whether the role may install event triggers: then the source itself tells of altered tables, else they are compared. */
type Seen = 'by event triggers' | 'by comparison';

async function started(
  schema: string,
  more: Partial<NewTestPair> = {},
  seen: Seen = 'by comparison',
  types = '',
): Promise<Started> {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(`${types}; ${schema}`);
  await target.query(types);
  const role = seen === 'by comparison' ? { sourceUrl: await ownerUrl(source) } : {};
  const pair = await installation.addPair({ source, target, ...role, ...more });
  await pair.until('streaming');
  const same = async (): Promise<void> => {
    await pair.fence();
    await expectSameShapes(source, target);
    await expectSameRows(source, target);
  };
  return { source, target, pair, same };
}

const PARCEL = `CREATE TABLE parcel (id int PRIMARY KEY, situs varchar(20), value int);
  INSERT INTO parcel SELECT n, 'Maple ' || n, n FROM generate_series(1, 50) AS n`;

describe.each(['by event triggers', 'by comparison'] as const)('columns, seen %s (CHECKLIST 18–20)', (seen) => {
  test('an added column: older rows have its constant default', async () => {
    const { source, same } = await started(PARCEL, {}, seen);
    await source.query(`ALTER TABLE parcel ADD COLUMN zone text DEFAULT 'R''1', ADD COLUMN note text`);
    await source.query(
      `INSERT INTO parcel VALUES (51, 'Oak', 1, 'C', 'new'); UPDATE parcel SET zone = 'X' WHERE id = 1`,
    );
    await same();
  });

  test('an added column whose default is computed row by row: older rows have the values of the source', async () => {
    const { source, same } = await started(PARCEL, {}, seen);
    await source.query(`ALTER TABLE parcel ADD COLUMN token uuid DEFAULT gen_random_uuid()`);
    await source.query(`UPDATE parcel SET value = 0 WHERE id = 2; DELETE FROM parcel WHERE id = 3`);
    await same();
  });

  test('renamed, added and given other types at once, in the midst of a transaction', async () => {
    const { source, same } = await started(PARCEL, {}, seen);
    const client = await source.connect();
    await client.query('BEGIN');
    await client.query(`INSERT INTO parcel VALUES (60, 'before', 1)`);
    await client.query('ALTER TABLE parcel RENAME COLUMN situs TO address');
    await client.query(`UPDATE parcel SET address = 'in between' WHERE id = 60`);
    await client.query(
      'ALTER TABLE parcel ALTER value TYPE bigint, ALTER address TYPE varchar(40), ADD COLUMN zone int',
    );
    await client.query(`INSERT INTO parcel VALUES (61, 'after', 9007199254740993, 5)`);
    await client.query('COMMIT');
    await same();
  });

  test('two columns that swap their names', async () => {
    const { source, same } = await started('CREATE TABLE pair (id int PRIMARY KEY, a text, b text)', {}, seen);
    await source.query(`INSERT INTO pair VALUES (1, 'a', 'b')`);
    await source.query(
      `ALTER TABLE pair RENAME a TO c; ALTER TABLE pair RENAME b TO a; ALTER TABLE pair RENAME c TO b`,
    );
    await source.query(`INSERT INTO pair (id, a, b) VALUES (2, 'a2', 'b2')`);
    await same();
  });

  test('a type changed by an expression: older rows have what the source made of them', async () => {
    const { source, target, pair, same } = await started(PARCEL, { config: { destructive_changes: 'apply' } }, seen);
    await source.query(`ALTER TABLE parcel ALTER value TYPE text USING 'v' || (value * 2)`);
    await source.query(`UPDATE parcel SET situs = 'touched' WHERE id = 7`);
    await same();
    expect(await target.value('SELECT value FROM parcel WHERE id = 8')).toBe('v16');
    expect(await pair.countDeadLetters()).toBe(0);
  });

  test('another primary key', async () => {
    const { source, same } = await started(`${PARCEL}; ALTER TABLE parcel ALTER situs SET NOT NULL`, {}, seen);
    await source.query(`ALTER TABLE parcel DROP CONSTRAINT parcel_pkey, ADD PRIMARY KEY (situs)`);
    await source.query(`INSERT INTO parcel VALUES (1, 'twice', 1); DELETE FROM parcel WHERE situs = 'Maple 4'`);
    await same();
  });
});

describe('policies (CHECKLIST 21)', () => {
  test('what takes values away waits for approval, with everything before it at the target', async () => {
    const { source, target, pair, same } = await started(PARCEL);
    await source.query(`INSERT INTO parcel VALUES (70, 'before', 1)`);
    await source.query(`ALTER TABLE parcel DROP COLUMN value`);
    await source.query(`INSERT INTO parcel VALUES (71, 'after')`);
    const error = await pair.untilError('SCHEMA_CHANGE_NEEDS_APPROVAL');
    expect(error).toContain('ALTER TABLE "public"."parcel" DROP COLUMN "value"');
    expect((await pair.state()).state).toBe('failed');
    expect(await target.query('SELECT id, value FROM parcel WHERE id >= 70')).toEqual([{ id: 70, value: 1 }]);
    const [waiting] = (await installation.control.schemaChanges.list(pair.id, { limit: 10 })).items;
    expect(waiting).toMatchObject({ state: 'waiting', steps: [{ kind: 'destructive' }] });

    await pair.approve();
    await pair.until('streaming');
    await same();
    expect((await installation.control.schemaChanges.list(pair.id, { limit: 10 })).items).toMatchObject([
      { id: waiting!.id, state: 'applied', decidedBy: 'test' },
    ]);
    const audit = await installation.control.audit.list(
      { action: 'pair.schema_changed', entityId: pair.id },
      { limit: 10 },
    );
    expect(audit.items).toHaveLength(1);
  });

  test('a pair whose policy is halt waits at an added column too', async () => {
    const { source, target, pair, same } = await started(PARCEL, { config: { schema_changes: 'halt' } });
    await source.query(`ALTER TABLE parcel ADD COLUMN zone text`);
    await source.query(`INSERT INTO parcel (id, zone) VALUES (71, 'R1')`);
    expect(await pair.untilError('SCHEMA_CHANGE_NEEDS_APPROVAL')).toContain('ADD COLUMN "zone" text');
    expect(await target.value('SELECT count(*)::int FROM parcel')).toBe(50);
    await pair.approve();
    await pair.until('streaming');
    await same();
  });

  test('a column that is not mapped changes nothing; one that is, and goes, halts the pair', async () => {
    const { source, target, pair } = await started(PARCEL, {
      tables: [
        { source: 'public.parcel', target: 'cama.lot', columns: { pin: { from: 'id' }, worth: { from: 'value' } } },
      ],
    });
    await source.query(`ALTER TABLE parcel DROP COLUMN situs, ADD COLUMN zone text`);
    await source.query(`INSERT INTO parcel VALUES (71, 5, 'R1')`);
    await pair.fence();
    expect(await target.query('SELECT * FROM cama.lot WHERE pin = 71')).toEqual([{ pin: 71, worth: 5 }]);
    await source.query(`ALTER TABLE parcel DROP COLUMN value`);
    await source.query(`INSERT INTO parcel VALUES (72, 'R1')`);
    expect(await pair.untilError('SOURCE_COLUMN_MISSING')).toContain('has no column "value"');
  });

  test('an excluded column that is dropped, and a filter that names it, halt the pair clearly', async () => {
    const { source, pair } = await started(PARCEL, { tables: [{ source: 'public.parcel', exclude: ['value'] }] });
    await source.query(`ALTER TABLE parcel DROP COLUMN value`);
    await source.query(`INSERT INTO parcel VALUES (72, 'R1')`);
    expect(await pair.untilError('SOURCE_COLUMN_MISSING')).toContain('has no column "value"');
  });

  test('a table that the pair names does not disappear in silence when it is renamed', async () => {
    const { source, target, pair } = await started(PARCEL, { tables: [{ source: 'public.parcel' }] });
    await source.query(`ALTER TABLE parcel RENAME TO lot`);
    await source.query(`INSERT INTO lot VALUES (71, 'after', 1)`);
    expect(await pair.untilError('PAIR_TABLE_GONE')).toContain('public.lot');
    const { definition } = await installation.control.pairs.get(pair.id);
    await installation.control.pairs.change(pair.id, {
      definition: {
        tables: [tableInput.parse({ source: 'public.lot', target: 'public.parcel' })],
        config: definition.config,
      },
    });
    await installation.control.runs.setDesired(pair.id, 'running');
    await pair.until('streaming');
    await pair.fence();
    await expectSameRows(source, target, [{ source: 'public.lot', target: 'public.parcel' }]);
  });
});

describe('what only the source can tell, seen by event triggers', () => {
  test('NOT NULL set and dropped, labels of an enum added and renamed, rows rewritten', async () => {
    const { source, pair, same } = await started(
      'CREATE TABLE person (id int PRIMARY KEY, mood mood NOT NULL, name text, note text)',
      {},
      'by event triggers',
      `CREATE TYPE mood AS ENUM ('sad', 'glad')`,
    );
    await source.query(`INSERT INTO person SELECT n, 'sad', 'name ' || n FROM generate_series(1, 20) AS n`);
    await source.query(`ALTER TABLE person ALTER name SET NOT NULL, ALTER mood DROP NOT NULL`);
    await source.query(`INSERT INTO person VALUES (21, NULL, 'no mood')`);
    await source.query(`ALTER TYPE mood ADD VALUE 'calm' AFTER 'sad'`);
    await source.query(`ALTER TYPE mood ADD VALUE 'angry' BEFORE 'sad'`);
    await source.query(`INSERT INTO person VALUES (22, 'calm', 'c'), (23, 'angry', 'a')`);
    await source.query(`ALTER TYPE mood RENAME VALUE 'glad' TO 'happy'`);
    await source.query(`UPDATE person SET mood = 'happy' WHERE id = 1`);
    // Neither type nor column changes, every value does.
    await source.query(`ALTER TABLE person ALTER name TYPE text USING upper(name)`);
    await same();
    expect(await pair.countDeadLetters()).toBe(0);
  });

  test('tables that are renamed, swap their names, move to another schema, and go', async () => {
    const { source, target, pair, same } = await started(
      `CREATE SCHEMA old; CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (id int PRIMARY KEY, y int); CREATE TABLE c (id int PRIMARY KEY)`,
      { config: { destructive_changes: 'apply' } },
      'by event triggers',
    );
    await source.query(`INSERT INTO a VALUES (1, 'a'); INSERT INTO b VALUES (1, 1); INSERT INTO c VALUES (1)`);
    const client = await source.connect();
    await client.query('BEGIN');
    for (const statement of [
      'ALTER TABLE a RENAME TO between',
      'ALTER TABLE b RENAME TO a',
      'ALTER TABLE between RENAME TO b',
      `INSERT INTO a VALUES (2, 2)`,
      `INSERT INTO b VALUES (2, 'b')`,
    ])
      await client.query(statement);
    await client.query('COMMIT');
    await same();
    await source.query(`ALTER TABLE b SET SCHEMA old; INSERT INTO old.b VALUES (3, 'moved')`);
    await source.query(`ALTER SCHEMA old RENAME TO older; UPDATE older.b SET x = 'renamed' WHERE id = 3`);
    await source.query(`INSERT INTO c VALUES (2); DROP TABLE c`);
    await same();
    expect(await target.value(`SELECT to_regclass('public.c') IS NULL`)).toBe(true);
    expect(await pair.countDeadLetters()).toBe(0);
  });

  test('partitions that are made, attached, detached and dropped', async () => {
    const { source, pair, same } = await started(
      `CREATE TABLE sale (id int, year int, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
       CREATE TABLE sale_2024 PARTITION OF sale FOR VALUES IN (2024); CREATE TABLE sale_2025 PARTITION OF sale FOR VALUES IN (2025);
       CREATE TABLE sale_2026 (id int, year int NOT NULL, PRIMARY KEY (id, year))`,
      { config: { destructive_changes: 'apply' } },
      'by event triggers',
    );
    await source.query(`INSERT INTO sale VALUES (1, 2024), (2, 2025); INSERT INTO sale_2026 VALUES (3, 2026)`);
    await source.query(
      `CREATE TABLE sale_2027 PARTITION OF sale FOR VALUES IN (2027); INSERT INTO sale VALUES (4, 2027)`,
    );
    await source.query(
      `ALTER TABLE sale ATTACH PARTITION sale_2026 FOR VALUES IN (2026); INSERT INTO sale VALUES (5, 2026)`,
    );
    await source.query(`DROP TABLE sale_2025`);
    await source.query(
      `ALTER TABLE sale DETACH PARTITION sale_2024; DROP TABLE sale_2024; INSERT INTO sale VALUES (6, 2027)`,
    );
    await pair.fence();
    expect(await pair.deadLetters()).toEqual([]);
    await same();
    expect(await pair.countDeadLetters()).toBe(0);
  });

  test('the source is not harmed: what fails in our trigger fails nothing (Promise 7), and a deleted pair leaves nothing', async () => {
    const { source, pair } = await started(PARCEL, {}, 'by event triggers');
    const triggers = () => source.query(`SELECT evtname FROM pg_event_trigger WHERE evtname LIKE 'terrafusion%'`);
    expect(await triggers()).toHaveLength(3);
    await source.query(`CREATE ROLE clerk_${source.name}; GRANT ALL ON SCHEMA public TO clerk_${source.name}`);
    const client = await source.connect();
    await client.query(`SET ROLE clerk_${source.name}`);
    await client.query('CREATE TABLE own (id int); ALTER TABLE own ADD x int; DROP TABLE own');
    await client.query(`RESET ROLE; DROP OWNED BY clerk_${source.name}; DROP ROLE clerk_${source.name}`);
    await installation.control.pairs.delete(pair.id);
    await pair.untilPurged();
    expect(await triggers()).toHaveLength(0);
    expect(await source.value(`SELECT to_regnamespace('_terrafusion') IS NULL`)).toBe(true);
  });
});
