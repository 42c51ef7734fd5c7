import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { loadConnector } from '#connectors/registry.ts';
import { TerraFusionError } from '#schemas/errors.ts';
import type { JobBody, JobConfig } from '#schemas/http/jobs.ts';
import { pairConfig, type PairConfig } from '#schemas/pairs.ts';
import type { Repositories } from '#services/control/control.ts';
import type { PairOverview, PairRecord } from '#services/control/pair-records.ts';
import type { SystemRecord } from '#services/control/systems.ts';
import { readConnection, type Connection } from '../ends.ts';
import { fieldProblems, invalidFields } from '../fields.ts';

/** The two ends of a job, as they were given. */
export interface JobEnds {
  readonly source: Connection;
  readonly target: Connection;
}

/** @throws REQUEST_INVALID naming the field that is wrong, and never the URL: it may hold a password (Promise 8) */
export async function readEnds(body: JobBody): Promise<JobEnds> {
  return { source: await readEnd(body, 'source_connection'), target: await readEnd(body, 'target_connection') };
}

async function readEnd(body: JobBody, field: 'source_connection' | 'target_connection'): Promise<Connection> {
  const given = body[field];
  const settings = typeof given === 'string' ? { url: given } : given;
  const connector = await loadConnector('postgres');
  const parsed = connector.settings.safeParse(settings);
  if (parsed.success) return readConnection('postgres', settings);
  throw invalidFields(
    fieldProblems(
      parsed.error.issues.map((issue) => ({
        ...issue,
        path: typeof given === 'string' ? [field] : [field, ...issue.path],
      })),
    ),
  );
}

/** What the product does not do is refused, not taken and forgotten. @throws PAIR_INVALID naming the field */
export function refuseUnsupported({ conflict_strategy }: JobConfig): void {
  if (conflict_strategy === 'source_wins') return;
  throw new TerraFusionError(
    'PAIR_INVALID',
    `config.conflict_strategy: "${conflict_strategy}" is not there in this version; the source decides: "source_wins"`,
    {
      details: {
        fields: [{ path: 'config.conflict_strategy', message: 'must be "source_wins"', code: 'PAIR_INVALID' }],
      },
    },
  );
}

export function pairConfigOf(config: JobConfig): PairConfig {
  return pairConfig.parse({ ...config, detection_strategy: 'cdc' });
}

/**
 * The pair between the two places, whoever made it: the oldest one that takes every table, since that is what a job asks for. Passwords and
 * spelling of the URLs do not matter.
 */
export async function findJobPair(
  { pairs, systems }: Pick<Repositories, 'pairs' | 'systems'>,
  { source, target }: JobEnds,
): Promise<PairOverview | undefined> {
  const wanted = { source: placeOf(source), target: placeOf(target) };
  const places = new Map<string, string | undefined>();
  const at = async (systemId: string): Promise<string | undefined> => {
    if (!places.has(systemId)) places.set(systemId, await placeOfSystem(await systems.get(systemId)));
    return places.get(systemId);
  };
  for (const pair of await pairs.all()) {
    if (pair.deleted || pair.definition.tables !== undefined) continue;
    if ((await at(pair.sourceId)) !== wanted.source || (await at(pair.targetId)) !== wanted.target) continue;
    return pairs.get(pair.id);
  }
  return undefined;
}

const placeOf = ({ connector, settings }: Connection): string => connector.place(settings);

/** Secrets are masked here, and no part of a place. */
async function placeOfSystem({ connector: name, connection }: SystemRecord): Promise<string | undefined> {
  const connector = await loadConnector(name);
  const parsed = connector.settings.safeParse(connection);
  return parsed.success ? connector.place(parsed.data) : undefined;
}

/**
 * The job's pair, made when there is none. One that was made for jobs takes over the connection and the config as they are given now; one
 * that an operator has made stays as it is. Within a transaction, behind `holdMaking`.
 */
export async function ensureJobPair(
  repositories: Repositories,
  ends: JobEnds,
  config: PairConfig,
): Promise<{ readonly pair: PairOverview; readonly made: boolean }> {
  const found = await findJobPair(repositories, ends);
  if (!found) return { pair: await makeJobPair(repositories, ends, config), made: true };
  const pair = await repositories.pairs.lock(found.id);
  if (!pair.name.startsWith(PREFIX)) return { pair, made: false };
  await updateConnection(repositories, pair.sourceId, ends.source);
  await updateConnection(repositories, pair.targetId, ends.target);
  const { definition } = pair;
  if (isDeepStrictEqual(definition.config, config)) return { pair, made: false };
  return { pair: await repositories.pairs.change(pair.id, { definition: { ...definition, config } }), made: false };
}

const PREFIX = 'job-';

async function makeJobPair(repositories: Repositories, ends: JobEnds, config: PairConfig): Promise<PairOverview> {
  const name = `${PREFIX}${slug(ends.source)}-${slug(ends.target)}-${randomBytes(3).toString('hex')}`;
  const end = async (role: 'source' | 'target') => {
    const { connector, settings } = ends[role];
    const { id } = await repositories.systems.create({
      name: `${name}/${role}`,
      connector: connector.name,
      connection: settings,
      secretFields: connector.secretFields,
      inline: true,
    });
    return id;
  };
  return repositories.pairs.create({
    name,
    sourceId: await end('source'),
    targetId: await end('target'),
    tables: undefined,
    config,
    desired: 'paused',
  });
}

/** Name of the database, as far as it may stand in a pair's name. */
function slug(end: Connection): string {
  const database = decodeURIComponent(placeOf(end).split('/').at(-1)!);
  return (
    database
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '')
      .slice(0, 20) || 'db'
  );
}

/** The password may have been changed since the last job. */
async function updateConnection(
  { systems }: Repositories,
  systemId: string,
  { connector, settings }: Connection,
): Promise<void> {
  const system = await systems.get(systemId);
  if (!system.inline) return;
  const stored = await systems.connectionOf(systemId);
  if (isDeepStrictEqual({ ...stored.settings }, { ...settings })) return;
  await systems.change(systemId, { connection: { settings, secretFields: connector.secretFields } });
}

/** Whether its first load has begun: then the rows at the target are its own. */
export function hasBegun({ load }: PairRecord): boolean {
  return load.state !== 'requested' || load.number > 1;
}
