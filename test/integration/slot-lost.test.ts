import { expect, test } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { openInstallation } from '#test/support/installation.ts';
import { startPostgres } from '#test/support/postgres.ts';

test('a slot whose WAL the source has recycled is SOURCE_HISTORY_LOST, never a gap', async () => {
  await using server = await startPostgres({ settings: { fsync: 'off', max_slot_wal_keep_size: '48MB' } });
  const [source, target] = [await server.createDatabase('source'), await server.createDatabase('target')];
  await source.query('CREATE TABLE parcel (id bigint PRIMARY KEY, notes text)');
  await using installation = await openInstallation({ server: server.url() });
  const service = installation.start();
  const pair = await installation.addPair({ source, target });
  await pair.until('streaming');
  await source.query("INSERT INTO parcel VALUES (1, 'arrives')");
  await pair.fence();
  await service.stop();

  await source.query("INSERT INTO parcel VALUES (2, 'is lost')");
  await eventually(
    async () => {
      await source.query("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 16 * 1024 * 1024))");
      await source.query('SELECT pg_switch_wal()');
      await source.query('CHECKPOINT');
      return source.value<boolean>(
        "SELECT bool_and(wal_status = 'lost') FROM pg_replication_slots WHERE database = current_database()",
      );
    },
    { within: 60_000, what: 'the slot to be lost' },
  );

  const second = installation.start();
  await pair.untilError('SOURCE_HISTORY_LOST');
  expect((await pair.state()).state).toBe('failed');
  expect(await target.query('SELECT id FROM parcel')).toEqual([{ id: '1' }]);
  await second.stop();
});
