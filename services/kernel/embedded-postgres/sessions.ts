import { dirname } from 'node:path';
import pg from 'pg';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Secret } from '#schemas/secret.ts';

/** Where embedded servers listen: nobody from outside has business there. */
export const HOST = '127.0.0.1';

/**
 * Logs in, and looks whether it is this cluster that answers.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE when the password does not fit.
 */
export async function checkLogin(
  port: number,
  cluster: string,
  { user, password }: { readonly user: string; readonly password: Secret },
): Promise<void> {
  const client = new pg.Client({
    ...{ host: HOST, port, user, password: password.reveal(), database: 'postgres' },
    ssl: false,
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`);
    if (rows[0]?.folder !== cluster) throw new Error(`another server answers on port ${port}`);
  } catch (cause) {
    if (cause instanceof pg.DatabaseError && cause.code?.startsWith('28')) {
      const folder = dirname(cluster);
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `The password for user "${user}" does not open the PostgreSQL cluster in ${folder}`,
        { cause, details: { folder } },
      );
    }
    throw cause;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes the database when it is not there. */
export async function ensureDatabase(url: Secret, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: url.reveal() });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${pg.escapeIdentifier(database)}`);
  } catch (error) {
    // 42P04, or 23505 when another process makes it at the same moment: it is there.
    if (!(error instanceof pg.DatabaseError && ['42P04', '23505'].includes(error.code ?? ''))) throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}
