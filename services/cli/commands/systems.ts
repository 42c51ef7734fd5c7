import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { TerraFusionError } from '#schemas/errors.ts';
import { systemCheckReport, systemsPage, systemView, type SystemView } from '#schemas/http/systems.ts';
import { exitCodes } from '../exit-codes.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { facts, json, moment, table, type Terminal } from '../output.ts';
import { confirmedByName, UsageError } from '../usage.ts';
import { checkLines } from './check.ts';
import { allPages, pathOf, type Filters } from './pages.ts';

const LIST = '/api/systems';

/** `terrafusion systems` */
export async function systems(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  filters: Filters,
): Promise<number> {
  const items = await allPages(client, LIST, systemsPage, filters);
  terminal.out(asJson ? json(items) : items.length === 0 ? 'There are no systems.\n' : systemTable(items, terminal));
  return exitCodes.OK;
}

/** `terrafusion systems show` */
export async function showSystem(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  idOrName: string,
): Promise<number> {
  const system = await client.get(pathOf(LIST, idOrName), systemView);
  terminal.out(asJson ? json(system) : systemText(system));
  return exitCodes.OK;
}

export interface AddOptions {
  readonly name: string;
  readonly kind: string | undefined;
  readonly environment: string | undefined;
  readonly connector: string;
  readonly address: string;
  /** A file that the gateway and the sync-service read at every connect. */
  readonly passwordFile: string | undefined;
  /** Where the password itself comes from, to be kept encrypted. */
  readonly password: { readonly from: 'stdin' } | { readonly from: 'file'; readonly file: string } | undefined;
  /** More fields of the connection: "ssl_mode=require". */
  readonly settings: readonly string[];
}

/** `terrafusion systems add` */
export async function addSystem(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  options: AddOptions,
): Promise<number> {
  if (options.passwordFile !== undefined && options.password !== undefined)
    throw new UsageError('Give the password in one way: --password-file, --password-stdin or --password-from.');
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*:[^/?#]*@/i.test(options.address)) {
    terminal.err(
      'A password in an argument can be read by everybody on this machine while the command runs: use --password-stdin or --password-from.\n',
    );
  }
  const connection: Record<string, unknown> = { url: options.address, ...fieldsOf(options.settings) };
  if (options.passwordFile !== undefined) connection['password_file'] = options.passwordFile;
  if (options.password !== undefined) connection['password'] = await readPassword(options.password, terminal);
  const body = {
    name: options.name,
    kind: options.kind,
    environment: options.environment,
    connector: options.connector,
    connection,
  };
  const made = await client.send('POST', LIST, body, systemView);
  terminal.out(asJson ? json(made) : systemText(made));
  if (!asJson) terminal.err(`Not tried yet: terrafusion systems check ${made.name}\n`);
  return exitCodes.OK;
}

/** `terrafusion systems check`: ends with 1 when a required check is not good. */
export async function checkSystem(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { system, as }: { readonly system: string; readonly as: string },
): Promise<number> {
  const report = await client.send('POST', pathOf(LIST, system, 'check'), { as }, systemCheckReport);
  const text = [
    checkLines('source', report.source ?? []),
    checkLines('target', report.target ?? []),
    report.ok ? `${system} is as it should be.\n` : `${system} is not as it should be.\n`,
  ];
  terminal.out(asJson ? json(report) : text.filter((part) => part !== '').join('\n'));
  return report.ok ? exitCodes.OK : exitCodes.FAILED;
}

/** `terrafusion systems remove` */
export async function removeSystem(
  client: GatewayClient,
  terminal: Terminal,
  asJson: boolean,
  { system, yes }: { readonly system: string; readonly yes: boolean },
): Promise<number> {
  const { id, name } = await client.get(pathOf(LIST, system), systemView);
  const question = `The system ${name} is removed with its connection. The place itself is not touched.`;
  if (!(await confirmedByName(terminal, question, name, yes))) return exitCodes.FAILED;
  await client.send('DELETE', pathOf(LIST, id), undefined, z.undefined());
  terminal.out(asJson ? json({ id, name, removed: true }) : `${name} is removed.\n`);
  return exitCodes.OK;
}

function systemTable(items: readonly SystemView[], terminal: Terminal): string {
  return table(
    items,
    [
      { title: 'SYSTEM', value: ({ name }) => name, flexible: true },
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'ENVIRONMENT', value: ({ environment }) => environment },
      { title: 'CONNECTOR', value: ({ connector }) => connector },
      { title: 'CONNECTION', value: ({ connection }) => shown(connection['url']), flexible: true },
      { title: 'CHANGED', value: ({ updated_at }) => moment(updated_at) },
    ],
    terminal,
  );
}

function systemText(system: SystemView): string {
  return facts([
    ['system', system.name],
    ['id', system.id],
    ['kind', system.kind],
    ['environment', system.environment],
    ['connector', system.connector],
    ...Object.entries(system.connection).map(([name, value]) => [`  ${name}`, shown(value)] as const),
    ['WAL budget', system.wal_budget_bytes === null ? 'as the settings say' : String(system.wal_budget_bytes)],
    ['at the budget', system.on_wal_budget],
    ['made', moment(system.created_at)],
    ['changed', moment(system.updated_at)],
  ]);
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? '-'));

/** "name=value", the value as JSON where it is a number, true or false. */
function fieldsOf(settings: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    settings.map((setting) => {
      const [, name, text] = /^([a-z][a-z0-9_]*)=(.*)$/s.exec(setting) ?? [];
      // Not the text itself: it may be a secret that was meant for another option. (Promise 8)
      if (name === undefined || text === undefined)
        throw new UsageError('--set takes name=value, such as ssl_mode=require.');
      return [name, /^(?:true|false|\d{1,15})$/.test(text) ? (JSON.parse(text) as unknown) : text];
    }),
  );
}

async function readPassword(from: NonNullable<AddOptions['password']>, terminal: Terminal): Promise<string> {
  if (from.from === 'file') {
    try {
      return (await readFile(from.file, 'utf8')).replace(/\r?\n$/, '');
    } catch (cause) {
      const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
      throw new TerraFusionError('CONFIG_INVALID', `--password-from: ${from.file} cannot be read: ${why}`, { cause });
    }
  }
  const password = terminal.canAsk
    ? await terminal.ask('Password: ', { hidden: true })
    : (await terminal.readAll()).replace(/\r?\n$/, '');
  if (password === undefined || password === '') throw new UsageError('No password came on the standard input.');
  return password;
}
