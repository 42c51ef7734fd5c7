import type { Argument, Command, Option } from 'commander';
import { isDefault, optionsOf } from './completion/words.ts';
import { wordsOf } from './declare/common.ts';
import { exitCodeTable } from './exit-codes.ts';
import { processTerminal } from './output.ts';
import { createProgram } from './program.ts';

/** Every command on one page, from the tree that also makes the help: `node services/cli/reference.ts > infra/docs/cli.md`. */
export function reference(root: Command): string {
  const parts = [
    '# The command line',
    'Written from the commands themselves by `node services/cli/reference.ts > infra/docs/cli.md`; a test says when it is not current.',
    root.description(),
    'Commands that ask a gateway find it by `--url` or `TERRAFUSION_URL`, else on this machine; their key by `--key-file`, `TERRAFUSION_API_KEY` or\n`TERRAFUSION_API_KEY_FILE`, else, for the gateway of this machine only, the administrator\'s of the data folder. Answers go to stdout, all that\nis said about the work to stderr. With `--json` the answer is JSON in the form of the API, and so is an error, on stderr:\n`{"error": {"code", "message", "fix", "details", "request_id"}}`. Colours and redrawing are for terminals only; `NO_COLOR` and `COLUMNS` are\nrespected. What cannot be taken back asks first; where nobody can be asked it wants `--yes`.',
    '## Exit codes',
    table(
      ['Code', 'Meaning'],
      exitCodeTable.map(([code, meaning]) => [String(code), meaning]),
    ),
    '## Commands',
    ...root.commands.flatMap((command) => sections(command, ['terrafusion'])),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sections(command: Command, above: readonly string[]): string[] {
  const path = [...above, command.name()];
  const { examples, notes } = wordsOf(command);
  const isGroup = command.commands.length > 0;
  const list = command.commands.find((each) => isDefault(command, each));
  return [
    `${'#'.repeat(above.length + 2)} ${path.join(' ')}`,
    `${sentence(command.description())}${list ? `; without another word: \`${list.name()}\`` : ''}.`,
    ...(isGroup ? [] : [`\`\`\`\n${path.join(' ')} ${command.usage()}\n\`\`\``]),
    ...argumentsOf(command.registeredArguments),
    ...(isGroup ? [] : optionTable(optionsOf(command))),
    ...notes.map((text) => text.replaceAll('\n', ' ')),
    ...(examples.length === 0 ? [] : [`\`\`\`sh\n${examples.map((line) => `terrafusion ${line}`).join('\n')}\n\`\`\``]),
    ...command.commands.flatMap((each) => sections(each, path)),
  ];
}

function argumentsOf(given: readonly Argument[]): string[] {
  const told = given.filter(({ description, argChoices }) => description !== '' || argChoices !== undefined);
  if (told.length === 0) return [];
  const rows = told.map((argument) => {
    const { description, argChoices } = argument;
    const parts = [description, ...(argChoices ? [`one of ${argChoices.join(', ')}`] : [])];
    return [`\`<${argument.name()}>\``, parts.filter((text) => text !== '').join('; ')];
  });
  return [table(['Argument', 'What it is'], rows)];
}

function optionTable(options: readonly Option[]): string[] {
  // Those that every command has are told once, at the top.
  const own = options.filter(({ long }) => !['--help', '--url', '--key-file'].includes(long ?? ''));
  if (own.length === 0) return [];
  return [
    table(
      ['Option', 'What it does'],
      own.map((option) => [`\`${option.flags}\``, told(option)]),
    ),
  ];
}

function told({ description, defaultValue, argChoices, negate, mandatory }: Option): string {
  const known = defaultValue as unknown;
  const shown =
    negate || known === undefined || Array.isArray(known) || typeof known === 'boolean'
      ? []
      : [`default ${JSON.stringify(known)}`];
  const parts = [
    description,
    ...(argChoices ? [`one of ${argChoices.join(', ')}`] : []),
    ...(mandatory ? ['must be given'] : []),
    ...shown,
  ];
  return parts.filter((text) => text !== '').join('; ');
}

const sentence = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.main) processTerminal.out(reference(createProgram(processTerminal)));
