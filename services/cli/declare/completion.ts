import { Argument, type Command } from 'commander';
import type { Terminal } from '../output.ts';
import { examples } from './common.ts';

export function declareCompletion(root: Command, terminal: Terminal): void {
  examples(
    root
      .command('completion')
      .description('a script that completes commands and options in a shell')
      .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
      .action(async (shell: 'bash' | 'zsh' | 'fish') => {
        const { completionScript } = await import('../completion/script.ts');
        terminal.out(completionScript(root, shell));
      }),
    'completion bash > /etc/bash_completion.d/terrafusion',
    'completion zsh > ~/.zfunc/_terrafusion',
    'completion fish > ~/.config/fish/completions/terrafusion.fish',
  );
}
