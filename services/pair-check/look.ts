import type { ConnectorContext } from '#connectors/contract/context.ts';

/**
 * Runs work at one end, within whatever limits the caller sets.
 * @param slow it is more than a look: the proof
 * @throws what the connector throws; …_UNREACHABLE when it takes too long
 */
export type Look = <T>(
  end: 'source' | 'target',
  work: (context: ConnectorContext) => Promise<T>,
  slow?: boolean,
) => Promise<T>;
