import { setTimeout as delay } from 'node:timers/promises';
import { startKafka, whyNoKafka, type TestKafka } from '#test/support/kafka.ts';
import type { Family, Fault } from '../fault.ts';
import { Scene } from '../scene.ts';

const brokers = new WeakMap<Scene, NonNullable<TestKafka['broker']>>();

const faults: readonly Fault[] = [
  {
    name: 'broker restarted',
    what: 'An orderly restart of the only broker under load.',
    outcome: 'recovers',
    strike: (scene) => brokers.get(scene)!.restart(),
  },
  {
    name: 'broker killed (SIGKILL)',
    what: 'The only broker is killed, and started again after five seconds.',
    outcome: 'recovers',
    strike: async (scene) => {
      await brokers.get(scene)!.kill();
      await delay(5000);
      await brokers.get(scene)!.restart();
    },
  },
  {
    name: 'broker stopped (SIGSTOP)',
    what: 'Twenty seconds in which connections to the broker stay and nothing answers.',
    outcome: 'recovers',
    strike: async (scene) => {
      brokers.get(scene)!.pause();
      await delay(20_000);
      brokers.get(scene)!.resume();
    },
  },
  {
    name: 'service killed with Kafka between the stages',
    what: 'SIGKILL under load; the next process waits until the leases of the killed one have run out.',
    outcome: 'recovers',
    strike: async (scene) => {
      await scene.service.kill();
      scene.startService();
    },
  },
  {
    name: 'zombie: a service that goes on after another one has taken over',
    what: 'The service is stopped (SIGSTOP) until a second one works under its leases, then both run; what the first still sends is refused.',
    outcome: 'recovers',
    strike: async (scene) => {
      const zombie = scene.service;
      process.kill(zombie.pid, 'SIGSTOP');
      scene.startService();
      await scene.untilTakenOver();
      process.kill(zombie.pid, 'SIGCONT');
      await scene.untilInStep();
      await delay(3000);
      await zombie.stop();
    },
  },
];

export const kafka: Family = {
  name: 'Kafka',
  faults,
  missing: async () =>
    (process.env.TEST_KAFKA_BROKERS ?? '') === '' ? whyNoKafka() : 'the broker is not ours to harm',
  stage: async (options, work) => {
    await using started = (await startKafka())!;
    await using scene = await Scene.open({ ...options, brokers: started.brokers });
    brokers.set(scene, started.broker!);
    await work(scene);
  },
};
