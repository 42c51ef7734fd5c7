import { describeSettings } from '#services/kernel/settings.ts';
import { exitCodes } from '../exit-codes.ts';
import { json, table, type Terminal } from '../output.ts';

/** `terrafusion config check`: the effective settings, secrets masked (Promise 8), and where each comes from. */
export function configCheck(
  terminal: Terminal,
  { asJson, withDefaults }: { readonly asJson: boolean; readonly withDefaults: boolean },
  env: NodeJS.ProcessEnv = process.env,
): number {
  const settings = describeSettings(env);
  if (asJson) {
    terminal.out(json(settings));
    return exitCodes.OK;
  }
  const shown = withDefaults ? settings : settings.filter(({ origin }) => origin !== 'default');
  terminal.out(
    table(shown, [
      { title: 'SETTING', value: ({ name }) => name },
      { title: 'VALUE', value: ({ value }) => value ?? '(not set)' },
      { title: 'FROM', value: ({ origin }) => origin },
    ]),
  );
  if (shown.length === 0) terminal.out('Every setting has its default; --all shows them.\n');
  terminal.err('The settings are valid.\n');
  return exitCodes.OK;
}
