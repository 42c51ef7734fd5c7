import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import { ADMIN_KEY_FILE } from '#services/control/admin-key.ts';
import { isLoopback } from '#services/gateway/loopback.ts';
import { readIfThere } from '#services/kernel/files.ts';
import { loadSettings, type Settings } from '#services/kernel/settings.ts';
import { GatewayClient } from '../gateway-client.ts';
import type { Terminal } from '../output.ts';

/** What every command that asks a gateway takes. */
export interface GatewayCommandOptions {
  readonly url?: string;
  readonly keyFile?: string;
  readonly json?: boolean;
}

/** A client for the gateway that the options and the environment mean. @throws {TerraFusionError} CONFIG_INVALID */
export async function openClient(
  { url: named, keyFile }: GatewayCommandOptions,
  env: NodeJS.ProcessEnv = process.env,
  terminal?: Pick<Terminal, 'err'>,
): Promise<GatewayClient> {
  const settings = loadSettings(env);
  const url = checkedUrl(named) ?? settings.cli.url ?? gatewayUrl(settings);
  const isOurs = (named === undefined && settings.cli.url === undefined) || isHere(url);
  const key = await findKey(settings, keyFile, isOurs);
  if (key !== undefined && url.startsWith('http:') && !isHere(url))
    terminal?.err(`The key travels unencrypted to ${url}: use an https URL.\n`);
  return new GatewayClient({ url, key });
}

/** Where the gateway of these settings is reached from this machine. */
export function gatewayUrl({ gateway: { host, port, tls } }: Settings): string {
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `${tls === undefined ? 'http' : 'https'}://${name}:${port}`;
}

function checkedUrl(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new TerraFusionError('CONFIG_INVALID', '--url: must be an http or https URL');
  }
  if (new URL(url).username !== '' || new URL(url).password !== '')
    throw new TerraFusionError('CONFIG_INVALID', '--url: a key does not belong in the URL; use --key-file');
  return url;
}

function isHere(url: string): boolean {
  return isLoopback(new URL(url).hostname.replace(/^\[(.*)\]$/, '$1'));
}

/**
 * The key: of the file that is named, of the environment, or the administrator's of this machine. That one is for the gateway of this
 * machine: another URL that somebody passes on must not get it. (Promise 8)
 */
async function findKey(settings: Settings, keyFile: string | undefined, isOurs: boolean): Promise<Secret | undefined> {
  if (keyFile !== undefined) {
    try {
      return new Secret((await readFile(keyFile, 'utf8')).trim());
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new TerraFusionError('CONFIG_INVALID', `--key-file: ${keyFile} cannot be read: ${why}`, { cause });
    }
  }
  if (settings.cli.apiKey !== undefined) return settings.cli.apiKey;
  if (!isOurs) return undefined;
  if (settings.gateway.adminKey !== undefined) return settings.gateway.adminKey;
  const kept = await readIfThere(join(settings.dataFolder, ADMIN_KEY_FILE)).catch(() => undefined);
  return kept === undefined ? undefined : new Secret(kept.trim());
}
