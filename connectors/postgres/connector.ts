import type { Connector } from '#connectors/contract/connector.ts';
import { normaliseSettings, placeOf, postgresSettings, type PostgresSettings } from './settings.ts';
import { postgresSource } from './source/source.ts';
import { postgresTarget } from './target/target.ts';

/** PostgreSQL 14 and newer: as a source by logical replication, as a target by SQL. */
export const connector: Connector<PostgresSettings> = {
  name: 'postgres',
  settings: postgresSettings,
  secretFields: ['password'],
  normalise: normaliseSettings,
  place: placeOf,
  source: postgresSource,
  target: postgresTarget,
};
