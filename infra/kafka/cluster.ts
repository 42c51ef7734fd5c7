import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newClusterId, startBroker, type Broker } from './broker.ts';
import { freePorts } from './ports.ts';

export interface ClusterOptions {
  /** Port of the first on 127.0.0.1, the others follow it; 0, the default, takes free ones. */
  readonly port?: number;
  /** Where they keep their data, a folder each. Left out: temporary folders that go with the brokers. */
  readonly folder?: string;
  /** Heap of each in MiB, default 192; a process takes about 100 more. */
  readonly heapMb?: number;
  /** Settings of each on top of ours, by their Kafka names. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gets each line that a broker writes: warnings and errors. */
  readonly onLine?: (line: string) => void;
}

/** Three brokers on this machine, each a controller too: two of them have to be up for anything to be decided. */
export interface Cluster extends AsyncDisposable {
  /** Bootstrap addresses, host:port each. They stay the same over restarts. */
  readonly addresses: readonly string[];
  /** In the order of their node ids, 1 to 3. */
  readonly brokers: readonly Broker[];
  /** The one whose controller decides, as far as they have written it down. */
  controller(): Promise<Broker>;
  /** Ends them all without a goodbye, which the last ones would wait for in vain, and removes temporary folders. */
  stop(): Promise<void>;
}

const BROKERS = 3;

const SETTINGS = {
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  // Half of the heap, when left out, for what is compacted here: a few offsets.
  'log.cleaner.dedupe.buffer.size': String(4 * 2 ** 20),
  // When another broker takes over is as in production, so that what tests see of it counts.
  'broker.session.timeout.ms': '9000',
  'broker.heartbeat.interval.ms': '2000',
  // A broker that has come back leads again soon, not within five minutes.
  'leader.imbalance.check.interval.seconds': '2',
};

/** Starts a cluster: about 10 s on two cores. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { port: first = 0, folder, heapMb = 192, settings, onLine = () => undefined } = options;
  const cluster = folder === undefined ? newClusterId() : await clusterOf(folder);
  const ports = await freePorts(2 * BROKERS);
  const controllerPorts = ports.slice(BROKERS);
  // All at once: none is up before most are.
  const started = await Promise.allSettled(
    controllerPorts.map((_, index) =>
      startBroker({
        port: first === 0 ? ports[index]! : first + index,
        ...(folder !== undefined && { folder: join(folder, String(index + 1)) }),
        heapMb,
        settings: { ...SETTINGS, ...settings },
        onLine: (line) => {
          onLine(`${index + 1}: ${line}`);
        },
        member: { id: index + 1, cluster, controllerPorts },
      }),
    ),
  );
  const brokers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(brokers.map((broker) => broker.kill()));
    await Promise.all(brokers.map((broker) => broker.stop()));
  };
  const failed = started.find((each) => each.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    addresses: brokers.map(({ address }) => address),
    brokers,
    controller: () => controllerOf(brokers),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The identity of the cluster that lives in the folder, made when there is none. */
async function clusterOf(folder: string): Promise<string> {
  const file = join(folder, 'cluster');
  try {
    return await readFile(file, 'utf8');
  } catch {
    const cluster = newClusterId();
    await mkdir(folder, { recursive: true });
    await writeFile(file, cluster);
    return cluster;
  }
}

interface QuorumState {
  readonly leaderId: number;
  readonly leaderEpoch: number;
}

/** What a client is told is any broker that forwards; each writes down whom it has elected. */
async function controllerOf(brokers: readonly Broker[]): Promise<Broker> {
  const states = await Promise.all(
    brokers.map(async ({ folder }) => {
      const file = join(folder, 'log', '__cluster_metadata-0', 'quorum-state');
      return JSON.parse(await readFile(file, 'utf8')) as QuorumState;
    }),
  );
  const [latest] = states
    .filter(({ leaderId }) => leaderId > 0)
    .toSorted((one, other) => other.leaderEpoch - one.leaderEpoch);
  if (latest === undefined) throw new Error('The cluster has no controller');
  return brokers[latest.leaderId - 1]!;
}
