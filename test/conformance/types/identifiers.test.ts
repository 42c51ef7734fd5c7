import { expect, test } from 'vitest';
import { quoteIdentifier, quoteTable } from '#connectors/postgres/identifiers.ts';
import { formatTableName } from '#schemas/tables.ts';
import { expectSameRows } from '#test/support/rows.ts';
import { freshDatabase, freshInstallation } from '#test/support/servers.ts';

/** CHECKLIST 26: names of schemas, tables and columns, each of them as all three. To add one: a line. */
const names: readonly string[] = [
  'Upper Case',
  'with "quotes"',
  "with 'apostrophes'",
  'with.dots.',
  ' spaces around ',
  'select',
  'x'.repeat(63),
  'é'.repeat(31),
  'Größe 住所 😀',
  'back\\slash\\',
  '$1',
  '%s %I',
  'a,b;c--d/*e*/',
  '{"json": [1]}',
  'tab\tand\nline',
  '1',
  '=cmd',
];

/** Columns that differ only by case, and some that SQL knows as something else. */
const more = ['name', 'Name', 'NAME', 'ctid2', 'oid', 'user', 'n'];

test('CHECKLIST 26: names of any kind, through load, chain and stream', async () => {
  const [source, target] = [await freshDatabase('source'), await freshDatabase('target')];
  const tables = names.map((name) => ({ schema: name, name }));
  for (const table of tables) {
    const columns = [...more.map((column) => `${quoteIdentifier(column)} text`), 'plain int'];
    await source.query(`CREATE SCHEMA ${quoteIdentifier(table.schema)}`);
    await source.query(
      `CREATE TABLE ${quoteTable(table)} (${quoteIdentifier(table.name)} int PRIMARY KEY, ${columns.join(', ')})`,
    );
    await source.query(`INSERT INTO ${quoteTable(table)} VALUES (2)`);
    await source.query(`INSERT INTO ${quoteTable(table)} VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 0)`);
  }
  // A second time under names that are as odd, through a chain that looks into each row.
  const elsewhere = (name: string) => ({ schema: `mapped ${name}`.slice(0, 20), name });
  const mapped = tables.map((table) => ({
    source: formatTableName(table),
    target: formatTableName(elsewhere(table.name)),
    where: `row[${JSON.stringify(table.name)}] > 0`,
    columns: {
      [table.name]: { from: table.name },
      ...Object.fromEntries(more.map((column) => [column, { from: column }])),
      Plain: { from: 'plain' },
    },
  }));
  const installation = await freshInstallation();
  const service = installation.start();
  const plain = await installation.addPair({
    source,
    target,
    tables: tables.map((table) => ({ source: formatTableName(table) })),
  });
  const chained = await installation.addPair({ source, target, sourceOf: plain, tables: mapped });
  await Promise.all([plain.until('streaming'), chained.until('streaming')]);
  for (const table of tables) {
    const key = quoteIdentifier(table.name);
    await source.query(`INSERT INTO ${quoteTable(table)} VALUES (3, 'x'), (4, 'y')`);
    await source.query(`UPDATE ${quoteTable(table)} SET "name" = 'n', "Name" = 'N', plain = 7 WHERE ${key} = 1`);
    await source.query(`UPDATE ${quoteTable(table)} SET ${key} = 5 WHERE ${key} = 2`);
    await source.query(`DELETE FROM ${quoteTable(table)} WHERE ${key} = 3`);
  }
  await Promise.all([plain.fence(), chained.fence()]);
  await expectSameRows(source, target, tables.map(formatTableName));
  await expectSameRows(
    source,
    target,
    tables.map((table) => ({
      source: formatTableName(table),
      target: formatTableName(elsewhere(table.name)),
      columns: [table.name, ...more],
    })),
  );
  expect([await plain.countDeadLetters(), await chained.countDeadLetters()]).toEqual([0, 0]);
  await service.stop();
});
