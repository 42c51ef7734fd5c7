import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TerraFusionError } from '#schemas/errors.ts';
import { Secret } from '#schemas/secret.ts';
import type { Log } from '../log.ts';
import type { BusSettings } from '../settings.ts';
import type { KafkaConnection } from './kafka-client.ts';
import type { Bus } from './port.ts';

/** What the bus needs of the settings; `Settings` has it all. */
export interface BusConfig {
  /** The embedded bus keeps its files in `bus` below it. */
  readonly dataFolder: string;
  readonly bus: BusSettings;
}

/**
 * The bus that the settings ask for: Kafka when they name brokers, else the embedded one. Its driver is loaded only then.
 * @throws {TerraFusionError} DATA_FOLDER_UNUSABLE; CONFIG_INVALID when a certificate file cannot be read. Kafka is not asked before the first call.
 */
export async function openBus({ dataFolder, bus }: BusConfig, log: Log): Promise<Bus> {
  if (bus.kind === 'embedded') {
    const { LmdbBus } = await import('./lmdb.ts');
    return await LmdbBus.open({ folder: join(dataFolder, 'bus'), maxBytes: bus.maxBytes }, log);
  }
  const { KafkaBus } = await import('./kafka.ts');
  const { brokers, replicationFactor, sasl, tls } = bus;
  return new KafkaBus({ brokers, replicationFactor, sasl, tls: await readTls(tls) }, log);
}

type TlsFiles = Extract<BusSettings, { kind: 'kafka' }>['tls'];

async function readTls(files: TlsFiles): Promise<KafkaConnection['tls']> {
  if (files === undefined) return undefined;
  const [ca, cert, key] = await Promise.all([
    readPem(files.caFile, 'KAFKA_SSL_CA_FILE'),
    readPem(files.certFile, 'KAFKA_SSL_CERT_FILE'),
    readPem(files.keyFile, 'KAFKA_SSL_KEY_FILE'),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key: new Secret(key) }),
  };
}

async function readPem(file: string | undefined, variable: string): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new TerraFusionError('CONFIG_INVALID', `${variable}: ${file} cannot be read`, { cause });
  }
}
