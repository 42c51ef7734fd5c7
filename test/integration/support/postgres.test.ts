import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { startPostgres } from '#test/support/postgres.ts';
import { freshDatabase } from '#test/support/servers.ts';

test('files share a cluster and have databases of their own', async () => {
  const [one, other] = [await freshDatabase('source'), await freshDatabase('source')];
  await one.query('CREATE TABLE parcel (id int)');
  expect(await other.value("SELECT to_regclass('parcel')")).toBeNull();
  expect(await one.value('SHOW wal_level')).toBe('logical');
});

test('a killed server comes back on its port with what was committed', async () => {
  await using server = await startPostgres({ settings: { work_mem: '5MB' } });
  const database = await server.createDatabase();
  await database.query('CREATE TABLE parcel (id int); INSERT INTO parcel VALUES (1)');
  await server.kill9();
  expect(server.pid).toBeUndefined();
  await server.start();
  expect(await database.value('SELECT id FROM parcel')).toBe(1);
  await server.restart({ work_mem: '6MB' });
  expect(await database.value('SHOW work_mem')).toBe('6MB');
  await database.drop();
});

test('a database goes with its slots, also when somebody reads them', async () => {
  const database = await freshDatabase('source');
  await database.query("SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')");
  await database.drop();
  const other = await freshDatabase('source');
  expect(await other.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = 'left_behind'")).toEqual([]);
});

test('nothing is left of a server whose test process was killed', async () => {
  const script = fileURLToPath(new URL('../../fixtures/start-postgres-and-wait.ts', import.meta.url));
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { pid, folder } = JSON.parse(line) as { pid: number; folder: string };
  expect(existsSync(folder)).toBe(true);
  child.kill('SIGKILL');
  await eventually(() => !existsSync(folder) && !isAlive(pid), { what: 'server and folder to go' });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
