import { open } from 'node:fs/promises';
import { stringify } from 'yaml';
import { TerraFusionError } from '#schemas/errors.ts';
import { exportFile, type Exported } from '../apply/export-file.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { counted, json, type Terminal } from '../output.ts';

export interface ExportOptions {
  readonly format: 'yaml' | 'json';
  /** A new file; the terminal when left out. */
  readonly out: string | undefined;
  readonly force: boolean;
  /** Only these, and the systems they use. */
  readonly pairs: readonly string[];
}

/** `terrafusion export`: systems and pairs as `apply` reads them. */
export async function exportAll(
  client: GatewayClient,
  terminal: Terminal,
  { format, out, force, pairs }: ExportOptions,
): Promise<number> {
  const exported = await exportFile(client, pairs);
  const text = format === 'json' ? json(exported.file) : yaml(exported);
  if (out === undefined) {
    terminal.out(text);
    return exitCodes.OK;
  }
  try {
    const file = await open(out, force ? 'w' : 'wx', 0o600);
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'it is there already; --force replaces it' : (code ?? String(cause));
    throw new TerraFusionError('CONFIG_INVALID', `--out: ${out} cannot be written: ${why}`, { cause });
  }
  const { systems = [], pairs: list = [] } = exported.file;
  terminal.err(`${counted(systems.length, 'system')} and ${counted(list.length, 'pair')} are in ${out}.\n`);
  return exitCodes.OK;
}

function yaml({ file, variables }: Exported): string {
  const secrets =
    variables.length === 0
      ? ''
      : `# Where secrets are, variables stand: ${variables.join(', ')}.\n# Set them for systems that are to be made; those that are there keep theirs.\n`;
  return `# terrafusion apply <this file>\n${secrets}${stringify(file, { lineWidth: 0 })}`;
}
