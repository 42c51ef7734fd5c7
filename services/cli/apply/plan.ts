import { TerraFusionError } from '#schemas/errors.ts';
import { pairsPage, pairView, type PairSummary, type PairView } from '#schemas/http/pairs.ts';
import { systemsPage, systemView, type SystemView } from '#schemas/http/systems.ts';
import { allPages, pathOf } from '../commands/pages.ts';
import type { GatewayClient } from '../gateway-client.ts';
import { connectionChanges, definitionChanges, definitionOf, objectChanges, type FieldChange } from './differences.ts';
import type { Connection, Wanted, WantedEnd, WantedPair, WantedSystem } from './read-file.ts';

/** One thing, and what becomes of it. */
export type Step =
  | { readonly action: 'create'; readonly kind: 'system'; readonly name: string; readonly system: WantedSystem }
  | {
      readonly action: 'change';
      readonly kind: 'system';
      readonly name: string;
      readonly changes: readonly FieldChange[];
      readonly system: WantedSystem;
      readonly seen: SystemView;
    }
  | { readonly action: 'create'; readonly kind: 'pair'; readonly name: string; readonly pair: WantedPair }
  | {
      readonly action: 'change';
      readonly kind: 'pair';
      readonly name: string;
      readonly changes: readonly FieldChange[];
      readonly pair: WantedPair;
      readonly seen: PairView;
      /** Ends of the pair's own whose connection changes: id of the system behind each. */
      readonly ends: readonly { readonly id: string; readonly connection: Connection }[];
    }
  | { readonly action: 'unchanged'; readonly kind: 'system' | 'pair'; readonly name: string }
  | { readonly action: 'delete'; readonly kind: 'system' | 'pair'; readonly name: string; readonly id: string };

export interface PlanOptions {
  /** Whether what the file does not name is removed, of those kinds that the file is about. */
  readonly prune: boolean;
  /** Whether secrets that are there already are written again. */
  readonly secrets: boolean;
}

/** What has to be done for the gateway to be as the file says, in the order in which it can be done. */
export async function makePlan(wanted: Wanted, client: GatewayClient, options: PlanOptions): Promise<Step[]> {
  const systems = await allPages(client, '/api/systems', systemsPage);
  const pairs = await allPages(client, '/api/sync-pairs', pairsPage);
  const problems: string[] = [];
  const steps: Step[] = [
    ...systemSteps(wanted, systems, options, problems),
    ...(await pairSteps(wanted, { systems, pairs }, client, options, problems)),
  ];
  if (problems.length > 0) {
    throw new TerraFusionError(
      'APPLY_FILE_INVALID',
      `The file cannot be applied to ${client.url}:\n${problems.map((each) => `  ${each}`).join('\n')}`,
      { details: { problems } },
    );
  }
  if (!options.prune) return steps;
  const gone = (
    kind: 'system' | 'pair',
    there: readonly { readonly name: string; readonly id: string }[],
    named: readonly { readonly entry: { readonly name: string } }[] | undefined,
  ): Step[] => {
    if (named === undefined) return [];
    const names = new Set(named.map(({ entry }) => entry.name));
    return there.filter(({ name }) => !names.has(name)).map(({ name, id }) => ({ action: 'delete', kind, name, id }));
  };
  // Pairs first: a system that is in use cannot be removed.
  return [...steps, ...gone('pair', pairs, wanted.pairs), ...gone('system', systems, wanted.systems)];
}

function systemSteps(
  { systems: wanted = [] }: Wanted,
  there: readonly SystemView[],
  { secrets }: PlanOptions,
  problems: string[],
): Step[] {
  return wanted.map((system): Step => {
    const { entry, connection } = system;
    const { name } = entry;
    const seen = there.find((each) => each.name === name);
    if (!seen) {
      problems.push(...unset(`systems ${name}`, connection));
      return { action: 'create', kind: 'system', name, system };
    }
    if (seen.connector !== connection.connector)
      problems.push(
        `system ${name}: its connector cannot be changed from ${seen.connector} to ${connection.connector}; give the new one another name`,
      );
    const changes = [
      ...objectChanges('', plainOf(seen), plainOf({ ...entry, wal_budget_bytes: entry.wal_budget_bytes ?? null })),
      ...connectionChanges(seen.connection, connection.settings, connection.secretFields, secrets),
    ];
    if (changes.length === 0) return { action: 'unchanged', kind: 'system', name };
    return { action: 'change', kind: 'system', name, changes, system, seen };
  });
}

const plainOf = ({
  kind,
  environment,
  wal_budget_bytes,
  on_wal_budget,
}: Pick<SystemView, 'kind' | 'environment' | 'wal_budget_bytes' | 'on_wal_budget'>) => ({
  kind,
  environment,
  wal_budget_bytes,
  on_wal_budget,
});

/** What is to be made needs all its secrets; what is there has them. */
function unset(what: string, { missing }: Connection): string[] {
  return Object.entries(missing).flatMap(([field, names]) =>
    names.map((name) => `${what}: connection.${field}: the variable ${name} is not set`),
  );
}

interface There {
  readonly systems: readonly SystemView[];
  readonly pairs: readonly PairSummary[];
}

async function pairSteps(
  { systems = [], pairs: wanted = [] }: Wanted,
  there: There,
  client: GatewayClient,
  options: PlanOptions,
  problems: string[],
): Promise<Step[]> {
  const known = new Set([
    ...there.systems.flatMap(({ id, name }) => [id, name]),
    ...systems.map(({ entry }) => entry.name),
  ]);
  const steps: Step[] = [];
  for (const pair of wanted) {
    const { name } = pair.entry;
    for (const [role, end] of ends(pair)) {
      if ('name' in end && !known.has(end.name))
        problems.push(`pair ${name}: ${role}: there is no system "${end.name}", here or in the file`);
    }
    const found = there.pairs.find((each) => each.name === name);
    if (!found) {
      for (const [role, end] of ends(pair))
        if ('inline' in end) problems.push(...unset(`pair ${name}: ${role}`, end.inline));
      steps.push({ action: 'create', kind: 'pair', name, pair });
      continue;
    }
    const seen = await client.get(pathOf('/api/sync-pairs', found.id), pairView);
    steps.push(await changeOf(pair, seen, client, options, problems));
  }
  return steps;
}

const ends = ({ source, target }: WantedPair): readonly (readonly [role: 'source' | 'target', end: WantedEnd])[] => [
  ['source', source],
  ['target', target],
];

async function changeOf(
  pair: WantedPair,
  seen: PairView,
  client: GatewayClient,
  { secrets }: PlanOptions,
  problems: string[],
): Promise<Step> {
  const { name, tables, config, desired } = pair.entry;
  const changes = [
    ...(desired === undefined || desired === seen.desired
      ? []
      : [{ path: 'desired', before: seen.desired, after: desired }]),
    ...definitionChanges(definitionOf(seen.definition.tables, seen.definition.config), definitionOf(tables, config)),
  ];
  const changedEnds: { id: string; connection: Connection }[] = [];
  for (const [role, end] of ends(pair)) {
    const { id, name: endName } = seen[role];
    if ('name' in end) {
      if (end.name !== endName && end.name !== id)
        problems.push(
          `pair ${name}: its ${role} cannot be changed from ${isInline(endName) ? 'a place of its own' : endName} to ${end.name}; delete the pair, or give the new one another name`,
        );
      continue;
    }
    if (!isInline(endName)) {
      problems.push(
        `pair ${name}: its ${role} is the system ${endName}, and a place of its own in the file; name the system there`,
      );
      continue;
    }
    const system = await client.get(pathOf('/api/systems', id), systemView);
    const found = connectionChanges(system.connection, end.inline.settings, end.inline.secretFields, secrets);
    if (found.length === 0) continue;
    changes.push(...found.map((change) => ({ ...change, path: `${role}.${change.path}` })));
    changedEnds.push({ id, connection: end.inline });
  }
  if (changes.length === 0) return { action: 'unchanged', kind: 'pair', name };
  return { action: 'change', kind: 'pair', name, changes, pair, seen, ends: changedEnds };
}

/** A system that was made for a pair: nobody can choose a name with a slash. */
export const isInline = (name: string): boolean => name.includes('/');
