import type { Command, Option } from 'commander';

/** What can come after a command's words. */
export interface Place {
  /** "pairs show"; empty for the program itself. */
  readonly path: string;
  readonly words: readonly Word[];
  /** Values of options that are given in words: "--role" → viewer, operator … */
  readonly choices: readonly { readonly option: string; readonly values: readonly string[] }[];
  /** Options after which a value comes that nobody can list. */
  readonly valued: readonly string[];
}

export interface Word {
  readonly text: string;
  readonly description: string;
}

/** Every place of the tree. A group offers its list's options too: it is that without a word after it. */
export function places(root: Command, path: readonly string[] = []): Place[] {
  const list = root.commands.find((command) => isDefault(root, command));
  const options = optionsOf(root).concat(list ? optionsOf(list) : []);
  const commands = root.commands.map((command) => ({ text: command.name(), description: command.description() }));
  const values = root.registeredArguments.flatMap(({ argChoices, description }) =>
    (argChoices ?? []).map((text) => ({ text, description })),
  );
  const place: Place = {
    path: path.join(' '),
    words: [
      ...commands,
      ...values,
      ...options.map((option) => ({ text: nameOf(option), description: option.description })),
    ],
    choices: options.flatMap((option) =>
      option.argChoices === undefined ? [] : [{ option: nameOf(option), values: option.argChoices }],
    ),
    valued: options.filter(({ required, argChoices }) => required && argChoices === undefined).map(nameOf),
  };
  return [place, ...root.commands.flatMap((command) => places(command, [...path, command.name()]))];
}

/** Those that are not hidden, with the help that every command has. */
export function optionsOf(command: Command): Option[] {
  return command.createHelp().visibleOptions(command);
}

export const nameOf = ({ long, short }: Option): string => long ?? short ?? '';

/** commander keeps it to itself. */
export function isDefault(parent: Command, command: Command): boolean {
  return (parent as unknown as { _defaultCommandName: string | null })._defaultCommandName === command.name();
}
