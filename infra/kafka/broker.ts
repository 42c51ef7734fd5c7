import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { classPath, java } from './classpath.ts';
import { freePorts } from './ports.ts';

const run = promisify(execFile);
const logConfig = fileURLToPath(new URL('log4j2.properties', import.meta.url));

export interface BrokerOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** Where the broker keeps its data. Left out: a temporary folder that goes with the broker. */
  readonly folder?: string;
  /** Heap in MiB, default 256; the process takes about 100 more. */
  readonly heapMb?: number;
  /** Flags of the JVM beside the heap; those of a quick start when left out. */
  readonly jvm?: readonly string[];
  /** Broker settings on top of ours, by their Kafka names. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Gets each line that the broker writes: warnings and errors. */
  readonly onLine?: (line: string) => void;
  /** Its place among others; a cluster of its own when left out. */
  readonly member?: ClusterMember;
}

/** One of several brokers that are controllers too; see `cluster.ts`. */
export interface ClusterMember {
  /** From 1. */
  readonly id: number;
  /** 16 random bytes as base64url. */
  readonly cluster: string;
  /** Of all members, in the order of their ids. */
  readonly controllerPorts: readonly number[];
}

/** A Kafka broker on this machine, with the means to make trouble. */
export interface Broker extends AsyncDisposable {
  /** Bootstrap address, host:port. It stays the same over restarts. */
  readonly address: string;
  /** The broker's own process; another one after a restart. */
  readonly pid: number;
  /** Where it keeps its data. */
  readonly folder: string;
  /** Freezes it: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it without a goodbye. Its data stay; {@link restart} brings it back. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port, after ending it properly if it runs. */
  restart(): Promise<void>;
  /** Ends it properly and removes its temporary folder. */
  stop(): Promise<void>;
}

/** Longest start that is still one, in ms: 2 to 3 seconds is usual, a loaded machine takes more. */
const START_TIMEOUT = 90_000;

/**
 * Runs the broker as a child, and ends it when this process goes away however that happens: the pipe from us then closes, and with
 * the broker goes its temporary folder. The first line tells the broker's own PID.
 */
const KEEPER = `
exec 3<&0
"$@" 3<&- < /dev/null 2>&1 & broker=$!
echo "pid $broker"
( cat <&3 > /dev/null; kill -9 $broker; [ -z "$REMOVE_AFTERWARDS" ] || rm -rf "$REMOVE_AFTERWARDS" ) > /dev/null & watch=$!
exec 3<&-
wait $broker
code=$?
kill -9 $watch
exit $code
`;

const QUICK_START = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** Starts a broker. About 3 s, the first time longer: Maven fetches it. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { port: wanted = 0, heapMb = 256, jvm: flags = QUICK_START } = options;
  const temporary = options.folder === undefined;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'terrafusion-kafka-')));
  const [port, controllerPort] = (await freePorts(2, wanted)) as [number, number];
  const member = options.member ?? { id: 1, cluster: newClusterId(), controllerPorts: [controllerPort] };
  const jvm = [`-Xmx${heapMb}m`, ...flags, `-Dlog4j2.configurationFile=${logConfig}`];
  const command = [...jvm, '-cp', await classPath()];
  const config = join(folder, 'broker.properties');

  const remove = async (): Promise<void> => {
    if (temporary) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  await mkdir(folder, { recursive: true });
  await writeFile(config, properties({ ...settings(folder, port, member), ...options.settings }));
  let child: Running;
  try {
    await format(folder, member.cluster, command, config);
    child = await launch();
  } catch (error) {
    await remove();
    throw error;
  }

  async function launch(): Promise<Running> {
    return await start([...command, 'kafka.Kafka', config], {
      removeAfterwards: temporary ? folder : '',
      onLine: options.onLine ?? (() => undefined),
    });
  }

  const stop = async (): Promise<void> => {
    await child.end('SIGTERM');
    await remove();
  };
  return {
    address: `127.0.0.1:${port}`,
    folder,
    get pid() {
      return child.pid;
    },
    pause: () => {
      child.signal('SIGSTOP');
    },
    resume: () => {
      child.signal('SIGCONT');
    },
    kill: () => child.end('SIGKILL'),
    restart: async () => {
      await child.end('SIGTERM');
      child = await launch();
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

export const newClusterId = (): string => randomBytes(16).toString('base64url');

/** What a broker for development and tests needs: quick to start, small, and strict where production is. */
function settings(folder: string, port: number, { id, controllerPorts }: ClusterMember): Record<string, string> {
  const controllerPort = controllerPorts[id - 1]!;
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': controllerPorts.map((each, index) => `${index + 1}@127.0.0.1:${each}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(folder, 'log'),
    // A topic that nobody made is an error in production too.
    'auto.create.topics.enable': 'false',
    // Groups form at once, and their topic is small.
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '1',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'num.partitions': '1',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.segment.delete.delay.ms': '1000',
    // A killed broker comes back only after its former self has been given up.
    'broker.session.timeout.ms': '1500',
    'broker.heartbeat.interval.ms': '300',
  };
}

const properties = (entries: Record<string, string>): string =>
  Object.entries(entries)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

/** Writes the identity that KRaft wants to find, unless the folder has one from an earlier run. */
async function format(folder: string, cluster: string, command: readonly string[], config: string): Promise<void> {
  try {
    await access(join(folder, 'log', 'meta.properties'));
  } catch {
    // One argument: an identity may begin with a dash.
    await run(java, [...command, 'kafka.tools.StorageTool', 'format', `--cluster-id=${cluster}`, '-c', config]);
  }
}

interface Running {
  readonly pid: number;
  signal(signal: NodeJS.Signals): void;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

async function start(
  args: readonly string[],
  { removeAfterwards, onLine }: { readonly removeAfterwards: string; readonly onLine: (line: string) => void },
): Promise<Running> {
  const child = spawn('sh', ['-c', KEEPER, 'sh', java, ...args], {
    env: { ...process.env, REMOVE_AFTERWARDS: removeAfterwards },
    stdio: ['pipe', 'pipe', 'ignore'],
    // Not in our process group: Ctrl-C reaches us, and we end it in order.
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const exited = once(child, 'exit');
  const pid = await untilStarted(child, onLine);
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const signal = (name: NodeJS.Signals): void => {
    if (!running()) return;
    try {
      process.kill(pid, name);
    } catch (error) {
      // It has ended, and we have not been told yet.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  return {
    pid,
    signal,
    end: async (how) => {
      if (!running()) return;
      signal(how);
      // A frozen process gets its signal when it goes on.
      signal('SIGCONT');
      const tooLong = setTimeout(() => {
        signal('SIGKILL');
      }, 20_000);
      await exited;
      clearTimeout(tooLong);
      child.stdin.destroy();
    },
  };
}

/** The broker's PID, once it says that it is up. */
async function untilStarted(child: ChildProcess, onLine: (line: string) => void): Promise<number> {
  const last: string[] = [];
  let pid = 0;
  return await new Promise<number>((resolve, reject) => {
    const fail = (reason: string): void => {
      clearTimeout(timeout);
      child.stdin?.destroy();
      reject(new Error(`The Kafka broker ${reason}:\n${last.join('\n')}`));
    };
    const timeout = setTimeout(() => {
      fail('did not start in time');
    }, START_TIMEOUT);
    child.once('error', (error) => {
      fail(`could not be started (${error.message})`);
    });
    child.once('exit', (code) => {
      fail(`ended with ${code ?? 'a signal'}`);
    });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (pid === 0) {
        pid = Number(line.slice('pid '.length));
        return;
      }
      if (line.includes('Kafka Server started')) {
        clearTimeout(timeout);
        resolve(pid);
      }
      last.push(line);
      if (last.length > 30) last.shift();
      if (!line.includes(' INFO ')) onLine(line);
    });
  });
}
