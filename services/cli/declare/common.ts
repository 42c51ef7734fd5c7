import { InvalidArgumentError, Option, type Command } from 'commander';
import { momentInput } from '#schemas/http/common.ts';
import type { GatewayCommandOptions } from '../commands/gateway-options.ts';
import { telling } from '../failure.ts';
import type { GatewayClient } from '../gateway-client.ts';
import type { Terminal } from '../output.ts';

/** A command that asks a gateway: "show <pair>". */
export function gatewayCommand(
  parent: Command,
  nameAndArguments: string,
  description: string,
  isDefault = false,
): Command {
  return parent
    .command(nameAndArguments, { isDefault })
    .description(description)
    .option('--url <url>', 'the gateway (TERRAFUSION_URL); by default the one of this machine')
    .option('--key-file <file>', 'file with the API key (TERRAFUSION_API_KEY, TERRAFUSION_API_KEY_FILE)')
    .option('--json', 'the answer as JSON');
}

/** A group: what it does without a word after it is its list. */
export function group(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description);
}

interface Words {
  readonly examples: string[];
  readonly notes: string[];
}

/** What a command's help says beside its options, kept for the reference page. */
const said = new WeakMap<Command, Words>();

export function wordsOf(command: Command): Words {
  const words = said.get(command) ?? { examples: [], notes: [] };
  said.set(command, words);
  return words;
}

/** Lines under "Examples" in a command's help. */
export function examples(command: Command, ...lines: readonly string[]): Command {
  wordsOf(command).examples.push(...lines);
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ terrafusion ${line}`).join('\n')}`);
}

/** A paragraph under the options. */
export function note(command: Command, text: string): Command {
  wordsOf(command).notes.push(text);
  return command.addHelpText('after', `\n${text}`);
}

export const yesOption = (): Option => new Option('-y, --yes', 'without asking first');
export const limitOption = (): Option =>
  new Option('--limit <n>', 'how many, the latest first').argParser(whole(1, 1_000_000)).default(20);
export const timeoutOption = (what: string): Option =>
  new Option('--timeout <seconds>', what).argParser(whole(1, 1_000_000));

/** Runs what a command does against the gateway it means; its result is the exit code. */
export type Run = (
  options: GatewayCommandOptions,
  work: (client: GatewayClient, asJson: boolean) => Promise<number>,
) => Promise<void>;

export function runAgainst(terminal: Terminal): Run {
  return async (options, work) => {
    const asJson = options.json ?? false;
    await telling(terminal, asJson, async () => {
      const { openClient } = await import('../commands/gateway-options.ts');
      return await work(await openClient(options, process.env, terminal), asJson);
    });
  };
}

export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`a number from ${min} to ${max}`);
  };
}

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A moment: ISO 8601, a day, or how long ago: "15m", "2h", "3d". As the API takes it. */
export function moment(text: string, now: number = Date.now()): string {
  const [, figure, unit] = /^(\d{1,6})\s*([smhd])$/.exec(text) ?? [];
  if (figure !== undefined) return new Date(now - Number(figure) * units[unit!]! * 1000).toISOString();
  const whole = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  if (momentInput.safeParse(whole).success) return new Date(whole).toISOString();
  throw new InvalidArgumentError(
    'a time such as 2026-01-31T08:15:30Z, a day such as 2026-01-31, or how long ago: 15m, 2h, 3d',
  );
}

/** Collects the values of an option that may be given several times. */
export const several = (value: string, before: readonly string[]): string[] => [...before, value];
