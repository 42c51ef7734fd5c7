import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '#infra/kafka/broker.ts';
import { changesTopic } from '#schemas/topics.ts';
import { eventually } from '#test/support/eventually.ts';
import { TestCluster } from '#test/support/kafka-cluster.ts';
import { whyNoKafka } from '#test/support/kafka.ts';
import type { Family, Fault } from '../fault.ts';
import { Scene } from '../scene.ts';

/** Three brokers take most of two cores: what gathers while they are away has to be less than what is left can catch up with. */
const SLOWNESS = 4;

const clusters = new WeakMap<Scene, TestCluster>();
const clusterOf = (scene: Scene): TestCluster => clusters.get(scene)!;

interface Topics {
  /** What the reader writes. */
  readonly changes: string;
  /** What the stream processor writes. */
  readonly ready: string;
}

async function topicsOf({ installation, pair }: Scene, cluster: TestCluster): Promise<Topics> {
  const { sourceId } = await installation.control.pairs.get(pair.id);
  const [ready] = (await cluster.topics()).filter((topic) => topic.startsWith(`ready.${pair.id}.`));
  return { changes: changesTopic(sourceId), ready: ready! };
}

/** Resolves once every broker has all of both topics, as who restarts one after the other waits for it. */
async function untilInSync(scene: Scene): Promise<void> {
  const cluster = clusterOf(scene);
  const { changes, ready } = await topicsOf(scene, cluster);
  for (const topic of [changes, ready]) {
    await eventually(async () => (await cluster.placed(topic)).inSync.length === cluster.brokers.length, {
      within: 60_000,
      every: 100,
      what: `all brokers to have "${topic}"`,
    });
  }
}

/** One broker goes away and the others go on without it; afterwards it comes back. */
function goneFor(choose: (cluster: TestCluster, topics: Topics) => Promise<Broker>, how: 'killed' | 'frozen') {
  const gone = new WeakMap<Scene, Broker>();
  return {
    outcome: 'recovers',
    strike: async (scene) => {
      const cluster = clusterOf(scene);
      const broker = await choose(cluster, await topicsOf(scene, cluster));
      gone.set(scene, broker);
      if (how === 'killed') await broker.kill();
      else broker.pause();
    },
    restore: async (scene) => {
      const broker = gone.get(scene)!;
      if (how === 'killed') await broker.restart();
      else broker.resume();
      await untilInSync(scene);
    },
  } satisfies Partial<Fault>;
}

/** What the source may have forgotten by now. */
const CONFIRMED = `SELECT confirmed_flush_lsn > $1::pg_lsn
  FROM pg_replication_slots WHERE database = current_database() AND NOT temporary`;

/** With too few brokers for it the source is told nothing. (Promise 1) */
async function expectNothingConfirmed({ source: { database } }: Scene, during: () => Promise<void>): Promise<void> {
  const lsn = await database.value('SELECT pg_current_wal_insert_lsn()');
  await during();
  if (await database.value<boolean>(CONFIRMED, [lsn])) {
    throw new Error(`The source was told that the bus holds more than up to ${lsn}, which it cannot`);
  }
}

const faults: readonly Fault[] = [
  {
    name: 'leader of the changes killed (SIGKILL)',
    what: 'One of three brokers is killed, the one that leads `changes.<source>`: the others go on without it. Then it comes back.',
    ...goneFor((cluster, { changes }) => cluster.leaderOf(changes), 'killed'),
  },
  {
    name: 'leader of what is ready killed (SIGKILL)',
    what: 'Likewise, the one that leads `ready.<pair>`.',
    ...goneFor((cluster, { ready }) => cluster.leaderOf(ready), 'killed'),
  },
  {
    name: 'controller killed (SIGKILL)',
    what: 'Likewise, the one that decides who leads.',
    ...goneFor((cluster) => cluster.controller(), 'killed'),
  },
  {
    name: 'leader of the changes stopped (SIGSTOP)',
    what: 'Likewise, with connections that stay and nothing that answers, until the others have gone on; then it does, believing that it leads.',
    ...goneFor((cluster, { changes }) => cluster.leaderOf(changes), 'frozen'),
  },
  {
    name: 'leaders moved',
    what: 'Both topics under load: another broker is preferred, then the leader has to give its copy away, then it gets it again.',
    outcome: 'recovers',
    strike: async (scene) => {
      const cluster = clusterOf(scene);
      const { changes, ready } = await topicsOf(scene, cluster);
      for (const topic of [changes, ready, changes]) {
        const { leader } = await cluster.placed(topic);
        const [next, last] = [1, 2, 3].filter((id) => id !== leader) as [number, number];
        await cluster.place(topic, [next, last, leader]);
        await cluster.place(topic, [last, leader]);
        await cluster.place(topic, [leader, next, last]);
      }
    },
  },
  {
    name: 'brokers restarted one after the other',
    what: 'An orderly restart of each, as for a new version: the next one once all copies are whole again.',
    outcome: 'recovers',
    strike: async (scene) => {
      for (const broker of clusterOf(scene).brokers) {
        await broker.restart();
        await untilInSync(scene);
      }
    },
  },
  {
    name: 'two of three brokers killed',
    what: 'Those that do not lead `changes.<source>`, until BUS_UNREACHABLE is told and for another ten seconds. The source is told nothing meanwhile.',
    outcome: 'recovers',
    strike: async (scene) => {
      const cluster = clusterOf(scene);
      const leader = await cluster.leaderOf((await topicsOf(scene, cluster)).changes);
      const others = cluster.brokers.filter((broker) => broker !== leader);
      await Promise.all(others.map((broker) => broker.kill()));
      await expectNothingConfirmed(scene, async () => {
        await scene.untilTold('BUS_UNREACHABLE');
        await delay(10_000);
      });
      await Promise.all(others.map((broker) => broker.restart()));
    },
  },
  {
    name: 'too few copies in step',
    what: 'min.insync.replicas of `changes.<source>` is three and a follower is killed: blocks are refused until BUS_UNREACHABLE is told, and the source is told nothing. Then it comes back.',
    outcome: 'recovers',
    strike: async (scene) => {
      const cluster = clusterOf(scene);
      const { changes } = await topicsOf(scene, cluster);
      const leader = await cluster.leaderOf(changes);
      const follower = cluster.brokers.find((broker) => broker !== leader)!;
      await cluster.set(changes, { 'min.insync.replicas': '3' });
      await follower.kill();
      await expectNothingConfirmed(scene, () => scene.untilTold('BUS_UNREACHABLE'));
      await follower.restart();
    },
  },
  {
    name: 'all brokers killed',
    what: 'All three at once, and started again after five seconds: what they had acknowledged they have.',
    outcome: 'recovers',
    strike: async (scene) => {
      const { brokers } = clusterOf(scene);
      await Promise.all(brokers.map((broker) => broker.kill()));
      await delay(5000);
      await Promise.all(brokers.map((broker) => broker.restart()));
    },
  },
  {
    name: 'services come and go',
    what: 'Under load, three times: another service joins, the one that works is told to stop, and the other one takes its leases. There are no consumer groups to rebalance.',
    outcome: 'recovers',
    strike: async (scene) => {
      for (let round = 0; round < 3; round += 1) {
        const leaving = scene.service;
        scene.startService();
        const joining = scene.service;
        await eventually(() => joining.said.includes('is listening'), { within: 60_000, what: 'another service' });
        const takenOver = scene.untilTakenOver();
        takenOver.catch(() => undefined);
        const { code } = await leaving.stop();
        if (code !== 0) throw new Error(`It ended with ${code ?? 'a signal'}`);
        await takenOver;
      }
    },
  },
];

export const kafkaCluster: Family = {
  name: 'Kafka cluster',
  faults,
  missing: async () =>
    (process.env.TEST_KAFKA_BROKERS ?? '') === '' ? whyNoKafka() : 'the brokers are not ours to harm',
  stage: async (options, work) => {
    await using cluster = await TestCluster.start();
    await using scene = await Scene.open({ ...options, brokers: cluster.addresses, slowness: SLOWNESS });
    clusters.set(scene, cluster);
    await work(scene);
  },
};
