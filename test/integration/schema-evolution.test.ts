import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tableInput } from '#schemas/pairs.ts';
import type { TestDatabase } from '#test/support/database.ts';
import type { Installation, NewTestPair, RunningService, TestPair } from '#test/support/installation.ts';
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

async function started(schema: string, more: Partial<NewTestPair> = {}): Promise<Started> {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(schema);
  const pair = await installation.addPair({ source, target, ...more });
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

describe('columns, seen by the shapes that the stream announces (CHECKLIST 18–20)', () => {
  test('an added column: older rows have its constant default', async () => {
    const { source, same } = await started(PARCEL);
    await source.query(`ALTER TABLE parcel ADD COLUMN zone text DEFAULT 'R''1', ADD COLUMN note text`);
    await source.query(
      `INSERT INTO parcel VALUES (51, 'Oak', 1, 'C', 'new'); UPDATE parcel SET zone = 'X' WHERE id = 1`,
    );
    await same();
  });

  test('an added column whose default is computed row by row: older rows have the values of the source', async () => {
    const { source, same } = await started(PARCEL);
    await source.query(`ALTER TABLE parcel ADD COLUMN token uuid DEFAULT gen_random_uuid()`);
    await source.query(`UPDATE parcel SET value = 0 WHERE id = 2; DELETE FROM parcel WHERE id = 3`);
    await same();
  });

  test('renamed, added and given other types at once, in the midst of a transaction', async () => {
    const { source, same } = await started(PARCEL);
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
    const { source, same } = await started('CREATE TABLE pair (id int PRIMARY KEY, a text, b text)');
    await source.query(`INSERT INTO pair VALUES (1, 'a', 'b')`);
    await source.query(
      `ALTER TABLE pair RENAME a TO c; ALTER TABLE pair RENAME b TO a; ALTER TABLE pair RENAME c TO b`,
    );
    await source.query(`INSERT INTO pair (id, a, b) VALUES (2, 'a2', 'b2')`);
    await same();
  });

  test('a type changed by an expression: older rows have what the source made of them', async () => {
    const { source, target, pair, same } = await started(PARCEL, { config: { destructive_changes: 'apply' } });
    await source.query(`ALTER TABLE parcel ALTER value TYPE text USING 'v' || (value * 2)`);
    await source.query(`UPDATE parcel SET situs = 'touched' WHERE id = 7`);
    await same();
    expect(await target.value('SELECT value FROM parcel WHERE id = 8')).toBe('v16');
    expect(await pair.countDeadLetters()).toBe(0);
  });

  test('another primary key', async () => {
    const { source, same } = await started(`${PARCEL}; ALTER TABLE parcel ALTER situs SET NOT NULL`);
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
    const [waiting] = await installation.control.schemaChanges.list(pair.id, 10);
    expect(waiting).toMatchObject({ state: 'waiting', steps: [{ kind: 'destructive' }] });

    await pair.approve();
    await pair.until('streaming');
    await same();
    expect(await installation.control.schemaChanges.list(pair.id, 10)).toMatchObject([
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
