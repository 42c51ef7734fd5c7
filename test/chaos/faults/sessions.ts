import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '#test/support/eventually.ts';
import type { Family } from '../fault.ts';
import type { End } from '../scene.ts';

/** Does it to every session that `which` finds, several times, each time once there is one. */
async function toSessions({ database }: End, what: string, which: string, times: number): Promise<void> {
  for (let time = 0; time < times; time += 1) {
    await eventually(
      async () => {
        const done = await database.query(
          `SELECT ${what}(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND ${which}`,
        );
        return done.length > 0;
      },
      { within: 60_000, every: 5, what: `a session where ${which}` },
    );
    await delay(200);
  }
}

const ours = `application_name LIKE 'terrafusion%'`;

export const sessions: Family = {
  name: 'Sessions',
  faults: [
    {
      name: 'walsender terminated',
      what: 'pg_terminate_backend on the session that the reader streams from, five times.',
      outcome: 'recovers',
      strike: (scene) => toSessions(scene.source, 'pg_terminate_backend', `backend_type = 'walsender'`, 5),
    },
    {
      name: 'writer’s session terminated',
      what: 'pg_terminate_backend on the session that the writer writes in, five times.',
      outcome: 'recovers',
      short: true,
      strike: (scene) => toSessions(scene.target, 'pg_terminate_backend', ours, 5),
    },
    {
      name: 'writer’s statement cancelled',
      what: 'pg_cancel_backend while the writer’s session runs a statement, ten times.',
      outcome: 'recovers',
      strike: (scene) => toSessions(scene.target, 'pg_cancel_backend', `${ours} AND state = 'active'`, 10),
    },
    {
      name: 'control database’s sessions terminated',
      what: 'pg_terminate_backend on all sessions of the service, five times.',
      outcome: 'recovers',
      strike: (scene) =>
        toSessions(scene.control, 'pg_terminate_backend', `application_name = 'terrafusion sync-service'`, 5),
    },
  ],
};
