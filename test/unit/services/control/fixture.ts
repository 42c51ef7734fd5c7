import { pairConfig } from '#schemas/pairs.ts';
import { Secret } from '#schemas/secret.ts';
import { openControl, type Control } from '#services/control/control.ts';
import type { PairOverview } from '#services/control/pair-records.ts';
import { SecretBox } from '#services/kernel/secrets.ts';
import { withControlDatabase } from '../kernel/control-database.ts';

export const secrets = new SecretBox(new Secret('a master key for tests'));

/** A control database for this test file, and its repositories. */
export function withControl(): { readonly control: Control } {
  const database = withControlDatabase();
  let control: Control | undefined;
  return {
    get control() {
      control ??= openControl(database.database, secrets);
      return control;
    },
  };
}

let made = 0;

/** A pair between two systems of its own. */
export async function makePair(control: Control, name = `pair-${(made += 1)}`): Promise<PairOverview> {
  const end = (role: string) =>
    control.systems.create({
      name: `${name}-${role}`,
      connector: 'postgres',
      connection: { url: 'postgresql://sync@db/x', password: 'hunter2' },
      secretFields: ['password'],
    });
  const [source, target] = [await end('source'), await end('target')];
  return await control.pairs.create({
    name,
    sourceId: source.id,
    targetId: target.id,
    tables: undefined,
    config: pairConfig.parse({}),
    desired: 'paused',
  });
}

export const missingId = '00000000-0000-4000-8000-000000000000';
