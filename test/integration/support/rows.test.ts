import { expect, test } from 'vitest';
import { expectSameRows, hashTable, tablesOf } from '#test/support/rows.ts';
import { freshDatabase } from '#test/support/servers.ts';

const TABLE = 'CREATE TABLE parcel (pin text, value numeric, seen timestamptz, area float8)';

test('equal rows are equal in any order of rows and columns, duplicates counted', async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(
    `${TABLE}; INSERT INTO parcel VALUES ('a', 1.50, '2026-01-01', 0.1), ('b', NULL, NULL, 'NaN'), ('b', NULL, NULL, 'NaN')`,
  );
  await target.query('CREATE TABLE parcel (area float8, seen timestamptz, value numeric, pin text)');
  await target.query(
    "INSERT INTO parcel VALUES ('NaN', NULL, NULL, 'b'), (0.1, '2026-01-01', 1.50, 'a'), ('NaN', NULL, NULL, 'b')",
  );
  expect(await expectSameRows(source, target)).toEqual({ 'public.parcel': 3 });
  await target.query("DELETE FROM parcel WHERE ctid = (SELECT max(ctid) FROM parcel WHERE pin = 'b')");
  await expect(expectSameRows(source, target)).rejects.toThrow(/1 rows only at the source, 0 only at the target/);
});

test('a difference that only the text shows is a difference, and is shown', async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  await source.query(`${TABLE}; INSERT INTO parcel VALUES ('a', 1.50, NULL, 1), ('', 1, NULL, 1)`);
  await target.query(`${TABLE}; INSERT INTO parcel VALUES ('a', 1.5, NULL, 1), (NULL, 1, NULL, 1)`);
  const failure = await expectSameRows(source, target).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
  expect(failure).toContain('- (1,a,,1.50)');
  expect(failure).toContain('+ (1,a,,1.5)');
  expect(failure).toContain('- (1,"",,1)');
  expect(failure).toContain('+ (1,,,1)');
});

test('our own bookkeeping is no table of the target', async () => {
  const target = await freshDatabase('target');
  await target.query(
    'CREATE SCHEMA _terrafusion; CREATE TABLE _terrafusion.applied_positions (id int); CREATE TABLE "Odd.Name" (id int)',
  );
  expect(await tablesOf(target)).toEqual(['public."Odd.Name"']);
  expect((await hashTable(target, 'public."Odd.Name"')).rows).toBe(0);
});
