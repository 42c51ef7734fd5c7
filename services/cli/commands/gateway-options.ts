import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { ADMIN_KEY_FILE } from '#services/control/admin-key.ts';
import { readIfThere } from '#services/kernel/files.ts';
import { loadSettings, type Settings } from '#services/kernel/settings.ts';
import { GatewayClient } from '../gateway-client.ts';

/** What every command that asks a gateway takes. */
export interface GatewayCommandOptions {
  readonly url?: string;
  readonly keyFile?: string;
  readonly json?: boolean;
}

export function withGateway(command: Command): Command {
  return command
    .option('--url <url>', 'the gateway; by default the one of this machine (GATEWAY_PORT)')
    .option(
      '--key-file <file>',
      'file with the API key; by default TERRAFUSION_API_KEY, TERRAFUSION_ADMIN_KEY or the key in the data folder',
    )
    .option('--json', 'the answer as JSON');
}

/** A client for the gateway that the options and the environment mean. @throws {TerraFusionError} CONFIG_INVALID */
export async function openClient(
  { url, keyFile }: GatewayCommandOptions,
  env: NodeJS.ProcessEnv = process.env,
): Promise<GatewayClient> {
  const settings = loadSettings(env);
  return new GatewayClient({ url: url ?? gatewayUrl(settings), key: await findKey(settings, keyFile, env) });
}

/** Where the gateway of these settings is reached from this machine. */
export function gatewayUrl({ gateway: { host, port, tls } }: Settings): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `${tls === undefined ? 'http' : 'https'}://${name}:${port}`;
}

async function findKey(
  settings: Settings,
  keyFile: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Secret | undefined> {
  if (keyFile !== undefined) {
    try {
      return new Secret((await readFile(keyFile, 'utf8')).trim());
    } catch (cause) {
      throw new TerraFusionError('CONFIG_INVALID', `--key-file: ${keyFile} cannot be read`, { cause });
    }
  }
  const given = env['TERRAFUSION_API_KEY'];
  if (given !== undefined && given !== '') return new Secret(given);
  if (settings.gateway.adminKey !== undefined) return settings.gateway.adminKey;
  const kept = await readIfThere(join(settings.dataFolder, ADMIN_KEY_FILE)).catch(() => undefined);
  return kept === undefined ? undefined : new Secret(kept.trim());
}
