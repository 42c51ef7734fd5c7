import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { connectorNames, loadConnector } from '#connectors/registry.ts';
import { applyFile, type ApplyFile, type PairEntry, type SystemEntry } from '#schemas/apply.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import { fieldProblems, formatPath } from '#services/gateway/fields.ts';
import { MASK } from '#services/kernel/masking.ts';
import type { Terminal } from '../output.ts';
import { fill } from './placeholders.ts';

/** A connection as its connector has it stored: secrets in fields of their own. */
export interface Connection {
  readonly connector: string;
  /** With its secrets: never shown. A secret whose variable is not set is {@link MASK}: the gateway keeps the one it has. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly secretFields: readonly string[];
  /** Variables that are not set, by field: enough for what is there, not for what is to be made. */
  readonly missing: Readonly<Record<string, readonly string[]>>;
}

export interface WantedSystem {
  readonly entry: Omit<SystemEntry, 'connection'>;
  readonly connection: Connection;
}

/** One end of a pair: a registered system by name, or a place of the pair's own. */
export type WantedEnd = { readonly name: string } | { readonly inline: Connection };

export interface WantedPair {
  readonly entry: Omit<PairEntry, 'source' | 'target'>;
  readonly source: WantedEnd;
  readonly target: WantedEnd;
}

/** What a file wants, checked and with its variables filled in. undefined: the file is not about these. */
export interface Wanted {
  readonly systems: readonly WantedSystem[] | undefined;
  readonly pairs: readonly WantedPair[] | undefined;
}

/** Reads a file of systems and pairs; "-" is the standard input. @throws {TerraFusionError} APPLY_FILE_INVALID telling all that is wrong */
export async function readApplyFile(
  file: string,
  terminal: Terminal,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Wanted> {
  const name = file === '-' ? 'The standard input' : file;
  const parsed = applyFile.safeParse(await readYaml(file, name, terminal));
  if (!parsed.success)
    throw invalid(
      name,
      fieldProblems(parsed.error.issues).map(({ path, message }) => `${path === '' ? 'the file' : path}: ${message}`),
    );
  return await fillIn(parsed.data, name, terminal, env);
}

async function readYaml(file: string, name: string, terminal: Terminal): Promise<unknown> {
  let text: string;
  try {
    text = file === '-' ? await terminal.readAll() : await readFile(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new TerraFusionError('APPLY_FILE_INVALID', `${name} cannot be read: ${why}`, { cause });
  }
  try {
    // JSON is YAML.
    return (parseYaml(text) as unknown) ?? {};
  } catch (cause) {
    // Its first line only: the parser shows a piece of the file, which may hold a secret. (Promise 8)
    const [why] = (cause as Error).message.split('\n');
    throw new TerraFusionError('APPLY_FILE_INVALID', `${name} is neither JSON nor YAML: ${why ?? ''}`);
  }
}

async function fillIn(
  file: ApplyFile,
  name: string,
  terminal: Terminal,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Wanted> {
  const problems: string[] = [];
  const read = async (
    path: readonly PropertyKey[],
    connector: string,
    connection: Readonly<Record<string, unknown>>,
  ): Promise<Connection> => {
    const found = await readConnection(path, connector, connection, env);
    problems.push(...found.problems);
    for (const each of found.inClear)
      terminal.err(`${formatPath(path)}: ${each} stands in the file in clear; use \${NAME} or a …_file field.\n`);
    return found.connection;
  };
  const systems: WantedSystem[] = [];
  for (const [index, { connection, ...entry }] of (file.systems ?? []).entries()) {
    systems.push({
      entry,
      connection: await read(['systems', index, 'connection'], entry.connector, connection),
    });
  }
  const pairs: WantedPair[] = [];
  for (const [index, { source, target, ...entry }] of (file.pairs ?? []).entries()) {
    const end = async (role: 'source' | 'target', given: typeof source): Promise<WantedEnd> =>
      typeof given === 'string'
        ? { name: given }
        : { inline: await read(['pairs', index, role, 'connection'], given.connector, given.connection) };
    pairs.push({ entry, source: await end('source', source), target: await end('target', target) });
  }
  if (problems.length > 0) throw invalid(name, problems);
  return { systems: file.systems && systems, pairs: file.pairs && pairs };
}

interface Found {
  readonly connection: Connection;
  readonly problems: readonly string[];
  /** Secret fields whose value stands in the file itself. */
  readonly inClear: readonly string[];
}

async function readConnection(
  path: readonly PropertyKey[],
  name: string,
  given: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Found> {
  const at = (field: string): string => formatPath([...path, field]);
  if (!connectorNames.includes(name)) {
    const told = `${formatPath([...path.slice(0, -1), 'connector'])}: there is no connector "${name}"; known: ${connectorNames.join(', ')}`;
    return {
      connection: { connector: name, settings: {}, secretFields: [], missing: {} },
      problems: [told],
      inClear: [],
    };
  }
  const connector = await loadConnector(name);
  const missing: Record<string, readonly string[]> = {};
  const problems: string[] = [];
  const filled = Object.fromEntries(
    Object.entries(given).map(([field, value]) => {
      if (typeof value !== 'string') return [field, value];
      const { text, missing: names } = fill(value, env);
      if (names.length === 0) return [field, text];
      if (!connector.secretFields.includes(field))
        problems.push(...names.map((variable) => `${at(field)}: the variable ${variable} is not set`));
      missing[field] = names;
      return [field, connector.secretFields.includes(field) ? MASK : text];
    }),
  );
  if (problems.length > 0)
    return { connection: { connector: name, settings: {}, secretFields: [], missing }, problems, inClear: [] };
  const parsed = connector.settings.safeParse(filled);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
    return {
      connection: { connector: name, settings: {}, secretFields: [], missing },
      problems: fieldProblems(issues).map(({ path: field, message }) => `${field}: ${message}`),
      inClear: [],
    };
  }
  const settings = connector.normalise(parsed.data) as Readonly<Record<string, unknown>>;
  const { secretFields } = connector;
  const inClear = secretFields.filter((field) => {
    const value = settings[field];
    return (
      typeof value === 'string' && value !== MASK && Object.values(given).some((text) => String(text).includes(value))
    );
  });
  return { connection: { connector: name, settings, secretFields, missing }, problems, inClear };
}

function invalid(name: string, problems: readonly string[]): TerraFusionError {
  return new TerraFusionError(
    'APPLY_FILE_INVALID',
    `${name} is not as it should be:\n${problems.map((each) => `  ${each}`).join('\n')}`,
    {
      details: { problems },
    },
  );
}
