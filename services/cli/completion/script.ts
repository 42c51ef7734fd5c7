import type { Command } from 'commander';
import { places, type Place } from './words.ts';

/** A script that completes the commands of this version: all words are in it, so that nothing has to be started while somebody types. */
export function completionScript(root: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  const all = places(root);
  const known = new Set(all.map(({ path }) => path));
  return { bash, zsh, fish }[shell](all, known);
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const wordsOf = ({ words }: Place): string => words.map(({ text }) => text).join(' ');

/** Walks the words before the cursor: those that lead on in the tree make the path. Bash and zsh alike. */
function walk(known: ReadonlySet<string>, list: string, first: number, end: string): string {
  const paths = [...known].filter((path) => path !== '').map((path) => quoted(path));
  return [
    `  local path='' i next`,
    `  for ((i = ${first}; i < ${end}; i++)); do`,
    `    next="\${path:+$path }\${${list}[i]}"`,
    `    case "$next" in`,
    `      ${paths.join('|')}) path="$next" ;;`,
    `    esac`,
    `  done`,
  ].join('\n');
}

function bash(all: readonly Place[], known: ReadonlySet<string>): string {
  const values = all.flatMap(({ path, choices }) =>
    choices.map(
      ({ option, values: given }) => `    ${quoted(`${path}:${option}`)}) words=${quoted(given.join(' '))} ;;`,
    ),
  );
  // After these anything may come: a file's name is as good a guess as any.
  const free = all.flatMap(({ path, valued }) => valued.map((option) => quoted(`${path}:${option}`)));
  return `# bash completion of terrafusion
_terrafusion() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD - 1]}" words=''
${walk(known, 'COMP_WORDS', 1, 'COMP_CWORD')}
  case "$path:$prev" in
${values.join('\n')}
    ${free.join('|')}) COMPREPLY=(); return ;;
    *)
      case "$path" in
${all.map((place) => `        ${quoted(place.path)}) words=${quoted(wordsOf(place))} ;;`).join('\n')}
      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _terrafusion terrafusion
`;
}

function zsh(all: readonly Place[], known: ReadonlySet<string>): string {
  const described = ({ words }: Place): string =>
    words.map(({ text, description }) => quoted(`${text.replaceAll(':', '\\:')}:${description}`)).join(' ');
  const values = all.flatMap(({ path, choices }) =>
    choices.map(
      ({ option, values: given }) =>
        `    ${quoted(`${path}:${option}`)}) compadd -- ${given.map(quoted).join(' ')}; return ;;`,
    ),
  );
  const free = all.flatMap(({ path, valued }) => valued.map((option) => quoted(`${path}:${option}`)));
  return `#compdef terrafusion
_terrafusion() {
${walk(known, 'words', 2, 'CURRENT')}
  local -a offered
  case "$path:\${words[CURRENT - 1]}" in
${values.join('\n')}
    ${free.join('|')}) _files; return ;;
  esac
  case "$path" in
${all.map((place) => `    ${quoted(place.path)}) offered=(${described(place)}) ;;`).join('\n')}
  esac
  _describe 'terrafusion' offered || _files
}
if [ "$funcstack[1]" = "_terrafusion" ]; then
  _terrafusion "$@"
else
  compdef _terrafusion terrafusion
fi
`;
}

function fish(all: readonly Place[], known: ReadonlySet<string>): string {
  const paths = [...known].filter((path) => path !== '').map(quoted);
  const lines = all.flatMap(({ path, words, choices, valued }) => {
    const at = `complete -c terrafusion -n ${quoted(`__terrafusion_at ${quoted(path)}`)}`;
    return words.map(({ text, description }) => {
      const told = `-d ${quoted(description)}`;
      if (!text.startsWith('--')) return `${at} -f -a ${quoted(text)} ${told}`;
      const name = `-l ${quoted(text.slice(2))}`;
      const choice = choices.find(({ option }) => option === text);
      if (choice) return `${at} ${name} -x -a ${quoted(choice.values.join(' '))} ${told}`;
      return `${at} ${name} ${valued.includes(text) ? '-r ' : ''}${told}`;
    });
  });
  return `# fish completion of terrafusion
function __terrafusion_at
  set -l path
  for word in (commandline -opc)[2..-1]
    set -l next (string join -- ' ' $path $word)
    if contains -- "$next" ${paths.join(' ')}
      set path $path $word
    end
  end
  test "$path" = "$argv[1]"
end
${lines.join('\n')}
`;
}
