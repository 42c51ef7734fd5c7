import { eventually } from '#test/support/eventually.ts';
import type { Family } from '../fault.ts';
import type { Scene } from '../scene.ts';

async function approve(scene: Scene): Promise<void> {
  await scene.pair.approve();
}

export const schema: Family = {
  name: 'Changed tables of the source',
  faults: [
    {
      name: 'tables altered while the target is away',
      what: 'Columns are added, renamed and widened at the source while the target cannot be reached, money moving in between.',
      outcome: 'recovers',
      strike: async (scene) => {
        const { database } = scene.source;
        scene.target.proxy.cut();
        await scene.untilTold('TARGET_UNREACHABLE');
        await database.query(`ALTER TABLE savings ADD COLUMN opened date DEFAULT '2020-01-01'`);
        // Locked as a whole, so that it waits for whoever moves money, and nobody for it and for each other.
        await database.query('BEGIN; LOCK TABLE savings; UPDATE savings SET opened = opened + id; COMMIT');
        await database.query('ALTER TABLE savings RENAME COLUMN remark TO comment');
        await database.query('ALTER TABLE note ALTER COLUMN amount TYPE bigint');
        await database.query('CREATE INDEX ON note (amount)');
        scene.target.proxy.open();
      },
    },
    {
      name: 'tables altered, and the service killed',
      what: 'A column is added and another one renamed at the source, and the service is killed at once.',
      outcome: 'recovers',
      strike: async (scene) => {
        await scene.source.database.query(
          'ALTER TABLE note ADD COLUMN kind text; ALTER TABLE savings RENAME COLUMN opened TO since',
        );
        await scene.service.kill();
        scene.startService();
      },
    },
    {
      name: 'table made and filled while the source is cut off',
      what: 'CREATE TABLE with rows at the source while the reader cannot reach it; the pair takes new tables by itself.',
      outcome: 'recovers',
      strike: async (scene) => {
        scene.source.proxy.cut();
        await scene.source.database.query(
          'CREATE TABLE branch (id int PRIMARY KEY, name text); INSERT INTO branch SELECT n, n FROM generate_series(1, 5000) n',
        );
        await scene.untilTold('SOURCE_DISCONNECTED');
        scene.source.proxy.open();
        // A new table is loaded beside the stream, which is in step without it.
        await eventually(async () => (await scene.target.database.value('SELECT count(*) FROM branch')) === '5000', {
          within: 120_000,
          what: 'the new table',
        });
      },
    },
    {
      name: 'column dropped at the source',
      what: 'ALTER TABLE … DROP COLUMN at the source: values would go at the target.',
      outcome: { halts: 'SCHEMA_CHANGE_NEEDS_APPROVAL', fix: 'Approve it.' },
      strike: async (scene) => {
        const { database } = scene.source;
        // One that nobody else writes to: who moves money goes on meanwhile.
        await database.query('ALTER TABLE note ADD COLUMN spare int DEFAULT 1');
        await database.query(
          'BEGIN; LOCK TABLE note; UPDATE note SET spare = spare + 1; ALTER TABLE note DROP COLUMN spare; COMMIT',
        );
        await database.query("INSERT INTO note (id, amount, body) VALUES (-10, 1, 'without it')");
      },
      fix: approve,
    },
  ],
};
