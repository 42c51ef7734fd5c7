import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import type { applyFile } from '#schemas/apply.ts';
import { pairsPage, pairView, type PairView } from '#schemas/http/pairs.ts';
import { systemsPage, systemView, type SystemView } from '#schemas/http/systems.ts';
import { pairConfig, tableInput } from '#schemas/pairs.ts';
import { MASK } from '#services/kernel/masking.ts';
import { allPages, pathOf } from '../commands/pages.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { escaped, placeholder } from './placeholders.ts';
import { isInline } from './plan.ts';

type File = z.input<typeof applyFile>;
type Entry<List extends 'systems' | 'pairs'> = NonNullable<File[List]>[number];

/** A gateway's systems and pairs in the form that `apply` reads; defaults left out, secrets as variables. */
export interface Exported {
  readonly file: File;
  /** Variables that stand where secrets are. */
  readonly variables: readonly string[];
}

/** @param names of the pairs that are wanted; all, and all systems, when there are none */
export async function exportFile(client: GatewayClient, names: readonly string[]): Promise<Exported> {
  const variables: string[] = [];
  const pairs: PairView[] = [];
  const wanted = names.length > 0 ? names : (await allPages(client, '/api/sync-pairs', pairsPage)).map(({ id }) => id);
  for (const each of wanted) pairs.push(await client.get(pathOf('/api/sync-pairs', each), pairView));
  const all = await allPages(client, '/api/systems', systemsPage);
  const used = new Set(pairs.flatMap(({ source, target }) => [source.name, target.name]));
  const systems = names.length > 0 ? all.filter(({ name }) => used.has(name)) : all;

  const entries: Entry<'pairs'>[] = [];
  for (const pair of pairs.toSorted(byName)) {
    entries.push({
      name: pair.name,
      source: await endOf(pair, 'source', client, variables),
      target: await endOf(pair, 'target', client, variables),
      desired: pair.desired,
      ...definitionOf(pair),
    });
  }
  return {
    file: {
      version: 1,
      systems: systems.toSorted(byName).map((system) => systemOf(system, variables)),
      pairs: entries,
    },
    variables,
  };
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

function systemOf(system: SystemView, variables: string[]): Entry<'systems'> {
  const { name, kind, environment, connector, wal_budget_bytes, on_wal_budget } = system;
  return {
    name,
    kind,
    environment,
    connector,
    connection: connectionOf(system.connection, [name], variables),
    ...(wal_budget_bytes !== null && { wal_budget_bytes }),
    ...(on_wal_budget !== 'alarm' && { on_wal_budget }),
  };
}

/** Never a secret: a variable stands in its place. (Promise 8) */
function connectionOf(
  connection: Readonly<Record<string, unknown>>,
  words: readonly string[],
  variables: string[],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(connection).map(([field, value]) => {
      if (value !== MASK) return [field, typeof value === 'string' ? escaped(value) : value];
      const text = placeholder(...words, field);
      variables.push(text.slice(2, -1));
      return [field, text];
    }),
  );
}

async function endOf(
  pair: PairView,
  role: 'source' | 'target',
  client: GatewayClient,
  variables: string[],
): Promise<Entry<'pairs'>['source']> {
  const end = pair[role];
  if (!isInline(end.name)) return end.name;
  const { connector, connection } = await client.get(pathOf('/api/systems', end.id), systemView);
  return { connector, connection: connectionOf(connection, [pair.name, role], variables) };
}

function definitionOf({ definition }: PairView): Pick<Entry<'pairs'>, 'tables' | 'config'> {
  const config = withoutDefaults(definition.config, pairConfig.parse({}));
  const tables = definition.tables?.map((table) => {
    const plain = withoutDefaults(table, tableInput.parse({ source: table['source'] }));
    return { source: table['source'], ...plain } as NonNullable<Entry<'pairs'>['tables']>[number];
  });
  return {
    ...(tables && { tables }),
    ...(Object.keys(config).length > 0 && { config }),
  };
}

function withoutDefaults(given: Readonly<Record<string, unknown>>, defaults: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).filter(
      ([name, value]) =>
        value !== null && value !== undefined && !isDeepStrictEqual(value, (defaults as Record<string, unknown>)[name]),
    ),
  );
}
