import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import type { Log } from '../log.ts';
import type { Database, Queryable } from './database.ts';

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** "terrafusion migrations", as a number that nobody else locks by chance. */
const LOCK = '7310571648237091913';

/**
 * Brings the control database to what the `NNNN_name.sql` files of `folder` describe: those not applied yet, in order, each in a
 * transaction of its own. Two processes may do this at once: one works, the other waits and finds it done. Returns what was applied.
 * @throws {TerraFusionError} CONTROL_DATABASE_VERSION when the database was migrated by a newer or an altered version.
 */
export async function migrate(database: Database, folder: string, log?: Log): Promise<string[]> {
  const migrations = await readMigrations(folder);
  return await database.session(async (session) => {
    // The other one may need longer than a statement of ours may take, as a rule.
    await session.run('SET statement_timeout = 0');
    await session.run(`SELECT pg_advisory_lock(${LOCK})`);
    try {
      return await applyMissing(session, migrations, log);
    } finally {
      await session.run(`SELECT pg_advisory_unlock(${LOCK})`).catch(() => undefined);
      await session.run('RESET statement_timeout').catch(() => undefined);
    }
  });
}

async function applyMissing(
  session: Queryable,
  migrations: readonly Migration[],
  log: Log | undefined,
): Promise<string[]> {
  await session.run('CREATE SCHEMA IF NOT EXISTS terrafusion');
  await session.run(
    `CREATE TABLE IF NOT EXISTS terrafusion.migrations (
       name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  );
  const done = await session.query<{ name: string; checksum: string }>(
    'SELECT name, checksum FROM terrafusion.migrations ORDER BY name',
  );
  check(done, migrations);
  const missing = migrations.slice(done.length);
  for (const { name, sql, checksum } of missing) {
    try {
      await session.run('BEGIN');
      await session.run(sql);
      await session.run('INSERT INTO terrafusion.migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
      await session.run('COMMIT');
    } catch (error) {
      await session.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
    log?.info({ migration: name }, 'The control database was migrated.');
  }
  return missing.map(({ name }) => name);
}

/** What was applied must be a beginning of what there is, unaltered. */
function check(done: readonly { name: string; checksum: string }[], migrations: readonly Migration[]): void {
  for (const [index, { name, checksum }] of done.entries()) {
    const known = migrations[index];
    if (known === undefined || known.name > name) {
      throw versionError(`The control database has the migration ${name}, which this version does not know`, name);
    }
    if (known.name !== name)
      throw versionError(`The migration ${known.name} would have to be applied before ${name}, which is already`, name);
    if (known.checksum !== checksum)
      throw versionError(`The migration ${name} was applied with another content than this version has`, name);
  }
}

function versionError(message: string, migration: string): TerraFusionError {
  return new TerraFusionError('CONTROL_DATABASE_VERSION', message, { details: { migration } });
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return await Promise.all(
    names.map(async (name) => {
      // A checkout on Windows may have changed the line ends; that is no other content.
      const sql = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n');
      return { name: name.slice(0, -'.sql'.length), sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}
