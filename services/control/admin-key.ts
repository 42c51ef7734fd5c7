import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { formatApiKey, generateApiKey, parseApiKey } from '#services/kernel/api-keys.ts';
import { createFileOnce, readIfThere } from '#services/kernel/files.ts';
import type { Control } from './control.ts';

/** The file of the data folder that holds the first administrator key when none is given. Readable by its owner only. */
export const ADMIN_KEY_FILE = 'admin-key';

/** How the first administrator gets in. */
export interface AdminKey {
  /** made: just now, to be shown once. given: by TERRAFUSION_ADMIN_KEY. kept: there were administrators already. */
  readonly origin: 'made' | 'given' | 'kept';
  /** undefined when it is known to its holder only. */
  readonly key: Secret | undefined;
  /** Where the key can be read, if it was made here. */
  readonly file: string | undefined;
}

/**
 * Sees to it that somebody can get in. Calling again, also by two processes at once and after a crash in between, changes nothing:
 * the file is written first, and a key in the file is taken over when the control database does not know it.
 * @throws DATA_FOLDER_UNUSABLE
 */
export async function ensureAdminKey(
  control: Control,
  given: Secret | undefined,
  dataFolder: string,
): Promise<AdminKey> {
  if (given) {
    await adoptGiven(control, given);
    return { origin: 'given', key: given, file: undefined };
  }
  const file = join(dataFolder, ADMIN_KEY_FILE);
  try {
    const held = await keptIn(file, control);
    if (held) return held;
    if ((await control.apiKeys.countAdmins()) > 0) {
      // Another process that starts at the same time may have made it between the two looks.
      return (await keptIn(file, control)) ?? { origin: 'kept', key: undefined, file: undefined };
    }
    const text = new Secret((await createFileOnce(file, `${formatApiKey(generateApiKey()).reveal()}\n`)).trim());
    await adopt(control, text, file);
    return { origin: 'made', key: text, file };
  } catch (cause) {
    if (cause instanceof TerraFusionError) throw cause;
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${file} cannot be read or written: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}

async function keptIn(file: string, { apiKeys }: Control): Promise<AdminKey | undefined> {
  const held = (await readIfThere(file))?.trim();
  const good = held !== undefined && (await apiKeys.verify(held))?.role === 'admin';
  return good ? { origin: 'kept', key: new Secret(held), file } : undefined;
}

async function adopt(control: Control, text: Secret, file: string): Promise<void> {
  if (parseApiKey(text.reveal()) === undefined) {
    throw new TerraFusionError(
      'DATA_FOLDER_UNUSABLE',
      `${file} does not hold an API key; move it away and start again`,
    );
  }
  await control.transaction(async (transaction) => {
    const record = await transaction.apiKeys.adopt(text, { name: 'admin', role: 'admin', createdBy: 'first start' });
    if (!record) {
      // Another process that starts at the same time was faster.
      if (await transaction.apiKeys.verify(text.reveal())) return;
      throw new TerraFusionError(
        'DATA_FOLDER_UNUSABLE',
        `The administrator key in ${file} was revoked, and there is no other; move the file away and start again for a new one`,
      );
    }
    await transaction.audit.append(entry('api_key.create', record.id, { name: 'admin', role: 'admin', file }));
  });
}

/** The variable is the truth about its key's secret, so that changing it there is enough. A revoked key stays revoked. */
async function adoptGiven(control: Control, given: Secret): Promise<void> {
  const parsed = parseApiKey(given.reveal());
  if (!parsed) throw new TerraFusionError('CONFIG_INVALID', 'TERRAFUSION_ADMIN_KEY: must be tfk_<id>_<secret>');
  await control.transaction(async (transaction) => {
    const { apiKeys, audit } = transaction;
    const record = await apiKeys.adopt(given, { name: 'admin', role: 'admin', createdBy: 'TERRAFUSION_ADMIN_KEY' });
    if (record) {
      await audit.append(entry('api_key.create', record.id, { name: 'admin', role: 'admin' }));
    } else if (!(await apiKeys.matches(parsed.id, parsed.secret))) {
      await apiKeys.replaceSecret(parsed.id, parsed.secret);
      await audit.append(entry('api_key.replace', parsed.id, { by: 'TERRAFUSION_ADMIN_KEY' }));
    }
  });
}

const entry = (action: string, id: string, after: object) => ({
  actor: 'gateway',
  action,
  entityKind: 'api_key',
  entityId: id,
  outcome: 'success' as const,
  after,
});
