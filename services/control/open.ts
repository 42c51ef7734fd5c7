import { fileURLToPath } from 'node:url';
import { TerraFusionError } from '#schemas/errors.ts';
import { migrate, openDatabase, type DatabaseAddress } from '#services/kernel/database/index.ts';
import type { Log } from '#services/kernel/log.ts';
import { masterKey, SecretBox } from '#services/kernel/secrets.ts';
import type { ControlDatabaseSettings, Settings } from '#services/kernel/settings.ts';
import { openControl, type Control } from './control.ts';

const migrations = fileURLToPath(new URL('../../infra/migrations', import.meta.url));

/**
 * The control database that the settings name, migrated, in the words of the domain. Waits up to a minute for one that is not there yet.
 * @param name of the process, as pg_stat_activity shows it
 * @throws CONFIG_INVALID when none is named; CONTROL_DATABASE_UNREACHABLE, CONTROL_DATABASE_LOGIN_FAILED, DATA_FOLDER_UNUSABLE
 */
export async function openControlDatabase(
  settings: Settings,
  name: string,
  log: Log,
  signal?: AbortSignal,
): Promise<{ readonly control: Control } & AsyncDisposable> {
  const database = await openDatabase(addressOf(settings.controlDatabase), {
    name,
    log,
    connections: settings.controlDatabaseConnections,
    patienceMs: 60_000,
    ...(signal && { signal }),
  });
  try {
    await migrate(database, migrations, log);
    const master = await masterKey(settings.masterKey, settings.dataFolder);
    const secrets = new SecretBox(master, settings.previousMasterKey);
    return { control: openControl(database, secrets), [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

function addressOf(settings: ControlDatabaseSettings): DatabaseAddress {
  if (settings.kind === 'embedded') {
    throw new TerraFusionError(
      'CONFIG_INVALID',
      'DATABASE_URL: no control database is named; `terrafusion up` runs an embedded one',
    );
  }
  return settings.kind === 'url' ? { url: settings.url } : settings;
}
