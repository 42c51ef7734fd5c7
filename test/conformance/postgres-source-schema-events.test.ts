import { expect, test } from 'vitest';
import { installSchemaEvents } from '#connectors/postgres/source/schema-events.ts';
import { freshDatabase } from '#test/support/servers.ts';

test('a message stands before the rows of the new shape, whatever subtransaction they are in', async () => {
  const source = await freshDatabase('source');
  const client = await source.connect();
  await client.query('CREATE TABLE sale (id int, year int) PARTITION BY LIST (year)');
  await client.query('CREATE PUBLICATION told FOR TABLE sale WITH (publish_via_partition_root = true)');
  expect(await installSchemaEvents(client, 'told')).toBe(true);
  const slot = `told_${source.name}`;
  await client.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  await client.query(
    `CREATE TABLE sale_2027 PARTITION OF sale FOR VALUES IN (2027); INSERT INTO sale VALUES (4, 2027)`,
  );
  await client.query('BEGIN; SAVEPOINT one');
  await client.query('CREATE TABLE sale_2028 PARTITION OF sale FOR VALUES IN (2028); RELEASE one');
  await client.query('INSERT INTO sale VALUES (5, 2028); COMMIT');
  const { rows } = await client.query<{ kind: string }>(
    `SELECT chr(get_byte(data, 0)) AS kind FROM pg_logical_slot_get_binary_changes($1, NULL, NULL,
       'proto_version', '1', 'publication_names', 'told', 'messages', 'true') WHERE get_byte(data, 0) IN (ascii('M'), ascii('I'), ascii('C'))`,
    [slot],
  );
  // The small one that keeps them apart belongs to no transaction, and has no position for us.
  const kinds = rows.map(({ kind }) => kind).join('');
  expect(kinds.replaceAll(/M+/g, 'M')).toMatch(/^M?MICM?MIC$/);
});
