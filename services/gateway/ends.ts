import type { Connector } from '#connectors/contract/connector.ts';
import type { ConnectorContext, Log } from '#connectors/contract/context.ts';
import type { Source } from '#connectors/contract/source.ts';
import type { Target } from '#connectors/contract/target.ts';
import { connectorNames, loadConnector } from '#connectors/registry.ts';
import type { Check } from '#connectors/contract/check.ts';
import { asTerraFusionError, TerraFusionError } from '#schemas/errors.ts';
import type { Control } from '#services/control/control.ts';
import type { Clock } from '#services/kernel/clock.ts';
import { fieldProblems, formatPath, invalidFields } from './fields.ts';

/** A connection as an operator wrote it, looked at by its connector and ready to be stored. */
export interface Connection {
  readonly connector: Connector;
  /** With its secrets: never to be shown. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/**
 * Checks a connection by its connector's schema and pulls secrets into their own fields.
 * @param path where it stands in the body: ["source"] for an inline system, [] for the body of a system
 * @throws REQUEST_INVALID naming every field that is wrong
 */
export async function readConnection(
  name: string,
  connection: Readonly<Record<string, unknown>>,
  path: readonly PropertyKey[] = [],
): Promise<Connection> {
  if (!connectorNames.includes(name)) {
    throw new TerraFusionError(
      'REQUEST_INVALID',
      `${formatPath([...path, 'connector'])}: there is no connector "${name}"; known: ${connectorNames.join(', ')}`,
      { details: { field: formatPath([...path, 'connector']), known: connectorNames } },
    );
  }
  const connector = await loadConnector(name);
  const parsed = connector.settings.safeParse(connection);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [...path, 'connection', ...issue.path] }));
    throw invalidFields(fieldProblems(issues));
  }
  return { connector, settings: connector.normalise(parsed.data) as Readonly<Record<string, unknown>> };
}

/** @throws PAIR_INVALID when the connector only writes */
export function openSource({ connector, settings }: Connection): Source {
  if (!connector.source) throw new TerraFusionError('PAIR_INVALID', `A ${connector.name} system cannot be a source`);
  return connector.source(settings);
}

/** @throws PAIR_INVALID when the connector only reads */
export function openTarget({ connector, settings }: Connection): Target {
  if (!connector.target) throw new TerraFusionError('PAIR_INVALID', `A ${connector.name} system cannot be a target`);
  return connector.target(settings);
}

/** What work at an end needs besides the end. */
export interface EndTools {
  readonly clock: Clock;
  readonly log: Log;
  /** Aborted when the caller of the API has gone, or we stop. */
  readonly signal?: AbortSignal;
}

/** How long a look at one end may take, in ms: people wait for the answer. */
export const LOOK_TIMEOUT = 5000;
/** The same for trying values, which is many statements. */
export const PROOF_TIMEOUT = 30_000;

/**
 * Looks at one end, within a time limit that holds even when the connector does not honour its signal.
 * @throws SOURCE_UNREACHABLE or TARGET_UNREACHABLE when it takes longer
 */
export async function look<T>(
  end: 'source' | 'target',
  { clock, log, signal }: EndTools,
  work: (context: ConnectorContext) => Promise<T>,
  timeoutMs = LOOK_TIMEOUT,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  const context: ConnectorContext = {
    clock,
    log,
    signal: AbortSignal.any([late.signal, ...(signal ? [signal] : [])]),
  };
  const tooLate = clock.sleep(timeoutMs, done.signal).then(() => {
    const error = new TerraFusionError(
      end === 'source' ? 'SOURCE_UNREACHABLE' : 'TARGET_UNREACHABLE',
      `The ${end} did not answer within ${timeoutMs / 1000} seconds`,
    );
    late.abort(error);
    throw error;
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([work(context), tooLate]);
  } catch (error) {
    // A connector that honours its signal rejects with whatever its driver says; the reason is what the caller should hear.
    if (late.signal.aborted) throw late.signal.reason;
    throw error;
  } finally {
    done.abort();
  }
}

/** A registered system's connection, opened for its connector. @throws NOT_FOUND; MASTER_KEY_WRONG */
export async function storedConnection({ systems }: Pick<Control, 'systems'>, idOrName: string): Promise<Connection> {
  const { connector: name, settings } = await systems.connectionOf(idOrName);
  return { connector: await loadConnector(name), settings };
}

/** What could not be looked at, as a check that failed. */
export function asCheck(thrown: unknown): Check {
  const { code, message, fix } = asTerraFusionError(thrown);
  return { name: 'login', ok: false, required: true, message, code, fix };
}
