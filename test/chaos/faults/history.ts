import { eventually } from '#test/support/eventually.ts';
import type { Family, Fault } from '../fault.ts';
import { Scene } from '../scene.ts';
import { resync } from './fixes.ts';

/** Nobody reads from the source while `work` is done to its slot. */
async function withNobodyReading(scene: Scene, work: (slot: string) => Promise<void>): Promise<void> {
  const { database, proxy } = scene.source;
  proxy.cut();
  const slot = await eventually(
    async () => {
      const [found] = await database.query<{ slot_name: string }>(
        'SELECT slot_name FROM pg_replication_slots WHERE database = current_database() AND NOT temporary AND NOT active',
      );
      return found?.slot_name;
    },
    { within: 60_000, what: 'the slot to be free' },
  );
  await work(slot);
  proxy.open();
}

const dropped: Fault = {
  name: 'slot dropped',
  what: 'pg_drop_replication_slot while the reader is cut off.',
  outcome: { halts: 'SOURCE_SLOT_MISSING', fix: 'Resync the pair.' },
  strike: (scene) =>
    withNobodyReading(scene, async (slot) => {
      await scene.source.database.query('SELECT pg_drop_replication_slot($1)', [slot]);
    }),
  fix: resync,
};

const invalidated: Fault = {
  name: 'slot invalidated',
  what: 'The source writes more than max_slot_wal_keep_size while the reader is cut off, and recycles the WAL.',
  outcome: { halts: 'SOURCE_HISTORY_LOST', fix: 'Resync the pair.' },
  strike: (scene) =>
    withNobodyReading(scene, async (slot) => {
      const { database } = scene.source;
      await eventually(
        async () => {
          await database.query(`SELECT pg_logical_emit_message(false, 'fill', repeat('x', 16 * 1024 * 1024))`);
          await database.query('SELECT pg_switch_wal()');
          await database.query('CHECKPOINT');
          return database.value<boolean>(
            `SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = '${slot}'`,
          );
        },
        { within: 120_000, what: 'the slot to be lost' },
      );
    }),
  fix: resync,
};

const unpublished: Fault = {
  name: 'publication dropped',
  what: 'DROP PUBLICATION under load: what is written without it cannot be decoded any more.',
  outcome: { halts: 'SOURCE_HISTORY_LOST', fix: 'Resync the pair.' },
  strike: async ({ source: { database } }) => {
    await database.query(`DROP PUBLICATION ${await database.value('SELECT quote_ident(pubname) FROM pg_publication')}`);
  },
  fix: resync,
};

export const history: Family = {
  name: 'History of the source',
  faults: [dropped, unpublished, invalidated],
  stage: async (options, work) => {
    await using scene = await Scene.open({ ...options, sourceSettings: { max_slot_wal_keep_size: '48MB' } });
    await work(scene);
  },
};
