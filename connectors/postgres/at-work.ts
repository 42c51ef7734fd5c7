import type { ConnectorContext } from '#connectors/contract/context.ts';
import { SHORT_ANSWER_MS, sessionName, withClient } from './connection.ts';
import type { Role } from './errors.ts';
import { type PostgresSettings, resolveAddress } from './settings.ts';

/**
 * Whether the server works for sessions of these purposes, or of such that begin so; one that waits for a lock does. One that waits for its
 * client, or a walsender for something to send, does not.
 * @throws {TerraFusionError} when it cannot be asked
 */
export async function isAtWork(
  settings: PostgresSettings,
  role: Role,
  purposes: readonly string[],
  context: ConnectorContext,
): Promise<boolean> {
  const address = resolveAddress(settings);
  return await withClient(
    settings,
    context,
    { role, purpose: 'watch', answerWithinMs: SHORT_ANSWER_MS, what: `Could not ask what the ${role} is at` },
    async (client) => {
      const { rows } = await client.query<{ readonly works: boolean }>(
        `SELECT EXISTS (
           SELECT FROM pg_stat_activity a JOIN unnest($1::text[]) AS p (name) ON starts_with(a.application_name, p.name)
            WHERE a.datname = current_database() AND a.usename = current_user AND a.pid <> pg_backend_pid()
              AND a.state = 'active' AND coalesce(a.wait_event_type, '') NOT IN ('Client', 'Activity')) AS works`,
        [purposes.map((purpose) => sessionName(address, purpose))],
      );
      return rows[0]?.works === true;
    },
  );
}
