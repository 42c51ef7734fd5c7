import { setTimeout as delay } from 'node:timers/promises';
import type { Family } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { resync, resume } from './fixes.ts';

/** All sessions that the service has at the target end; the next ones find what has changed. */
async function endSessions({ target: { database } }: Scene): Promise<void> {
  await database.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'terrafusion%'`,
  );
}

/** Somebody's transaction holds tables while `work` goes on. */
async function locked(scene: Scene, work: () => Promise<unknown>): Promise<void> {
  const client = await scene.target.database.connect();
  try {
    await client.query('BEGIN; LOCK TABLE walk, ledger IN ACCESS EXCLUSIVE MODE');
    await work();
  } finally {
    await client.end();
  }
}

async function setReadOnly({ target: { database } }: Scene, on: boolean): Promise<void> {
  const name = await database.value('SELECT quote_ident(current_database())');
  // The transaction itself must be able to write, whatever the setting says by now.
  await database.query(
    `BEGIN READ WRITE; ALTER DATABASE ${name} ${on ? 'SET default_transaction_read_only = on' : 'RESET default_transaction_read_only'}; COMMIT`,
  );
}

async function allowConnections({ target }: Scene, allowed: boolean): Promise<void> {
  const name = await target.database.value('SELECT quote_ident(current_database())');
  const client = await target.server.connect();
  await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${String(allowed)}`);
  await client.end();
}

const SLOW = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END $$;
  CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON step FOR EACH ROW EXECUTE FUNCTION slow()`;

export const targetStates: Family = {
  name: 'Target',
  faults: [
    {
      name: 'target’s tables locked for a while',
      what: 'LOCK TABLE … IN ACCESS EXCLUSIVE MODE for five seconds.',
      outcome: 'recovers',
      strike: (scene) => locked(scene, () => delay(5000)),
    },
    {
      name: 'target’s tables locked for longer than a lock is waited for',
      what: 'Likewise, until TARGET_BUSY is told.',
      outcome: 'recovers',
      strike: (scene) => locked(scene, () => scene.untilTold('TARGET_BUSY')),
    },
    {
      name: 'target slow',
      what: 'A trigger that sleeps 30 ms a row, for ten seconds.',
      outcome: 'recovers',
      strike: async (scene) => {
        await scene.target.database.query(SLOW);
        await delay(10_000);
        await scene.target.database.query('DROP FUNCTION slow CASCADE');
      },
    },
    {
      name: 'target read-only by default',
      what: 'default_transaction_read_only = on at the database and its sessions ended: a default, which the writer’s transactions override.',
      outcome: 'recovers',
      strike: async (scene) => {
        await setReadOnly(scene, true);
        await endSessions(scene);
        await scene.untilInStep();
        await setReadOnly(scene, false);
      },
    },
    {
      name: 'target a standby',
      what: 'The target comes back as a standby, until TARGET_READ_ONLY is told; then it is promoted.',
      outcome: 'recovers',
      strike: async (scene) => {
        const { server } = scene.target;
        await server.shutdown();
        await server.becomeStandby();
        await server.start();
        await scene.untilTold('TARGET_READ_ONLY');
        const client = await server.connect();
        await client.query('SELECT pg_promote(true, 60)');
        await client.end();
      },
    },
    {
      name: 'target lets nobody in',
      what: 'ALTER DATABASE … ALLOW_CONNECTIONS false and its sessions ended, until TARGET_UNREACHABLE is told.',
      outcome: 'recovers',
      strike: async (scene) => {
        await allowConnections(scene, false);
        await endSessions(scene);
        await scene.untilTold('TARGET_UNREACHABLE');
        await allowConnections(scene, true);
      },
    },
    {
      name: 'target’s table dropped',
      what: 'DROP TABLE under load.',
      outcome: { halts: 'TARGET_TABLE_MISSING', fix: 'Resync the pair: the table is made again.' },
      strike: async (scene) => {
        await scene.target.database.query('DROP TABLE walk');
      },
      fix: resync,
    },
    {
      name: 'target’s column dropped',
      what: 'ALTER TABLE … DROP COLUMN under load.',
      outcome: {
        halts: 'TARGET_COLUMN_MISSING',
        fix: 'Add the column again, then resync the pair: its values are gone.',
      },
      strike: async (scene) => {
        await scene.target.database.query('ALTER TABLE walk DROP COLUMN body');
      },
      fix: async (scene) => {
        await scene.target.database.query('ALTER TABLE walk ADD COLUMN body text');
        await resync(scene);
      },
    },
    {
      name: 'target’s trigger refuses',
      what: 'A trigger that raises an exception for every row of a table.',
      outcome: { halts: 'TARGET_STATEMENT_FAILED', fix: 'Correct the trigger, then resume the pair.' },
      strike: async ({ target: { database } }) => {
        await database.query(
          `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '0A000'; END $$;
           CREATE TRIGGER refuse BEFORE INSERT ON step FOR EACH ROW EXECUTE FUNCTION refuse()`,
        );
      },
      fix: async (scene) => {
        await scene.target.database.query('DROP FUNCTION refuse CASCADE');
        await resume(scene);
      },
    },
  ],
};
