import type { Terminal } from './output.ts';

/** What was asked of a command cannot be meant: it ends with the exit code of wrong arguments, before anything was done. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/**
 * Whether somebody wants this done: `yes` says so beforehand, else a person is asked.
 * @throws {UsageError} when nobody can be asked: a script has to say --yes
 */
export async function confirmed(terminal: Terminal, question: string, yes: boolean): Promise<boolean> {
  if (yes) return true;
  refuseWithoutPerson(terminal, question);
  const answer = await terminal.ask(`${question} [y/N] `);
  const agreed = /^\s*y(es)?\s*$/i.test(answer ?? '');
  if (!agreed) terminal.err('Nothing was done.\n');
  return agreed;
}

/** As {@link confirmed}, for what cannot be taken back: the name of the thing has to be typed. */
export async function confirmedByName(
  terminal: Terminal,
  question: string,
  name: string,
  yes: boolean,
): Promise<boolean> {
  if (yes) return true;
  refuseWithoutPerson(terminal, question);
  const answer = await terminal.ask(`${question}\nType ${name} to go on: `);
  const agreed = answer?.trim() === name;
  if (!agreed) terminal.err('Nothing was done.\n');
  return agreed;
}

function refuseWithoutPerson(terminal: Terminal, question: string): void {
  if (!terminal.canAsk) throw new UsageError(`${question}\nNobody can be asked here: give --yes to have it done.`);
}
